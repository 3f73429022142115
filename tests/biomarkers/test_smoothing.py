import numpy as np
import pytest

from echo_keypoints.biomarkers.smoothing import smooth
from echo_keypoints.biomarkers.turning import turning_points, vertex


@pytest.mark.parametrize(
    "times", [np.arange(60) / 50, np.cumsum(np.tile([0.02, 0.04], 30))], ids=["even", "uneven"]
)
def test_a_parabola_is_its_own_smooth_curve(times):
    curve = 30 - 40 * (times - 0.5) ** 2 + 3 * times
    found = smooth(times, curve)
    np.testing.assert_allclose(found.values, curve, atol=1e-6)
    np.testing.assert_allclose(found.slopes, -80 * (times - 0.5) + 3, atol=1e-4)


def test_it_passes_slow_and_stops_fast_waves():
    times = np.arange(400) / 200
    gain = lambda hz: np.ptp(smooth(times, np.sin(2 * np.pi * hz * times)).values[50:350]) / 2  # noqa: E731
    assert gain(2) > 0.98 and gain(11.8) == pytest.approx(2**-0.5, abs=0.02) and gain(30) < 0.02


def test_gaps_stay_gaps_and_do_not_spread():
    times = np.arange(40) / 40
    curve = np.cos(2 * np.pi * times)
    curve[[10, 11, 12, 30]] = np.nan
    found = smooth(times, curve)
    np.testing.assert_array_equal(np.isnan(found.values), np.isnan(curve))
    np.testing.assert_allclose(found.values[13:29], np.cos(2 * np.pi * times)[13:29], atol=0.02)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_short_curves(count):
    found = smooth(np.arange(count) / 30, np.arange(count, dtype=float))
    np.testing.assert_allclose(found.values, np.arange(count), atol=1e-5)


def test_turning_points_alternate_and_ignore_ripples():
    values = np.array([5, 9, 8.8, 9.1, 3, 3.2, 2, 8, 7.9, 8.4, 4.0])
    turns = turning_points(values, 2.0)
    assert [(t.index, t.peak, t.confirmed) for t in turns] == [
        (0, False, True), (3, True, True), (6, False, True), (9, True, True), (10, False, False),
    ]  # fmt: skip
    assert turning_points(np.ones(5), 0.1) == []


def test_the_vertex_lies_between_frames():
    times = np.array([0.0, 0.03, 0.05, 0.09])
    assert vertex(times, -((times - 0.04) ** 2), 2) == pytest.approx(0.04)
    assert vertex(times, times, 2) == 0.05 and vertex(times, times, 0) == 0.0
