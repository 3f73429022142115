from dataclasses import replace

import numpy as np
import pytest

from echo_keypoints.clip import Clip
from echo_keypoints.data.phantoms import VALIDATION_SEED
from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.evaluation.cases import exact_case
from echo_keypoints.tracking import closer, open_session, track_clip
from echo_keypoints.tracking.backends import load_backend
from echo_keypoints.tracking.backends.base import Detections
from echo_keypoints.tracking.closer import LEAST_GAIN, LINE_PX, closer_look, measuring_line


class Sees:
    """A back end that sees a line of some length around a place of model space, and in the first frame it strays."""

    def __init__(self, middle, length, stray=0.0):
        self.middle, self.length, self.stray = np.array(middle, float), length, stray

    def detect(self, frames, contexts=None, progress=None):
        assert frames.shape[1:] == (224, 224)
        assert len(contexts) == len(frames)
        line = np.array([[-0.5], [-0.3], [0.2], [0.5]]) * self.length * np.array([0.28, 0.96])
        points = np.repeat((self.middle + line)[None], len(frames), axis=0)
        points[0] += self.stray
        shape = points.shape[:2]
        return Detections(points, np.ones(shape), np.ones(shape), ())


def test_a_line_does_not_follow_frames_that_stray():
    points = np.tile(np.array([[30.0, 10], [31, 20], [33, 60], [35, 70]]), (5, 1, 1))
    points[1] += 90
    np.testing.assert_array_equal(measuring_line(points), [[30, 10], [35, 70]])


def frames_of(height, width):
    return [np.full((height, width), t, np.uint8) for t in range(9)]


def test_a_heart_of_the_usual_size_is_left_as_it_is():
    region = (10, 20, 458, 468)
    for length in (LINE_PX / LEAST_GAIN + 1, 90, 200):
        assert closer_look(region, None, frames_of(500, 500), Sees((112, 112), length)) == region


@pytest.mark.parametrize("spacing_mm", [None, (0.3, 0.3), (0.4, 0.2)])
def test_a_small_heart_is_shown_as_large_as_the_others(spacing_mm):
    region = (0, 0, 448, 448)
    x0, y0, x1, y1 = closer_look(region, spacing_mm, frames_of(448, 448), Sees((120, 100), 45, stray=60.0))
    along_x, along_y = (1.0, 1.0) if spacing_mm is None else spacing_mm
    # Half as large a window, in mm, around the heart.
    wide = 448 * max(along_x, along_y)
    assert (x1 - x0) * along_x == pytest.approx(wide / 2, abs=2)
    assert (y1 - y0) * along_y == pytest.approx(min(wide / 2, 448 * along_y), abs=2)
    if spacing_mm is None:
        assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((240, 200), abs=2)


def test_the_window_stays_within_the_region():
    region = (40, 60, 264, 284)
    for middle in ((5, 5), (112, 220), (400, -90)):
        x0, y0, x1, y1 = closer_look(region, None, frames_of(300, 300), Sees(middle, 30))
        assert (x1 - x0, y1 - y0) == pytest.approx((224 / 2.5, 224 / 2.5), abs=2)  # and never closer
        assert region[0] <= x0 < x1 <= region[2]
        assert region[1] <= y0 < y1 <= region[3]


def in_a_deep_sector(seed, factor):
    """A phantom in the upper middle of a larger sector that is full of faint noise."""
    clip = simulate_clip(seed, frame_count=24, style="acoustic", pathology="normal")
    size = round(224 * factor)
    left = (size - 224) // 2
    rng = np.random.default_rng(seed)
    video = np.clip(rng.normal(0, 8, (24, size, size)), 0, 255).astype(np.uint8)
    video[:, :224, left : left + 224] = np.maximum(video[:, :224, left : left + 224], clip.video)
    return exact_case(
        "phantom", video, clip.points + np.array([left, 0]), clip.phase, clip.times_s, clip.mm_per_px
    )


def test_hearts_in_deep_sectors_are_measured_better(monkeypatch):
    backend = load_backend()
    cases = [in_a_deep_sector(VALIDATION_SEED + 4100 + i, 1.8) for i in range(4)]
    errors = []
    for least in (LEAST_GAIN, np.inf):
        monkeypatch.setattr(closer, "LEAST_GAIN", least)
        tracks = [track_clip(case.clip, backend) for case in cases]
        errors.append(
            np.mean(
                [
                    np.linalg.norm(track.points_px - case.truth, axis=-1).mean()
                    for track, case in zip(tracks, cases, strict=True)
                ]
            )
        )
    assert errors[0] < 0.8 * errors[1]


def test_points_are_still_pixels_of_the_file():
    case = in_a_deep_sector(VALIDATION_SEED + 4100, 2.4)
    tracking = track_clip(case.clip, load_backend())
    assert tracking.letterbox.scale[0] > 1.3 * 224 / case.clip.header.width  # it was shown closer
    moved = np.pad(case.clip.pixels, ((0, 0), (30, 0), (50, 0)))
    header = replace(
        case.clip.header,
        height=moved.shape[1],
        width=moved.shape[2],
        scan_region=(50, 30, moved.shape[2], moved.shape[1]),
    )
    again = track_clip(Clip(header, moved), load_backend())
    np.testing.assert_allclose(again.points_px - [50, 30], tracking.points_px, atol=0.6)


def test_of_a_long_clip_the_whole_sector_is_kept(monkeypatch):
    monkeypatch.setattr("echo_keypoints.tracking.tracker.REGION_FRAMES", 5)  # of 24: too little is foreseen
    case = in_a_deep_sector(VALIDATION_SEED + 4100, 2.4)
    with open_session(case.clip, load_backend()) as session:
        assert session.letterbox.scale[0] == pytest.approx(224 / case.clip.header.width, rel=0.1)
