import numpy as np
import pytest

from echo_keypoints.tracking.windows import (
    blend,
    neighbour_pairs,
    window_groups,
    window_indices,
    window_starts,
)


@pytest.mark.parametrize("length", [2, 23, 24, 25, 36, 37, 100, 4321])
def test_windows_cover_every_frame_and_stay_inside(length):
    starts = window_starts(length, 24)
    covered = np.zeros(length, int)
    for start in starts:
        indices = window_indices(start, 24, length)
        assert len(indices) == 24 and indices.min() >= 0 and indices.max() < length
        covered[np.unique(indices)] += 1
    assert covered.min() >= 1 and len(set(starts)) == len(starts)
    assert max(np.diff(starts), default=0) <= 12


def test_long_clips_have_few_windows():
    assert len(window_starts(100_000, 24)) == pytest.approx(100_000 / 12, rel=0.01)


def test_pieces_that_agree_are_kept_as_they_are():
    truth = np.random.default_rng(0).normal(size=(50, 4, 2))
    parts = [(start, truth[window_indices(start, 24, 50)]) for start in window_starts(50, 24)]
    np.testing.assert_allclose(blend(parts, 50), truth)


def test_the_blend_passes_smoothly_from_one_piece_to_the_next():
    blended = blend([(0, np.zeros((24, 1))), (12, np.ones((24, 1)))], 36)[:, 0]
    assert (blended[:12] == 0).all() and (blended[24:] == 1).all()
    assert np.diff(blended).max() < 0.1 and np.diff(blended).min() >= 0


def test_short_clips_ignore_the_padding():
    padded = np.arange(24.0)[:, None]
    np.testing.assert_allclose(blend([(0, padded)], 5)[:, 0], np.arange(5.0))


def test_gaps_are_refused():
    with pytest.raises(ValueError, match="cover"):
        blend([(0, np.zeros((5, 1)))], 8)


@pytest.mark.parametrize("length", [5, 24, 61])
def test_pairs_are_listed_once_and_rebuild_the_windows(length):
    windows = np.stack([window_indices(start, 24, length) for start in window_starts(length, 24)])
    pairs, rows = neighbour_pairs(windows)
    frames, before = pairs[:, rows]
    assert np.array_equal(frames, windows)
    assert np.array_equal(before[:, 1:], windows[:, :-1]) and np.array_equal(before[:, 0], windows[:, 0])
    assert pairs.shape[1] <= length + len(windows)


@pytest.mark.parametrize(("length", "count"), [(2, 3), (48, 1), (120, 2), (130, 4)])
def test_groups_share_out_the_windows_and_name_the_frames_that_they_need(length, count):
    windows = np.stack([window_indices(start, 24, length) for start in window_starts(length, 24)])
    groups = window_groups(windows, count)
    assert len(groups) == min(count, len(windows))
    rebuilt = np.concatenate([np.arange(length)[run][group] for run, group in groups])
    np.testing.assert_array_equal(rebuilt, windows)
    for run, group in groups:
        assert group.min() == 0 and group.max() == run.stop - run.start - 1
    assert np.ptp([len(group) for _, group in groups]) <= 1
