import numpy as np
import pytest

from echo_keypoints.evaluation.statistics import bootstrap, bootstrap_mean


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


def test_any_statistic_against_scipy() -> None:
    from scipy.stats import bootstrap as reference

    rng = np.random.default_rng(1)
    x = rng.normal(size=60)
    y = x + rng.normal(size=60)

    def correlation(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.corrcoef(a, b)[0, 1])

    found = bootstrap(correlation, x, y, resamples=2000)
    expected = reference(
        (x, y), correlation, paired=True, vectorized=False, method="percentile", n_resamples=2000, rng=2
    ).confidence_interval
    assert found.mean == pytest.approx(correlation(x, y)) and found.clips == 60
    assert found.low == pytest.approx(expected.low, abs=0.03)
    assert found.high == pytest.approx(expected.high, abs=0.03)


def test_resamples_that_define_nothing_do_not_count() -> None:
    def only_mixed(labels: np.ndarray) -> float:
        return float(labels.mean()) if 0 < labels.mean() < 1 else float("nan")

    found = bootstrap(only_mixed, [0, 1])
    assert found.mean == 0.5 and found.low == found.high == 0.5
    assert np.isnan(bootstrap(only_mixed, [1]).low)
