"""Smoothed curves and their slopes, on the frame times as they are: uneven times and gaps need no resampling.

At every frame a parabola is fitted to the curve around it, weighted by a Gaussian in time (local quadratic
regression; Savitzky & Golay 1964 is the case of even times and a flat window). It does not flatten a parabolic
peak, shifts nothing in time, and gives the slope with the value. The raw curves are always kept beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIGMA_S = 0.020
"""Standard deviation of the weights in seconds: a low-pass of 11.8 Hz (-3 dB), which keeps ED and ES."""

_SIGMA_FRAMES = 0.75  # at low frame rates, where 20 ms would hold no neighbour
_REACH = 4.0  # sigmas
_LEAST_WEIGHT = 1.3  # in frames; the frame itself counts 1, so that an only frame has no slope


@dataclass(frozen=True, eq=False)
class Smoothed:
    """A smoothed curve.

    Attributes:
        values: ``(T,)`` float64 in the unit of the curve; NaN where the curve has no value.
        slopes: ``(T,)`` float64 per second; NaN there, too, and where the frame has no neighbours.
    """

    values: NDArray[np.float64]
    slopes: NDArray[np.float64]


def smooth(
    times_s: NDArray[np.floating], values: NDArray[np.floating], sigma_s: float | None = None
) -> Smoothed:
    """Smooth a curve by local quadratic regression.

    Args:
        times_s: ``(T,)`` seconds, strictly increasing, even or not.
        values: ``(T,)``; NaN where there is none.
        sigma_s: width of the weights; `SIGMA_S` by default, or 0.75 frame intervals where that is more.
    """
    times, curve = np.asarray(times_s, np.float64), np.asarray(values, np.float64)
    count = len(times)
    if count < 3:
        return Smoothed(curve.copy(), np.full(count, np.nan))
    if sigma_s is None:
        sigma_s = max(SIGMA_S, _SIGMA_FRAMES * float(np.median(np.diff(times))))
    reach = np.searchsorted(times, times + _REACH * sigma_s, "right") - np.arange(count)
    around = np.arange(count)[:, None] + np.arange(1 - reach.max(), reach.max())  # (T, K) frames
    there = np.clip(around, 0, count - 1)
    u = (times[there] - times[:, None]) / sigma_s
    known = np.isfinite(curve)
    weights = np.exp(-(u**2) / 2) * (known[there] & (around == there) & (np.abs(u) <= _REACH))
    powers = u[..., None] ** np.arange(5)  # (T, K, 5)
    moments = np.einsum("tk,tkm->tm", weights, powers)
    offset = curve[known].mean() if known.any() else 0.0  # less cancellation
    values_there = np.where(known, curve - offset, 0.0)[there]
    products = np.einsum("tk,tkm->tm", weights * values_there, powers[..., :3])
    matrix = moments[:, [[0, 1, 2], [1, 2, 3], [2, 3, 4]]] + 1e-9 * np.eye(3)
    solution = np.linalg.solve(matrix, products[..., None])[..., 0]
    alone = moments[:, 0] < _LEAST_WEIGHT
    return Smoothed(
        np.where(known, np.where(alone, curve, solution[:, 0] + offset), np.nan),
        np.where(known & ~alone, solution[:, 1] / sigma_s, np.nan),
    )
