"""Where a curve turns: peaks and troughs that stand out by a given height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Turn:
    """One extremum.

    Attributes:
        index: where.
        peak: True for a maximum, False for a minimum.
        confirmed: the curve goes back by the height after it; only the last turn may lack that.
    """

    index: int
    peak: bool
    confirmed: bool


def turning_points(values: NDArray[np.floating], height: float) -> list[Turn]:
    """Find the alternating extrema of a curve (zig-zag): between two of them it changes by at least `height`.

    The first one may be the first sample, and the last one, which is not confirmed, the last sample.

    Args:
        values: ``(N,)`` without NaN.
        height: least change, more than 0.
    """
    turns: list[Turn] = []
    high = low = 0
    rising: bool | None = None
    for index, value in enumerate(values):
        if value > values[high]:
            high = index
        if value < values[low]:
            low = index
        if rising is not False and values[high] - value >= height:
            turns.append(Turn(high, True, True))
            rising, low = False, index
        elif rising is not True and value - values[low] >= height:
            turns.append(Turn(low, False, True))
            rising, high = True, index
        if rising is True:
            low = index
        elif rising is False:
            high = index
    if rising is not None:
        turns.append(Turn(high if rising else low, rising, False))
    return turns


def vertex(times: NDArray[np.floating], values: NDArray[np.floating], index: int) -> float:
    """Time of the extremum of the parabola through a sample and its neighbours, at most half-way to either.

    Returns:
        The sample's own time at the ends of the curve and where the three do not form an extremum.
    """
    if not 0 < index < len(values) - 1:
        return float(times[index])
    before, after = (float(times[index + k] - times[index]) for k in (-1, 1))
    fall, rise = (float(values[index + k] - values[index]) for k in (-1, 1))
    bend = (rise / after - fall / before) / (after - before)
    slope = fall / before - bend * before
    if not (np.isfinite(bend) and bend != 0 and bend * fall >= 0 and bend * rise >= 0):
        return float(times[index])
    return float(times[index]) + float(np.clip(-slope / (2 * bend), before / 2, after / 2))
