import numpy as np
import pytest

from echo_keypoints.anatomy import TISSUES
from echo_keypoints.tracking.surroundings import TISSUE_FRAMES, surroundings, tissue_frames

POINTS = np.array([[112, 50], [112, 70], [112, 150], [112, 170]], float)


def long_axis(certainty=204, aorta="aorta"):
    """Labels ``(2, 56, 56)``: layers across the picture, atrium and aorta on the right of the calliper."""
    y, x = 4 * np.mgrid[:56, :56] + 1.5
    label = np.zeros((56, 56), np.uint8)
    for name, top, bottom in (("septum", 50, 70), ("LV", 70, 150), ("posterior wall", 150, 170)):
        label[(y > top) & (y < bottom)] = TISSUES.index(name)
    label[(x > 130) & (y > 70) & (y < 110)] = TISSUES.index(aorta)
    label[(x > 130) & (y > 110) & (y < 150)] = TISSUES.index("LA")
    return np.stack([label, np.full_like(label, certainty)])


def look(labels, points=POINTS, frames=3):
    return surroundings(np.repeat(labels[None], frames, axis=0), np.repeat(points[None], frames, axis=0))


def test_a_long_axis_has_its_layers_and_its_base():
    assert look(long_axis()) == {"layers": 0.8, "base": 1.0, "certainty": 0.8}


def test_each_tissue_must_be_in_its_place():
    assert look(long_axis(), POINTS[::-1])["layers"] == 0  # upside down
    assert look(long_axis()[..., ::-1])["base"] == 0  # mirrored: the base on the left
    assert look(long_axis(aorta="LV"))["base"] == 0
    assert look(long_axis(), POINTS + np.array([0, 10]))["layers"] == pytest.approx(0.8 / 2, abs=0.1)
    assert look(long_axis(), POINTS + np.array([40, 0]))["layers"] == 0  # through aorta and atrium


def test_a_picture_of_nothing():
    nothing = np.stack([np.zeros((56, 56), np.uint8), np.full((56, 56), 250, np.uint8)])
    assert look(nothing) == {"layers": 0, "base": 0, "certainty": 0}


def test_what_is_not_known_is_not_told():
    assert look(np.zeros((2, 56, 56), np.uint8)) == {}  # a network that does not label
    assert look(long_axis(), np.full((4, 2), np.nan)) == {}
    assert look(long_axis(), np.zeros((4, 2))) == {}


def test_long_clips_are_looked_at_here_and_there():
    assert tissue_frames(5).tolist() == [0, 1, 2, 3, 4]
    frames = tissue_frames(10_000)
    assert len(frames) == TISSUE_FRAMES and (frames[0], frames[-1]) == (0, 9999)
    points = np.full((10_000, 4, 2), np.nan)
    points[frames] = POINTS
    assert surroundings(np.repeat(long_axis()[None], len(frames), axis=0), points)["layers"] == 0.8


def test_points_outside_of_the_picture():
    assert set(look(long_axis(), POINTS + 500)) == {"layers", "base", "certainty"}
