import numpy as np
import pytest
from oracle import true_points

from echo_keypoints.errors import QueryError
from echo_keypoints.tracking.initial import outliers, robust_detections, start_from
from echo_keypoints.tracking.reference import choose_reference


@pytest.fixture
def points():
    return true_points(60)


def test_clean_detections_are_left_alone(points):
    np.testing.assert_array_equal(robust_detections(points, np.ones((60, 4))), points)


def test_the_turning_points_of_a_fast_heart_are_no_outliers():
    zigzag = true_points(60)[:1] + np.abs(np.arange(60) % 12 - 6)[:, None, None] * np.array([0.0, 4.0])
    assert not outliers(zigzag, np.ones((60, 4))).any()  # 4 px a frame, 24 px in all


def test_a_jump_and_an_unseen_landmark_are_interpolated(points):
    stray, peak = points.copy(), np.ones((60, 4))
    stray[20, 2] += [40, 0]
    peak[40, 1] = 0.05
    stray[40, 1] += [0, 5]
    assert np.argwhere(outliers(stray, peak)).tolist() == [[20, 2], [40, 1]]
    cleaned = robust_detections(stray, peak)
    np.testing.assert_allclose(cleaned[20, 2], (points[19, 2] + points[21, 2]) / 2)
    np.testing.assert_allclose(cleaned[40, 1], (points[39, 1] + points[41, 1]) / 2)


def test_a_landmark_that_is_nowhere_stable_is_left_as_it_is(points):
    jumpy = points.copy()
    jumpy[:, 3] += 40.0 * (np.arange(60) % 2)[:, None]
    robust_detections(jumpy, np.ones((60, 4)))  # must not fail


def test_a_query_near_the_detections_moves_with_them_and_another_stays(points):
    query = points[10] + [[2.0, 1], [0, 0], [-3, 2], [30, 0]]
    start = start_from(points, 10, query)
    np.testing.assert_allclose(start[10], query)
    np.testing.assert_allclose(
        start[:, :3] - points[:, :3], np.broadcast_to(query[:3] - points[10, :3], (60, 3, 2))
    )
    np.testing.assert_array_equal(start[:, 3], np.broadcast_to(query[3], (60, 2)))


def test_reference_frames(points):
    peak = np.full((60, 4), 0.5)
    peak[33] = [0.9, 0.9, 0.9, 0.2]  # largest sum
    peak[12] = [1.0, 0.5, 0.5, 0.6]
    stray = points.copy()
    stray[33, 0] += 30
    assert choose_reference("confidence", stray, peak) == 33
    assert choose_reference("consistent", stray, peak) == 12
    assert choose_reference("first", stray, peak) == 0
    assert choose_reference(17, stray, peak) == 17
    draws = {choose_reference("random", stray, peak, seed) for seed in range(20)}
    assert len(draws) > 5 and choose_reference("random", stray, peak, 3) == choose_reference(
        "random", stray, peak, 3
    )
    for wrong in ("last", 60, -1):
        with pytest.raises(QueryError):
            choose_reference(wrong, stray, peak)
