"""Reading pictures between their pixels, without torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def read_bilinear(
    pictures: NDArray[np.number], rows: NDArray[np.intp], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Read pictures bilinearly; beyond the border it is repeated.

    Args:
        pictures: ``(N, H, W, ...)``, H and W at least 2.
        rows: which picture, of a shape that fits those of `x` and `y`.
        x, y: pixels, centres at integers, of shapes that fit each other.

    Returns:
        Their common shape, followed by ``...``.
    """
    height, width = pictures.shape[1:3]
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    left, top = np.minimum(x.astype(np.intp), width - 2), np.minimum(y.astype(np.intp), height - 2)
    rest = (1,) * (pictures.ndim - 3)
    fx, fy = (x - left).reshape(*x.shape, *rest), (y - top).reshape(*y.shape, *rest)
    upper = pictures[rows, top, left] * (1 - fx) + pictures[rows, top, left + 1] * fx
    lower = pictures[rows, top + 1, left] * (1 - fx) + pictures[rows, top + 1, left + 1] * fx
    return upper * (1 - fy) + lower * fy


def read_patches(
    pictures: NDArray[np.number], rows: NDArray[np.intp], points: NDArray[np.float64], side: int
) -> NDArray[np.float64]:
    """Read squares of `side` px around points ``(..., 2)`` (x, y) of pictures ``(N, H, W)``: ``(..., side, side)``.

    Args:
        pictures: see `read_bilinear`.
        rows: which picture, of a shape that fits ``(...)``.
        points: pixels, centres at integers.
        side: of the squares; the point is their middle.
    """
    steps = np.arange(side) - (side - 1) / 2
    x = points[..., 0, None, None] + steps  # (..., 1, side)
    y = points[..., 1, None, None] + steps[:, None]  # (..., side, 1)
    return read_bilinear(pictures, rows[..., None, None], x, y)
