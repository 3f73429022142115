"""Reading pictures between their pixels, without torch."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Real = TypeVar("_Real", np.float32, np.float64)


def read_bilinear(
    pictures: NDArray[np.number], rows: NDArray[np.intp], x: NDArray[_Real], y: NDArray[_Real]
) -> NDArray[_Real]:
    """Read pictures bilinearly; beyond the border it is repeated.

    Args:
        pictures: ``(N, H, W, ...)``, H and W at least 2; copied if not contiguous.
        rows: which picture, of a shape that fits those of `x` and `y`.
        x, y: pixels, centres at integers, of shapes that fit each other.

    Returns:
        Their common shape, followed by ``...``; single precision if `x` and `y` are.
    """
    height, width = pictures.shape[1:3]
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    left, top = np.minimum(x.astype(np.intp), width - 2), np.minimum(y.astype(np.intp), height - 2)
    rest = (1,) * (pictures.ndim - 3)
    fx = np.subtract(x, left, dtype=x.dtype).reshape(*x.shape, *rest)
    fy = np.subtract(y, top, dtype=y.dtype).reshape(*y.shape, *rest)
    pixels = pictures.reshape(-1, *pictures.shape[3:])
    upper = (rows * height + top) * width + left

    def between(index: NDArray[np.intp]) -> NDArray[_Real]:
        first = pixels[index]
        return np.asarray(first + fx * np.subtract(pixels[index + 1], first, dtype=fx.dtype), fx.dtype)

    above = between(upper)
    return above + fy * (between(upper + width) - above)


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
