"""From heat-maps to landmarks: the reference in NumPy of what `backends.detector` does inside the network
graph.

The paper takes the arg-max. Along the wall, where the place of a landmark is a matter of judgement, a heat-map is a
ridge, and which of its pixels is the highest is chance. The mean of the map's soft-max near the arg-max is steadier
(integral regression, Sun et al., ECCV 2018), and on a Gaussian it is exact below the pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REACH = 24
"""Radius around the arg-max, in pixels, in which the mean is taken; what lies further is another hypothesis."""

SHARPNESS = 18.0
"""Factor of the heat-map in the soft-max; what `training.sknet` learns as temperature comes near it."""

SMALLEST_PEAK = 1e-4

SPREAD_NORM = 0.2171458
"""``E[r^2] / (2 sigma^2)`` of a Gaussian weighted by what exceeds half of its peak:
``(1 - (1 + L)/2 - L^2/4) / (1 - 1/2 - L/2)`` with ``L = ln 2``."""


def decode_heatmaps(
    heatmaps: NDArray[np.floating],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Read landmarks off heat-maps.

    Args:
        heatmaps: ``(N, 4, H, W)``.

    Returns:
        points ``(N, 4, 2)`` in (x, y) map pixels; peak ``(N, 4)``, the largest value; spread ``(N, 4)`` in
        px, the sigma of a Gaussian whose part above half of its peak lies as far from it as the map's does,
        so that a second bump, however far, shows.
    """
    maps = np.asarray(heatmaps, np.float64)
    count, landmarks, height, width = maps.shape
    points = np.empty((count, landmarks, 2))
    peaks, spreads = np.empty((count, landmarks)), np.empty((count, landmarks))
    rows, columns = np.mgrid[:height, :width]
    for n, c in np.ndindex(count, landmarks):
        heat = maps[n, c]
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        peak = max(heat.max(), SMALLEST_PEAK)
        point = _mean_near(heat, int(row), int(column))
        weight = np.maximum(heat - peak / 2, 0)
        distance2 = (columns - point[0]) ** 2 + (rows - point[1]) ** 2
        points[n, c], peaks[n, c] = point, heat.max()
        spreads[n, c] = np.sqrt((weight * distance2).sum() / max(weight.sum(), 1e-12) / (2 * SPREAD_NORM))
    return points, peaks, spreads


def _mean_near(heat: NDArray[np.float64], row: int, column: int) -> NDArray[np.float64]:
    """Mean (x, y) of the soft-max within `REACH` of the highest pixel.

    At a border only pixels count whose mirror image about the highest one is in the map, too: else the mean would be
    drawn inwards.
    """
    dy, dx = np.mgrid[: heat.shape[0], : heat.shape[1]] - np.array([row, column])[:, None, None]
    counts = dx**2 + dy**2 <= REACH**2
    counts &= np.abs(dx) <= min(column, heat.shape[1] - 1 - column)
    counts &= np.abs(dy) <= min(row, heat.shape[0] - 1 - row)
    weight = counts * np.exp(SHARPNESS * np.minimum(heat - heat[row, column], 0))
    return np.array([column + (weight * dx).sum() / weight.sum(), row + (weight * dy).sum() / weight.sum()])
