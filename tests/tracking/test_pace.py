"""Evenness of a track: third differences at any pace."""

import numpy as np
import pytest

from echo_keypoints.tracking.pace import LONGEST_DIFFERENCE, Pace

ALL = slice(0, 20)


def pace(times, repeats=()):
    mask = np.zeros(len(times), bool)
    mask[list(repeats)] = True
    return Pace(np.asarray(times, float), mask)


def test_third_differences_weigh_with_the_sixth_power_of_the_rate():
    times = np.arange(20) / 50
    assert pace(times).steadiness == pytest.approx(1)
    assert pace(2 * times).steadiness == pytest.approx(1 / 64)
    assert pace(times / 4).steadiness == 3  # and no more than that
    assert pace([0, 0.02, 0.04, 1.04, 1.06]).steadiness == pytest.approx(1)  # a gap changes nothing
    assert pace(times / 2, range(1, 20, 2)).steadiness == pytest.approx(1)  # nor does every frame twice


def test_of_even_frames_they_are_the_usual_ones():
    np.testing.assert_allclose(
        pace(np.arange(20) / 30).third_differences(ALL), np.diff(np.eye(20), n=3, axis=0), atol=1e-9
    )


def test_of_uneven_frames_they_still_leave_parabolas_alone():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.011, 0.022, 20))
    third = pace(times).third_differences(ALL)
    curve = 3 - 40 * times + 300 * times**2
    np.testing.assert_allclose(third @ curve, 0, atol=1e-9)
    assert np.abs(np.diff(curve, n=3)).max() > 0.05  # which differences of even frames would not
    cubic = pace(times).step_s ** 3 * 6.0
    np.testing.assert_allclose(third @ times**3, cubic, rtol=1e-6)


def test_repeated_frames_have_no_difference():
    times = np.arange(20) / 60
    third = pace(times, range(1, 20, 2)).third_differences(ALL)
    np.testing.assert_allclose(third[:, ::2], np.diff(np.eye(10), n=3, axis=0), atol=1e-9)
    assert not third[:, 1::2].any()


def test_none_spans_a_picture_that_stands_still():
    times = np.arange(60) / 50
    third = pace(times, range(10, 40)).third_differences(slice(0, 60))
    spans = [np.ptp(np.flatnonzero(row)) for row in third]
    assert len(spans) and max(spans) < LONGEST_DIFFERENCE


@pytest.mark.parametrize("length", [2, 3])
def test_too_few_frames_have_none(length):
    assert pace(np.arange(length) / 50).third_differences(slice(0, length)).shape == (0, length)
    assert pace(np.arange(length) / 50, range(1, length)).step_s == pytest.approx(0.02)
