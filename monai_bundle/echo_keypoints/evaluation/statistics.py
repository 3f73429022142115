"""From one value per clip to the value of a data set, with a bootstrap interval over clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """Mean over clips with its 95 % interval.

    Attributes:
        mean: plain mean over clips; NaN if one of them is.
        low, high: percentile bootstrap interval over clips; NaN for fewer than two.
        clips: how many.
    """

    mean: float
    low: float
    high: float
    clips: int


def bootstrap_mean(values: ArrayLike, *, level: float = 0.95, seed: int = 0) -> Estimate:
    """Estimate the mean over clips.

    Clips are resampled with replacement (Efron's percentile bootstrap), frames never: those of one clip are
    not independent.

    Args:
        values: ``(clips,)``, of the clips that define the metric.
        level: coverage of the interval.
        seed: of the resampling; the same values give the same interval.
    """
    sample = np.asarray(values, np.float64)
    if sample.size < 2:
        mean = float(sample[0]) if sample.size else float("nan")
        return Estimate(mean, float("nan"), float("nan"), sample.size)
    picks = np.random.default_rng(seed).integers(sample.size, size=(RESAMPLES, sample.size))
    tail = 50 * (1 - level)
    low, high = np.percentile(sample[picks].mean(axis=1), (tail, 100 - tail))
    return Estimate(float(sample.mean()), float(low), float(high), sample.size)


def bootstrap(
    statistic: Callable[..., float],
    *columns: ArrayLike,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 500,
) -> Estimate:
    """Estimate any statistic of clips or patients, such as an area under a curve.

    Args:
        statistic: of the columns, each ``(N, …)``; may be NaN for a resample that does not define it (one class
            only), which then does not count.
        columns: of the same length N; their rows are resampled together.
        level: coverage of the interval.
        seed: of the resampling.
        resamples: how many.

    Returns:
        `Estimate` whose ``mean`` is the statistic of all rows.
    """
    arrays: list[NDArray[np.float64]] = [np.asarray(column) for column in columns]
    count = len(arrays[0])
    value = float(statistic(*arrays))
    rng = np.random.default_rng(seed)
    picks = rng.integers(count, size=(resamples if count > 1 else 0, count))
    found = np.array([statistic(*(array[pick] for array in arrays)) for pick in picks], np.float64)
    found = found[np.isfinite(found)]
    tail = 50 * (1 - level)
    low, high = np.percentile(found, (tail, 100 - tail)) if found.size else (float("nan"),) * 2
    return Estimate(value, float(low), float(high), count)
