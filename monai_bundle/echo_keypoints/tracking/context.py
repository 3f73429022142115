"""What a whole beat looks like, in two pictures: the detector's temporal context.

A single frame often does not show where the valve hinges or which dark space is the ventricle; the mean of a beat
shows the static anatomy free of noise, and the deviation shows what moves, leaflets first of all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

CONTEXT_CHANNELS = 2
"""Mean and standard deviation over time."""

CONTEXT_FRAMES = 24
"""Frames that a context is made of, evenly spread."""

SEGMENT_S = 4.0
"""Longer clips get one context for each stretch of about this duration: the probe may move meanwhile."""


def temporal_context(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean and standard deviation of frames.

    Args:
        frames: ``(N, H, W)`` uint8 of about a beat or more, in any order.

    Returns:
        ``(2, H, W)`` float32, in units of full scale (255).
    """
    total = np.zeros(frames.shape[1:], np.float32)
    squares = np.zeros(frames.shape[1:], np.float32)
    for frame in frames:  # frame by frame stays in the cache
        grey = frame.astype(np.float32) / 255
        total += grey
        squares += grey * grey
    mean = total / len(frames)
    return np.stack([mean, np.sqrt(np.maximum(squares / len(frames) - mean * mean, 0))])


class ClipContext:
    """The contexts of a clip's frames, each made when it is first asked for.

    Args:
        read: gives frames ``start .. stop - 1`` as ``(stop - start, H, W)`` uint8.
        frame_times_s: ``(T,)`` increasing.
    """

    def __init__(
        self, read: Callable[[int, int], NDArray[np.uint8]], frame_times_s: NDArray[np.floating]
    ) -> None:
        self._read = read
        self._edges = segment_edges(frame_times_s)
        self._known: dict[int, NDArray[np.float32]] = {}

    def of(self, start: int, stop: int) -> list[NDArray[np.float32]]:
        """Contexts ``(2, H, W)`` of frames ``start .. stop - 1``; frames of one segment share one array."""
        segments = np.searchsorted(self._edges, np.arange(start, stop), side="right") - 1
        self._known = {
            s: self._known[s] if s in self._known else self._make(s) for s in map(int, np.unique(segments))
        }
        return [self._known[int(segment)] for segment in segments]

    def _make(self, segment: int) -> NDArray[np.float32]:
        first, end = int(self._edges[segment]), int(self._edges[segment + 1])
        count = min(CONTEXT_FRAMES, end - first)
        chosen = first + ((np.arange(count) + 0.5) * (end - first) / count).astype(int)
        return temporal_context(np.concatenate([self._read(int(i), int(i) + 1) for i in chosen]))


def segment_edges(frame_times_s: NDArray[np.floating]) -> NDArray[np.intp]:
    """Split a clip into segments of about `SEGMENT_S`.

    Args:
        frame_times_s: ``(T,)`` increasing.

    Returns:
        ``(S + 1,)`` first frames of the segments, then T. A segment has at least two frames, unless the clip has one.
    """
    count = len(frame_times_s)
    duration_s = float(frame_times_s[-1] - frame_times_s[0])
    segments = max(1, min(round(duration_s / SEGMENT_S), count // 2))
    return np.linspace(0, count, segments + 1).round().astype(np.intp)
