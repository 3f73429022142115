"""From one value per clip to the value of a data set: plain mean over clips, with a bootstrap interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

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
