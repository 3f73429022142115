"""How long a beat is, by how the cavity repeats itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PERIOD_RANGE_S = (0.3, 2.0)
"""200 to 30 beats a minute."""

_LEAST_LIKENESS = 0.5
_LEAST_OVERLAP = 0.35  # of the lag
_FUNDAMENTAL = 0.85
_HINTED = 0.6  # of the best: enough for a peak where the file's heart rate says
_HINT_TOLERANCE = 0.25


def period_s(
    times_s: NDArray[np.floating], values: NDArray[np.floating], hint_s: float | None = None
) -> float | None:
    """Find the length of a beat by autocorrelation, 30 to 200 beats a minute.

    The curve is resampled evenly and compared with itself, later: the correlation coefficient of what overlaps.
    Of the lags at which it peaks, the shortest that is nearly as good as the best is taken, since a heart also
    repeats after two beats.

    Args:
        times_s: ``(T,)`` seconds.
        values: ``(T,)`` the cavity's diameter, without NaN.
        hint_s: the period by the file's heart rate; a peak near it is preferred.

    Returns:
        The period, or None where nothing repeats itself (less than about one beat and a third, or noise).
    """
    times, curve = np.asarray(times_s, np.float64), np.asarray(values, np.float64)
    if len(times) < 6:
        return None
    step = float(times[-1] - times[0]) / (len(times) - 1)
    even = np.interp(times[0] + step * np.arange(len(times)), times, curve)
    shortest, longest = (round(limit / step) for limit in PERIOD_RANGE_S)
    beyond = 2 + shortest // 10  # so that a peak at the limit has both its sides
    lags = np.arange(max(2, shortest - beyond), min(len(even), longest + beyond))
    lags = lags[len(even) - lags >= np.maximum(4, _LEAST_OVERLAP * lags)]
    if len(lags) < 3:
        return None
    likeness = np.array([correlation(even[:-lag], even[lag:]) for lag in lags])
    inner = np.flatnonzero((likeness[1:-1] >= likeness[:-2]) & (likeness[1:-1] > likeness[2:])) + 1
    inner = inner[likeness[inner] >= _LEAST_LIKENESS]
    if not len(inner):
        return None
    best = likeness[inner].max()
    good = inner[likeness[inner] >= _FUNDAMENTAL * best]
    if hint_s is not None:
        hinted = np.abs(lags[inner] * step / hint_s - 1) <= _HINT_TOLERANCE
        near = inner[hinted & (likeness[inner] >= _HINTED * best)]
        good = near[[int(np.argmax(likeness[near]))]] if len(near) else good
    return float(lags[good[0]] * step)


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Give the correlation coefficient of two curves ``(N,)``, 0 where one does not change."""
    a, b = a - a.mean(), b - b.mean()
    power = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / power if power > 1e-12 else 0.0
