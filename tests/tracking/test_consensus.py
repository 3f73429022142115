import numpy as np

from echo_keypoints.tracking.consensus import consensus_offset


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
