import numpy as np
import pytest

from echo_keypoints.tracking.consensus import consensus_offset, nearby_offsets


def moving(frames=30):
    t = np.arange(frames)[:, None, None]
    return np.array([[10.0, 20], [12, 40], [15, 90], [16, 110]]) + 5 * np.sin(t / 5)


def test_a_track_that_is_off_everywhere_is_brought_back():
    truth = moving()
    wrong = truth + np.array([3.0, -2.0])
    offset = consensus_offset(truth, np.ones((30, 4)), wrong)
    np.testing.assert_allclose(wrong + offset, truth, atol=1e-9)


def test_noise_averages_out_and_strays_hardly_count():
    rng = np.random.default_rng(0)
    truth = moving()
    detected = truth + rng.normal(0, 2, truth.shape)
    detected[::6] += 60  # every sixth frame is lost
    offset = consensus_offset(detected, np.ones((30, 4)), truth)
    assert np.abs(offset).max() < 1.5


def test_clear_frames_count_more():
    truth = moving()
    detected, peak = truth.copy(), np.ones((30, 4))
    detected[:15] += 2
    peak[:15] = 0.2
    assert np.abs(consensus_offset(detected, peak, truth)).max() < 0.2


def test_nearby_votes_follow_what_changes_in_time():
    """A robust local mean: 0 before, 6 px after a change, half-way at the change."""
    times_s = np.arange(120) / 60
    off = np.where(times_s < 1, 0.0, 6.0)[:, None, None] * np.array([0.6, -0.8])
    detected = moving(120) + off
    detected[::7] += 80  # strays
    found = nearby_offsets(detected, np.ones((120, 4)), moving(120), times_s)
    far = np.abs(times_s - 1) > 0.45
    np.testing.assert_allclose(found[far], np.broadcast_to(off, found.shape)[far], atol=0.6)
    assert np.linalg.norm(found[60], axis=-1) == pytest.approx([3.0] * 4, abs=1.0)


def test_nearby_votes_ignore_strays_that_stand_alone():
    times_s = np.arange(40) / 50
    detected = moving(40)
    detected[20:23] += 30
    found = nearby_offsets(detected, np.ones((40, 4)), moving(40), times_s)
    assert np.abs(found).max() < 0.3


def test_nearby_votes_of_long_clips_are_those_of_their_parts():
    """Frames beyond its reach do not matter, nor where blocks of frames begin; times need not be even."""
    rng = np.random.default_rng(5)
    times_s = np.cumsum(rng.uniform(0.01, 0.04, 300))
    track = moving(300)
    detected = track + np.cumsum(rng.normal(0, 0.5, track.shape), axis=0)
    peak = rng.uniform(0.3, 1, (300, 4))
    whole = nearby_offsets(detected, peak, track, times_s)
    part = slice(37, 251)
    of_part = nearby_offsets(detected[part], peak[part], track[part], times_s[part])
    margin = np.searchsorted(times_s, times_s[37] + 1.5) - 37
    np.testing.assert_allclose(of_part[margin:-margin], whole[part][margin:-margin], atol=0.01)
