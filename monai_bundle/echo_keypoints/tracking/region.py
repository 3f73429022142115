"""Where on the screen the ultrasound image is: the box that is letter-boxed into model space.

A file's own region is often much larger than the fan (black margins, depth scale, ECG). The fan is told from
all of that by its speckle, which changes between most pairs of frames: text never changes, and the sweeping
cursor of an ECG changes a pixel once in a sweep. A near field that is saturated or stands still does not change
either; it is told from text and panels by touching the fan, and by being grainy or white.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from echo_keypoints.clip import Box, ClipHeader
from echo_keypoints.tracking.components import in_cells, label_components
from echo_keypoints.tracking.windows import evenly_spread

REGION_FRAMES = 64
"""The region is found on at most so many frames, the first of the clip."""

_PAIRS = 24
_GREY_STEP = 4  # smaller steps are what lossy compression leaves around still edges
_BUSY = 0.15  # a pixel is alive if it changes in this share of the pairs
_DENSE = 0.25  # a cell belongs to the fan if this share of its pixels is alive
_CELLS = 100  # cells along the longer side
_PART = 0.04  # a patch of this share of the largest is part of the fan: a dark cavity may divide it
_SMALLEST = 0.08  # a moving area below this share of the frame is not trusted to be the fan
_LIT = 8  # grey steps above the screen's background, and by which still tissue varies nearby
_FULL = 0.75  # a still cell belongs to the fan if this share of its pixels is lit
_WHITE = 250  # saturated: no grain is left


def scan_region(header: ClipHeader, frames: Sequence[NDArray[np.uint8]]) -> Box:
    """Find the box of the ultrasound image.

    Args:
        header: its `scan_region`, where the file gives one, bounds the search.
        frames: the first frames of the clip, at most `REGION_FRAMES`, each ``(H, W)`` uint8.

    Returns:
        The tight box around what moves and the still parts of the fan; the file's region (or the whole frame) where
        too little moves.
    """
    outer = _inside_frame(header.scan_region, header.height, header.width)
    x0, y0, x1, y1 = outer
    inner = [frame[y0:y1, x0:x1] for frame in frames]
    alive = _alive(inner)
    fan = _large_patches(alive)
    if fan.mean() < _SMALLEST:
        return outer
    fan |= _still_parts(inner, alive, fan)
    rows, columns = np.flatnonzero(fan.any(1)), np.flatnonzero(fan.any(0))
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
    starts = evenly_spread(len(frames) - 1, _PAIRS)
    changes = np.zeros(frames[0].shape, np.uint8)
    for i in starts:
        a, b = frames[i], frames[i + 1]
        changes += np.maximum(a, b) - np.minimum(a, b) >= _GREY_STEP
    return changes >= max(1.0, _BUSY * len(starts))


def _large_patches(alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the live pixels of large connected patches: specks, thin lines and text fall away."""
    cell = _cell(alive)
    dense = Image.fromarray((in_cells(alive, cell).mean((1, 3)) >= _DENSE).astype(np.uint8))
    # Closing bridges gaps in the speckle, opening then removes whatever is thinner than three cells.
    opened = dense.filter(_GROW).filter(_SHRINK).filter(_SHRINK).filter(_GROW)
    return alive & _pixels(_large_components(np.asarray(opened, bool)), cell, alive)


def _still_parts(
    frames: Sequence[NDArray[np.uint8]], alive: NDArray[np.bool_], fan: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Find the lit pixels ``(H, W)`` beside the live fan that belong to it although they hardly change.

    Args:
        frames: ``(H, W)`` each.
        alive: what changes (`_alive`).
        fan: the part of it that is the fan (`_large_patches`).
    """
    still = np.minimum.reduce([frames[i] for i in evenly_spread(len(frames), _PAIRS)])
    never = still[~alive]
    background = int(np.bincount(never).argmax()) if never.size else 0
    lit = still > background + _LIT
    cell = _cell(fan)
    live = in_cells(fan, cell).mean((1, 3)) >= _DENSE
    greys = in_cells(still, cell)
    darkest, brightest = greys.min((1, 3)), greys.max((1, 3))
    near = [Image.fromarray(cells).filter(way) for cells, way in ((brightest, _GROW), (darkest, _SHRINK))]
    grainy = np.subtract(*(np.asarray(cells, np.int16) for cells in near)) >= _LIT
    tissue = (in_cells(lit | alive, cell).mean((1, 3)) >= _FULL) & (grainy | (darkest >= _WHITE))
    thick = Image.fromarray((tissue | live).astype(np.uint8)).filter(_SHRINK).filter(_GROW)
    patches = label_components(np.asarray(thick, bool) | live)
    return lit & _pixels(np.isin(patches, patches[live]), cell, lit)


def _large_components(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The 4-connected components of a small mask that are not much smaller than the largest."""
    labels = label_components(mask)
    counts = np.bincount(labels[mask], minlength=1)
    return mask & (counts >= _PART * counts.max())[labels]


_GROW, _SHRINK = ImageFilter.MaxFilter(3), ImageFilter.MinFilter(3)


def _cell(picture: NDArray[np.generic]) -> int:
    """Side in pixels of the cells that patches are made of."""
    return max(1, round(max(picture.shape) / _CELLS))


def _pixels(cells: NDArray[np.bool_], cell: int, picture: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells → pixels of a picture of that shape."""
    return np.kron(cells, np.ones((cell, cell), bool))[: picture.shape[0], : picture.shape[1]]
