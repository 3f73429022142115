"""Axes of a plot: round tick values and the way from data to pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""``(left, top, right, bottom)`` in px."""


def ticks(low: float, high: float, wanted: int) -> list[float]:
    """Choose about `wanted` round values (steps of 1, 2 or 5 times a power of ten) within ``low .. high``."""
    step = nice_step((high - low) / max(1, wanted))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def nice_step(step: float) -> float:
    """Give the smallest 1, 2 or 5 times a power of ten that is not below `step`; 1 for no step at all."""
    if not step > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(step) + 1e-9)
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def padded(low: float, high: float, wanted: int) -> tuple[float, float]:
    """Widen a range of lengths to the next round ticks, never below zero and never empty."""
    step = nice_step(max(high - low, 0.02 * abs(high), 1e-3) / max(1, wanted))
    return max(0.0, math.floor(low / step - 0.1) * step), math.ceil(high / step + 0.1) * step


def spacing(values: list[float]) -> float:
    """Give the distance of neighbouring ticks; 1 where there is only one."""
    return values[1] - values[0] if len(values) > 1 else 1.0


def edges(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the ``T + 1`` moments half-way between frames, and the first and last one."""
    return np.concatenate([times[:1], (times[1:] + times[:-1]) / 2, times[-1:]])


def label(value: float, step: float) -> str:
    """Write a tick value with the decimals that its step needs."""
    return f"{value:.{max(0, math.ceil(-math.log10(step) - 1e-9))}f}"


@dataclass(frozen=True)
class Axes:
    """A rectangle of the picture that shows a range of x and of y, y upwards."""

    box: Box
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        """Give the column of a data value."""
        low, high = self.x_range
        return self.box[0] + (value - low) / (high - low) * (self.box[2] - self.box[0])

    def y(self, value: float) -> float:
        """Give the row of a data value."""
        low, high = self.y_range
        return self.box[3] - (value - low) / (high - low) * (self.box[3] - self.box[1])
