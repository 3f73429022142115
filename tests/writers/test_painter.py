import numpy as np
import pytest
from scipy import ndimage

from echo_keypoints.anatomy import LANDMARKS
from echo_keypoints.writers.overlay import OverlayPainter, painted_frames
from example_results import make_clip, make_header, make_result


def disc(picture, colour):
    """Pixels of a colour."""
    return np.abs(picture.astype(int) - colour).max(axis=2) < 20


@pytest.fixture
def header():
    return make_header(height=600, width=640, spacing_mm=None)


@pytest.fixture
def points(header):
    return make_result().points_px * 5


def test_discs_are_centred_on_the_landmarks(header, points):
    """Sub-pixel: the centre of mass of each disc is the landmark's position."""
    painter = OverlayPainter(make_result(clip=header, points_px=points, confidence=np.ones((5, 4))))
    assert painter.scale == 1
    for frame in range(5):
        picture = painter.paint(np.full((600, 640), 60, np.uint8), frame)
        for landmark, (x, y) in zip(LANDMARKS, points[frame], strict=True):
            labels, _ = ndimage.label(disc(picture, landmark.colour))
            here = labels == labels[round(y), round(x)]
            centre = ndimage.center_of_mass(here)
            np.testing.assert_allclose(centre, (y, x), atol=0.35)


def test_doubtful_points_are_hollow(header, points):
    confidence = np.ones((5, 4))
    confidence[:, 2] = 0.2
    confidence[:, 3] = np.nan
    painter = OverlayPainter(make_result(clip=header, points_px=points, confidence=confidence))
    picture = painter.paint(np.full((600, 640), 60, np.uint8), 0)
    filled = [int(disc(picture, landmark.colour).sum()) for landmark in LANDMARKS]
    assert filled[0] > 40 and filled[1] > 40 and filled[2] < 10 and filled[3] < 10
    assert not np.array_equal(
        picture[430:465, 290:312], np.full((35, 22, 3), 60)
    )  # rings are there all the same


def test_missing_points_are_not_drawn(header, points):
    points[:] = np.nan
    painter = OverlayPainter(make_result(clip=header, points_px=points))
    picture = painter.paint(np.full((600, 640), 60, np.uint8), 0)
    assert (picture[:600] == 60).all()


def test_points_outside_of_the_picture_do_no_harm(header, points):
    painter = OverlayPainter(make_result(clip=header, points_px=points + 2000))
    assert (painter.paint(np.full((600, 640), 60, np.uint8), 0)[:600] == 60).all()


def test_the_frame_is_shown_as_it_is_and_not_edited(header, points):
    frame = np.random.default_rng(0).integers(0, 255, (600, 640), dtype=np.uint8)
    kept = frame.copy()
    painter = OverlayPainter(make_result(clip=header, points_px=points))
    picture = painter.paint(frame, 0)
    assert np.array_equal(frame, kept)
    assert np.array_equal(picture[:100, :100], np.repeat(frame[:100, :100, None], 3, axis=2))


def test_frames_are_painted_one_by_one():
    clip, asked = make_clip(), []

    def frames():
        for index, frame in enumerate(clip.pixels):
            asked.append(index)
            yield frame

    pictures = painted_frames(make_result(), type(clip.as_source())(clip.header, frames))
    next(pictures)
    assert asked == [0]


def test_small_frames_are_enlarged_by_a_whole_number():
    painter = OverlayPainter(make_result())
    assert painter.scale == 4 and painter.size == (512, 506)
    picture = painter.paint(np.full((120, 128), 60, np.uint8), 0)
    assert picture.shape == (506, 512, 3) and picture.dtype == np.uint8
