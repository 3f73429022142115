"""What is printed over a clip is painted over; tissue is left as it is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.data.simulation.phantom import Phantom
from echo_keypoints.evaluation.cases import exact_case
from echo_keypoints.tracking import load_backend, open_session
from echo_keypoints.tracking.printed import LEAST_FRAMES, Print

SIZE = 224


def _speckle(count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(20, 90, (count, SIZE, SIZE)).astype(np.uint8)


def _written(frames: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Frames with a word on them, and where it is."""
    print_ = np.zeros((SIZE, SIZE), np.uint8)
    cv2.putText(print_, "LV 4.2", (80, 120), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 220, 1, cv2.LINE_AA)
    return [np.maximum(frame, print_) for frame in frames], print_


def test_a_word_over_moving_tissue_is_found_and_replaced_by_what_is_around() -> None:
    frames = _speckle(24, np.random.default_rng(0))
    written, print_ = _written(frames)
    found = Print.find(written)
    strokes = np.flatnonzero(print_ > 150)
    assert np.isin(strokes, found.places).mean() > 0.98
    clean = found.painted_over(written[3])
    assert clean.ravel()[strokes].max() < 100  # the tissue has 20 to 90
    untouched = np.setdiff1d(np.arange(SIZE * SIZE), found.places)
    assert np.array_equal(clean.ravel()[untouched], written[3].ravel()[untouched])
    assert len(found.places) < 3 * (print_ > 0).sum()


def test_tissue_is_not_print() -> None:
    """Neither bright lines that move nor still ones as thick as a wall."""
    frames = _speckle(24, np.random.default_rng(1))
    frames[:, 150:162, 40:180] = 250
    for index, frame in enumerate(frames):
        cv2.line(frame, (30, 90 + index % 6), (200, 100 + index % 6), 255, 2, cv2.LINE_AA)
    assert len(Print.find(list(frames)).places) == 0


def test_saturated_grain_that_does_not_change_is_print_at_most_along_its_edge() -> None:
    rng = np.random.default_rng(1)
    frames = _speckle(24, rng)
    grain = np.full((60, 80), 255, np.uint8)
    grain[rng.random(grain.shape) < 0.15] = 190
    frames[:, 20:80, 20:100] = grain
    found = Print.find(list(frames))
    assert np.array_equal(found.painted_over(frames[5])[30:70, 30:90], grain[10:50, 10:70])


@pytest.mark.parametrize("count", [2, LEAST_FRAMES - 1])
def test_a_few_frames_do_not_tell(count: int) -> None:
    frames = _speckle(count, np.random.default_rng(2))
    written, _ = _written(frames)
    found = Print.find(written)
    assert len(found.places) == 0
    assert found.painted_over(written[0]) is written[0]


def test_a_clip_that_stands_still_has_no_print() -> None:
    """A paused clip shows the same picture again and again: thin bright tissue would be as still as text."""
    frame = _speckle(1, np.random.default_rng(3))[0]
    cv2.line(frame, (30, 90), (200, 100), 255, 1)
    assert len(Print.find([frame] * 40).places) == 0


def test_lossy_compression_around_a_word_does_not_hide_it() -> None:
    frames = np.full((24, SIZE, SIZE), 12, np.uint8)
    frames[:, ::2, ::3] += np.arange(24, dtype=np.uint8)[:, None, None] % 4
    written, print_ = _written(frames)
    coded = [
        cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 90])[1], cv2.IMREAD_GRAYSCALE)
        for frame in written
    ]
    strokes = np.flatnonzero(print_ > 200)
    assert np.isin(strokes, Print.find(coded).places).mean() > 0.9


def test_a_block_without_free_pixels_around_is_left() -> None:
    mask = np.zeros((40, 40), bool)
    mask[5:35, 5:35] = True
    found = Print.at(mask)
    frame = np.where(mask, 200, 30).astype(np.uint8)
    painted = found.painted_over(frame)
    assert painted[6, 6] == 30
    assert painted[20, 20] == 200


def test_print_of_phantoms_is_found_and_hardly_any_tissue_near_the_landmarks() -> None:
    taken, wrong, strokes = 0, 0, 0
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for seed in range(9_500_000, 9_500_008):
        phantom = Phantom(seed, style="acoustic")
        clip = phantom.render(np.arange(24) / 30, fps=30)
        overlay = phantom._overlay
        print_ = cv2.dilate(overlay, np.ones((7, 7), np.uint8)) > 0
        found = np.zeros(overlay.size, bool)
        found[Print.find(list(clip.video)).places] = True
        found = found.reshape(overlay.shape)
        thin = (overlay > 200) & (cv2.erode(overlay, np.ones((5, 5), np.uint8)) == 0)
        taken += int((found & thin).sum())
        strokes += int(thin.sum())
        points = clip.points[0]
        x, y = points.mean(0)
        near = np.hypot(columns - x, rows - y) < 0.6 * np.linalg.norm(points[3] - points[0])
        wrong += int((found & ~print_ & near).sum())
    assert taken > 0.5 * strokes > 0
    assert wrong < 8 * 15


def test_a_word_over_the_ventricle_does_not_move_the_landmarks() -> None:
    """Of a dilated ventricle the word's edges had been taken for those of the septum, 33 px away."""
    clip = simulate_clip(8_900_011, frame_count=32)
    case = exact_case("word", clip.video, clip.points, clip.phase, clip.times_s, clip.mm_per_px)
    with open_session(case.clip, load_backend("onnx")) as session:
        points = session.track().points_px
    error = np.linalg.norm(points - clip.points, axis=-1)
    assert error[:, :2].mean() < 10
