"""Windows of fixed length over a clip of any length, and their blend back into one track."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def window_starts(length: int, window: int, step: int | None = None) -> list[int]:
    """First frames of windows that cover a clip.

    Args:
        length: frames of the clip.
        window: frames of a window.
        step: from one window to the next; half a window by default. The last window ends with the clip.

    Returns:
        ``[0]`` for clips no longer than a window.
    """
    last = max(0, length - window)
    starts = list(range(0, last, step or max(1, window // 2)))
    return [*starts, last]


def evenly_spread(count: int, most: int) -> NDArray[np.intp]:
    """At most so many of `count` frames, from the first to the last, in order."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.intp))


def window_indices(start: int, window: int, length: int) -> NDArray[np.intp]:
    """Frames of a window; beyond a short clip its last frame is repeated."""
    return np.minimum(np.arange(start, start + window), length - 1)


def neighbour_pairs(windows: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List the frames of windows with the frame before each, which for the first of a window is itself.

    Windows that overlap have most pairs in common: these are listed once.

    Args:
        windows: ``(W, T)`` frames.

    Returns:
        ``(2, R)`` frames and the frames before them; ``(W, T)`` which of the R pairs a window is made of.
    """
    before = np.concatenate((windows[:, :1], windows[:, :-1]), axis=1)
    pairs, rows = np.unique(np.stack((windows.ravel(), before.ravel())), axis=1, return_inverse=True)
    return pairs.astype(np.int64), rows.reshape(windows.shape).astype(np.int64)


def window_groups(windows: NDArray[np.intp], count: int) -> list[tuple[slice, NDArray[np.intp]]]:
    """Split windows that follow each other into groups of about the same size.

    Args:
        windows: ``(W, T)`` frames.
        count: of groups; at most W are made.

    Returns:
        For each group the run of frames that it needs, and its windows ``(w, T)``, counted from the run's first frame.
    """
    groups = np.array_split(windows, max(1, min(count, len(windows))))
    runs = [slice(int(group.min()), int(group.max()) + 1) for group in groups]
    return [(run, group - run.start) for run, group in zip(runs, groups, strict=True)]


def blend(parts: Iterable[tuple[int, NDArray[np.float64]]], length: int) -> NDArray[np.float64]:
    """Merge overlapping pieces of a track into one.

    Each piece counts most in its middle, where the network saw context on both sides (triangular weight), so
    that the blend of neighbours is continuous.

    Args:
        parts: (first frame, values ``(n, ...)``); what reaches beyond the clip is ignored.
        length: frames of the clip; each must be covered.

    Returns:
        ``(length, ...)``.
    """
    total: NDArray[np.float64] | None = None
    weights = np.zeros(length)
    for start, values in parts:
        count = min(len(values), length - start)
        ramp = np.arange(1.0, count + 1)
        weight = np.minimum(ramp, ramp[::-1])
        if total is None:
            total = np.zeros((length, *values.shape[1:]))
        total[start : start + count] += weight.reshape(-1, *[1] * (values.ndim - 1)) * values[:count]
        weights[start : start + count] += weight
    if total is None or not weights.all():
        raise ValueError("the pieces do not cover the clip")
    return total / weights.reshape(-1, *[1] * (total.ndim - 1))
