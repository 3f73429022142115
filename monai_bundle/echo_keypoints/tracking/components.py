"""Connected parts of small masks, without a library of image processing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.clip import Box


def label_components(mask: NDArray[np.bool_], diagonal: bool = False) -> NDArray[np.intp]:
    """Number the connected parts of a mask ``(H, W)``: 0 outside, elsewhere the same number within a part.

    The time grows with the longest way through a part: for masks of a few hundred cells.

    Args:
        mask: ``(H, W)``.
        diagonal: whether cells that touch at a corner belong together.
    """
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        spread = np.pad(labels, 1)
        across = np.maximum(np.maximum(spread[:, :-2], spread[:, 2:]), spread[:, 1:-1])
        down = across if diagonal else spread[:, 1:-1]
        grown = np.where(mask, np.maximum.reduce((across[1:-1], down[:-2], down[2:])), 0)
        if np.array_equal(grown, labels):
            return labels
        labels = grown


def in_cells(picture: NDArray[Any], cell: int) -> NDArray[Any]:
    """``(H, W)`` → ``(rows, cell, columns, cell)``; at the border cells are filled up with zeros."""
    height, width = picture.shape
    padded = np.pad(picture, ((0, -height % cell), (0, -width % cell)))
    return padded.reshape(padded.shape[0] // cell, cell, -1, cell)


def component_boxes(mask: NDArray[np.bool_], cell: int) -> list[Box]:
    """Give the boxes of the parts of a mask ``(H, W)``; pixels in neighbouring cells of so many px belong together."""
    labels = label_components(np.asarray(in_cells(mask, cell).any((1, 3)), bool), diagonal=True)
    labels = labels.repeat(cell, axis=0).repeat(cell, axis=1)
    rows, columns = np.nonzero(mask)
    numbers, part = np.unique(labels[rows, columns], return_inverse=True)
    ends = [np.full(len(numbers), value) for value in (*mask.shape[::-1], -1, -1)]
    np.minimum.at(ends[0], part, columns)
    np.minimum.at(ends[1], part, rows)
    np.maximum.at(ends[2], part, columns)
    np.maximum.at(ends[3], part, rows)
    x0, y0, x1, y1 = ends
    return [(int(a), int(b), int(c) + 1, int(d) + 1) for a, b, c, d in zip(x0, y0, x1, y1, strict=True)]
