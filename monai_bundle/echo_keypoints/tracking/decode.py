"""From heat-maps to landmarks: the reference in NumPy of what `backends.detector` does inside the network
graph.

The paper takes the arg-max. Around it the logarithm of the map is fitted by a paraboloid, because for a
Gaussian of any width that is exact and because a centroid in a small window is drawn to the window's centre
(after DARK, Zhang et al., CVPR 2020, with a least-squares fit in place of finite differences).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

WINDOW = 7
"""Side of the window of the fit, in pixels."""

FLOOR = 0.05
"""Values below this share of the peak count as this share: the logarithm of noise says nothing."""

LARGEST_STEP = 1.0
"""The fit moves a peak by at most so many pixels."""

SMALLEST_PEAK = 1e-4

SPREAD_NORM = 0.2171458
"""``E[r^2] / (2 sigma^2)`` of a Gaussian weighted by what exceeds half of its peak:
``(1 - (1 + L)/2 - L^2/4) / (1 - 1/2 - L/2)`` with ``L = ln 2``."""


@cache
def fit_kernels() -> NDArray[np.float32]:
    """Least-squares kernels ``(49, 5)`` of ``a + bx + cy + dx^2 + ey^2 + fxy``: they give b, c, d, e, f."""
    half = WINDOW // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].reshape(2, -1).astype(np.float64)
    design = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
    return np.linalg.pinv(design)[1:].T.astype(np.float32)


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
        point = np.array([column, row]) + _step(heat, int(row), int(column), peak)
        weight = np.maximum(heat - peak / 2, 0)
        distance2 = (columns - point[0]) ** 2 + (rows - point[1]) ** 2
        points[n, c], peaks[n, c] = point, heat.max()
        spreads[n, c] = np.sqrt((weight * distance2).sum() / max(weight.sum(), 1e-12) / (2 * SPREAD_NORM))
    return points, peaks, spreads


def _step(heat: NDArray[np.float64], row: int, column: int, peak: float) -> NDArray[np.float64]:
    """From the largest pixel to the top of the paraboloid, ``(dx, dy)``; zero where there is no top."""
    half = WINDOW // 2
    # Near a border the window stays inside the map, so the fit is read off-centre.
    top = min(max(row, half), heat.shape[0] - 1 - half)
    left = min(max(column, half), heat.shape[1] - 1 - half)
    window = heat[top - half : top + half + 1, left - half : left + half + 1]
    b, c, d, e, f = np.log(np.maximum(window.ravel() / peak, FLOOR)) @ fit_kernels().astype(np.float64)
    determinant = 4 * d * e - f * f
    if not (d < 0 and determinant > 1e-8):
        return np.zeros(2)
    top_of_fit = np.array([f * c - 2 * e * b, f * b - 2 * d * c]) / determinant
    step = top_of_fit + np.array([left - column, top - row])
    return np.clip(step, -LARGEST_STEP, LARGEST_STEP)
