"""Where on the screen the ultrasound image is: the box that is letter-boxed into model space.

A file's own region is often much larger than the fan (black margins, depth scale, ECG). The fan is told from
all of that by its speckle, which changes between most pairs of frames: text never changes, and the sweeping
cursor of an ECG changes a pixel once in a sweep.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from echo_keypoints.clip import Box, ClipHeader
from echo_keypoints.tracking.components import label_components

REGION_FRAMES = 64
"""The region is found on at most so many frames, the first of the clip."""

_PAIRS = 24
_GREY_STEP = 4  # smaller steps are what lossy compression leaves around still edges
_BUSY = 0.15  # a pixel is alive if it changes in this share of the pairs
_DENSE = 0.25  # a cell belongs to the fan if this share of its pixels is alive
_CELLS = 100  # cells along the longer side
_PART = 0.04  # a patch of this share of the largest is part of the fan: a dark cavity may divide it
_SMALLEST = 0.08  # a moving area below this share of the frame is not trusted to be the fan


def scan_region(header: ClipHeader, frames: Sequence[NDArray[np.uint8]]) -> Box:
    """Find the box of the ultrasound image.

    Args:
        header: its `scan_region`, where the file gives one, bounds the search.
        frames: the first frames of the clip, at most `REGION_FRAMES`, each ``(H, W)`` uint8.

    Returns:
        The tight box around what moves; the file's region (or the whole frame) where too little moves.
    """
    outer = _inside_frame(header.scan_region, header.height, header.width)
    x0, y0, x1, y1 = outer
    fan = _large_patches(_alive([frame[y0:y1, x0:x1] for frame in frames]))
    rows, columns = np.flatnonzero(fan.any(1)), np.flatnonzero(fan.any(0))
    if fan.mean() < _SMALLEST:
        return outer
    return x0 + int(columns[0]), y0 + int(rows[0]), x0 + int(columns[-1]) + 1, y0 + int(rows[-1]) + 1


def _inside_frame(region: Box | None, height: int, width: int) -> Box:
    """Cut a region to the frame; one that does not fit at all (a file resized after export) is dropped."""
    whole = (0, 0, width, height)
    if region is None:
        return whole
    x0, y0, x1, y1 = max(region[0], 0), max(region[1], 0), min(region[2], width), min(region[3], height)
    return (x0, y0, x1, y1) if x1 - x0 >= width / 8 and y1 - y0 >= height / 8 else whole


def _alive(frames: Sequence[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    """Tell which pixels ``(H, W)`` change between many pairs of neighbouring frames."""
    starts = (
        np.unique(np.linspace(0, len(frames) - 2, _PAIRS).astype(int))
        if len(frames) > 1
        else np.empty(0, int)
    )
    changes = np.zeros(frames[0].shape, np.uint8)
    for i in starts:
        a, b = frames[i], frames[i + 1]
        changes += np.maximum(a, b) - np.minimum(a, b) >= _GREY_STEP
    return changes >= max(1.0, _BUSY * len(starts))


def _large_patches(alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the live pixels of large connected patches: specks, thin lines and text fall away."""
    height, width = alive.shape
    cell = max(1, round(max(height, width) / _CELLS))
    padded = np.pad(alive, ((0, -height % cell), (0, -width % cell)))
    tiles = padded.reshape(padded.shape[0] // cell, cell, -1, cell)
    dense = Image.fromarray((tiles.mean((1, 3)) >= _DENSE).astype(np.uint8))
    grow, shrink = ImageFilter.MaxFilter(3), ImageFilter.MinFilter(3)
    # Closing bridges gaps in the speckle, opening then removes whatever is thinner than three cells.
    opened = dense.filter(grow).filter(shrink).filter(shrink).filter(grow)
    patch = _large_components(np.asarray(opened, bool))
    return alive & np.kron(patch, np.ones((cell, cell), bool))[:height, :width]


def _large_components(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The 4-connected components of a small mask that are not much smaller than the largest."""
    labels = label_components(mask)
    counts = np.bincount(labels[mask], minlength=1)
    return mask & (counts >= _PART * counts.max())[labels]
