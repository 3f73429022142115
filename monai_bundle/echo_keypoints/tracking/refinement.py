"""TR-net's iterations over a clip of any length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.tracking.anchors import pinned
from echo_keypoints.tracking.backends.base import Backend, Descriptors, Maps
from echo_keypoints.tracking.windows import blend, window_groups, window_indices, window_starts

_GROUP = 6
"""Most windows that are refined in one call: neighbours share half of their frames, but more need more memory."""

ITERATIONS = 3
"""M. The paper takes five; with the motion between near frames (`agreement`) three are as good, and faster."""

CORRECTION_ITERATIONS = 2
"""Most of them where a person corrects a track: it starts from one that was refined before."""


@dataclass(frozen=True)
class Reference:
    """The frame that the others are compared with.

    Attributes:
        frame: its index.
        points: ``(4, 2)`` its landmarks, model pixels.
        descriptors: what the back end remembers of them.
    """

    frame: int
    points: NDArray[np.float64]
    descriptors: Descriptors


def refine_in_memory(
    backend: Backend,
    maps: Maps,
    points: NDArray[np.float64],
    reference: Reference,
    pins: NDArray[np.float64],
    iterations: int,
) -> NDArray[np.float64]:
    """Refine a run of frames whose maps are in memory.

    All windows do one iteration, are blended, and only then do the next: no window runs ahead of its
        neighbours.

    Args:
        backend: the networks.
        maps: of the T frames.
        points: ``(T, 4, 2)`` where to start, model pixels.
        reference: need not be one of the frames.
        pins: ``(T, 4, 2)`` known points, which stay; NaN elsewhere.
        iterations: M of the paper.
    """
    length = len(points)
    starts = window_starts(length, backend.window)
    windows = np.stack([window_indices(start, backend.window, length) for start in starts])
    groups = window_groups(windows, -(-len(windows) // _GROUP))
    points = pinned(points, pins)
    for _ in range(iterations):
        refined: list[NDArray[np.float64]] = []
        for run, group in groups:
            part = tuple(level[run] for level in maps)  # views: nothing is copied
            refined.extend(backend.refine(part, points[run], reference.points, reference.descriptors, group))
        points = pinned(blend(zip(starts, refined, strict=True), length), pins)
    return points


def refine(
    backend: Backend,
    maps_of: Callable[[int, int], Maps],
    points: NDArray[np.float64],
    reference: Reference,
    pins: NDArray[np.float64],
    iterations: int,
    frames: slice,
    chunk: int,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.float64]:
    """Refine the frames of a slice, chunk by chunk, so that only the maps of one chunk are in memory.

    Chunks overlap by a window and are blended as windows are.

    Args:
        backend, points, reference, pins, iterations: as in `refine_in_memory`, for the whole clip.
        maps_of: gives the maps of frames ``start .. stop - 1``.
        frames: start and stop of the run to refine.
        chunk: frames of a chunk, at least two windows.
        progress: is told how many more frames are done.

    Returns:
        ``(stop - start, 4, 2)``.
    """
    first, length = frames.start, frames.stop - frames.start
    size = min(max(chunk, 2 * backend.window), length)
    parts = []
    done = 0
    for start in window_starts(length, size, step=max(1, size - backend.window)):
        run = slice(first + start, first + start + size)
        # The maps are not given a name here: those of two chunks would be in memory at once.
        refined = refine_in_memory(
            backend, maps_of(run.start, run.stop), points[run], reference, pins[run], iterations
        )
        parts.append((start, refined))
        if progress:
            progress(start + size - done)
        done = start + size
    return blend(parts, length)
