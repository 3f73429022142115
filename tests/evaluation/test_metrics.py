"""Every number here was computed by hand."""

import numpy as np
import pytest

from echo_keypoints.evaluation import metrics

# A vertical measuring line: IVS 10, LVID 40, LVPW 10.
LINE = np.array([[50.0, 10], [50, 20], [50, 60], [50, 70]])
TRUTH = np.stack([LINE, LINE + np.array([0, 3]), LINE + np.array([4, 3])])


def shifted(*offsets: tuple[int, int, float, float]) -> np.ndarray:
    """The truth with single points moved: (frame, landmark, dx, dy)."""
    points = TRUTH.copy()
    for frame, landmark, dx, dy in offsets:
        points[frame, landmark] += (dx, dy)
    return points


def test_point_errors_are_euclidean() -> None:
    predicted = shifted((1, 2, 3, 4))
    expected = np.zeros((3, 4))
    expected[1, 2] = 5
    assert np.array_equal(metrics.point_errors(predicted, TRUTH), expected)
    assert metrics.mpe(predicted, TRUTH) == pytest.approx(5 / 12)
    assert metrics.median_point_error(predicted, TRUTH) == 0
    only_second = np.array([False, True, False])
    assert metrics.mpe(predicted, TRUTH, only_second) == pytest.approx(5 / 4)


def test_delta_avg_scales_to_256_is_strict_and_skips_the_query_frame() -> None:
    # In a frame of 128 px an offset of 0.5 px is 1 px at 256: not below 1 (strict), below 2, 4, 8, 16.
    predicted = TRUTH + np.array([0.5, 0])
    assert metrics.delta_avg(predicted, TRUTH, (128, 128), query_frame=0) == pytest.approx(4 / 5)
    # One of the 8 points outside of the query frame is 6 px off at 256 (2 thresholds), the rest are exact.
    predicted = shifted((1, 0, 6, 0), (0, 3, 100, 0))
    expected = (3 * 7 / 8 + 2 * 1) / 5
    assert metrics.delta_avg(predicted, TRUTH, (256, 256), query_frame=0) == pytest.approx(expected)


def test_delta_avg_scales_each_axis_by_itself() -> None:
    predicted = TRUTH + np.array([0.75, 0])
    assert metrics.delta_avg(predicted, TRUTH, (256, 64)) == pytest.approx(1.0)
    predicted = TRUTH + np.array([0, 0.75])  # 3 px at 256
    assert metrics.delta_avg(predicted, TRUTH, (256, 64)) == pytest.approx(3 / 5)


def test_failure_rate_counts_what_is_not_a_number() -> None:
    predicted = shifted((0, 0, 40, 0), (1, 0, 40.1, 0), (2, 0, np.nan, 0))
    assert metrics.failure_rate(predicted, TRUTH) == pytest.approx(2 / 12)


def test_a_prediction_that_is_not_a_number_never_improves_a_score() -> None:
    predicted = shifted((2, 0, np.nan, 0))
    assert np.isnan(metrics.mpe(predicted, TRUTH))
    assert metrics.delta_avg(predicted, TRUTH, (256, 256)) == pytest.approx(11 / 12)


def test_ave_is_blind_to_offsets_and_sees_jitter() -> None:
    assert np.allclose(metrics.ave(TRUTH + np.array([7, -3]), TRUTH), 0)
    # SEnP jumps (3, 4) on the middle frame: the steps in and out are both wrong by 5.
    assert np.allclose(metrics.ave(shifted((1, 1, 3, 4)), TRUTH), [0, 5, 0, 0])
    # PEpP jumps once and stays: one of the two steps is wrong by 2.
    assert np.allclose(metrics.ave(shifted((1, 3, 2, 0), (2, 3, 2, 0)), TRUTH), [0, 0, 0, 1])
    assert np.isnan(metrics.ave(TRUTH[:1], TRUTH[:1])).all()


def test_length_errors_share_the_inner_points() -> None:
    # SEnP moves 6 px towards the posterior wall on frame 2: IVS +6, LVID -6.
    predicted = shifted((2, 1, 0, 6))
    assert np.allclose(metrics.length_errors(predicted, TRUTH), [[0, 0, 0], [0, 0, 0], [6, -6, 0]])
    assert np.allclose(metrics.length_mae(predicted, TRUTH), [2, 2, 0])
    assert np.allclose(metrics.length_mae(predicted, TRUTH, [0, 2]), [3, 3, 0])
    assert metrics.lvid_percent(predicted, TRUTH) == pytest.approx(100 * 6 / 40 / 3)
    # Errors 0, 0, 6: standard deviation sqrt(36/3 - 4).
    assert np.allclose(metrics.sigma_temporal(predicted, TRUTH), [np.sqrt(8), np.sqrt(8), 0])
    assert np.allclose(metrics.sigma_temporal(TRUTH * 1.5, TRUTH), 0)


def test_lengths_in_millimetres_by_scaling_the_points() -> None:
    predicted = shifted((2, 1, 0, 6))
    assert np.allclose(metrics.length_mae(predicted * 0.5, TRUTH * 0.5), [1, 1, 0])


def test_across_is_along_the_measuring_line() -> None:
    # The line points down (+y): across is dy, along is -dx.
    across, along = metrics.wall_components(shifted((0, 1, 2, -4)), TRUTH)
    assert across[0, 1] == pytest.approx(-4)
    assert along[0, 1] == pytest.approx(-2)
    percent = metrics.wall_percent(shifted((0, 1, 2, -4)), TRUTH)
    assert percent == pytest.approx((100 * 4 / 40 / 12, 100 * 2 / 40 / 12))


def test_components_of_an_oblique_line_make_up_the_error() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 200, (5, 4, 2))
    predicted = truth + rng.normal(0, 3, truth.shape)
    across, along = metrics.wall_components(predicted, truth)
    assert np.allclose(np.hypot(across, along), metrics.point_errors(predicted, truth))
    line = truth[:, 3] - truth[:, 0]
    moved = truth + 2.5 * (line / np.linalg.norm(line, axis=1, keepdims=True))[:, None]
    across, along = metrics.wall_components(moved, truth)
    assert np.allclose(across, 2.5) and np.allclose(along, 0, atol=1e-9)


def test_nothing_to_score_is_nan() -> None:
    none = np.zeros(3, bool)
    assert np.isnan(metrics.mpe(TRUTH, TRUTH, none))
    assert np.isnan(metrics.delta_avg(TRUTH[:1], TRUTH[:1], (224, 224), query_frame=0))
    assert np.isnan(metrics.length_mae(TRUTH, TRUTH, none)).all()


def test_shapes_must_match() -> None:
    with pytest.raises(ValueError, match="shape"):
        metrics.mpe(TRUTH[:2], TRUTH)
    with pytest.raises(ValueError, match="shape"):
        metrics.ave(TRUTH[:, :3], TRUTH[:, :3])


def test_detection_rate_counts_the_limit_itself_and_never_what_is_not_a_number() -> None:
    predicted = shifted((0, 0, 3, 4), (1, 1, 5.1, 0), (2, 2, np.nan, 0))
    assert metrics.detection_rate(predicted, TRUTH, 5.0) == pytest.approx(10 / 12)
    only_first = np.array([True, False, False])
    assert metrics.detection_rate(predicted, TRUTH, 4.9, only_first) == pytest.approx(3 / 4)


def test_survival_ends_for_good_and_goes_both_ways() -> None:
    truth = np.zeros((6, 4, 2))
    predicted = truth.copy()
    predicted[3, 0, 0] = 8.1  # at 128 px: 16.2 px at 256; the point is back in frame 4, but dead
    predicted[0, 1, 0] = 9.0
    predicted[2, :, 0] = 50.0  # the query frame itself does not count
    # 5 frames of 4 points; point 0 loses frames 3, 4 and 5, point 1 loses frame 0.
    assert metrics.survival(predicted, truth, (128, 128), 2) == pytest.approx(16 / 20)
    assert metrics.survival(predicted, truth, (128, 128), 2, limit=17) == pytest.approx(19 / 20)
    assert np.isnan(metrics.survival(truth[:1], truth[:1], (128, 128), 0))
