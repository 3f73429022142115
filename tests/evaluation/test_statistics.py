import numpy as np
import pytest

from echo_keypoints.evaluation.statistics import bootstrap_mean


def test_interval_matches_the_normal_one_for_many_clips() -> None:
    values = np.random.default_rng(1).normal(10, 2, 400)
    estimate = bootstrap_mean(values)
    half = 1.96 * values.std(ddof=1) / np.sqrt(400)
    assert estimate.mean == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.03)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.03)
    assert estimate.clips == 400


def test_same_values_same_interval() -> None:
    assert bootstrap_mean([1.0, 4.0, 2.0], seed=3) == bootstrap_mean([1.0, 4.0, 2.0], seed=3)


def test_too_few_clips_have_no_interval() -> None:
    one = bootstrap_mean([2.0])
    assert one.mean == 2 and np.isnan(one.low) and one.clips == 1
    assert np.isnan(bootstrap_mean([]).mean)


def test_one_failed_clip_spoils_the_mean() -> None:
    assert np.isnan(bootstrap_mean([1.0, float("nan")]).mean)
