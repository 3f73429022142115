"""Anchors: frames whose landmarks a person set. They stay, and the track between them is built from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from echo_keypoints.clip import ClipHeader
from echo_keypoints.errors import QueryError


@dataclass(frozen=True, eq=False)
class Anchor:
    """A frame whose landmarks, all or some, were set by a person.

    Attributes:
        frame: index of the frame, from 0.
        points_px: ``(4, 2)`` float64, original pixels; NaN for a landmark that was not set.
    """

    frame: int
    points_px: NDArray[np.float64]


def checked_anchor(header: ClipHeader, frame: int, points: ArrayLike, partial: bool = True) -> Anchor:
    """Make an anchor of what a user gave.

    Args:
        header: of the clip.
        frame: index of the frame.
        points: ``(4, 2)`` original pixels.
        partial: whether some (never all) landmarks may be NaN.

    Raises:
        QueryError: the frame or a point is outside of the clip, or points are missing.
    """
    if not 0 <= frame < header.frame_count:
        raise QueryError(
            f"{header.source} has frames 0 to {header.frame_count - 1}; frame {frame} is not one of them."
        )
    try:
        array = np.array(points, np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != (4, 2):
        raise QueryError(f"Frame {frame} of {header.source} needs four points (x, y).")
    unset = np.isnan(array).any(axis=1)
    array[unset] = np.nan
    if unset.all() or (unset.any() and not partial):
        raise QueryError(f"Frame {frame} of {header.source} needs four points (x, y); some are missing.")
    # Half a pixel beyond the outermost centres is the image's edge.
    inside = (array[~unset] >= -0.5) & (array[~unset] <= (header.width - 0.5, header.height - 0.5))
    if not inside.all():
        raise QueryError(
            f"A point in frame {frame} lies outside the image of {header.source}, "
            f"which is {header.width} x {header.height} pixels."
        )
    return Anchor(int(frame), array)


def merged(anchors: Sequence[Anchor]) -> tuple[Anchor, ...]:
    """Sort anchors by frame; of two on the same frame the later one wins, landmark by landmark."""
    by_frame: dict[int, NDArray[np.float64]] = {}
    for anchor in anchors:
        earlier = by_frame.get(anchor.frame, np.full((4, 2), np.nan))
        by_frame[anchor.frame] = np.where(np.isnan(anchor.points_px), earlier, anchor.points_px)
    return tuple(Anchor(frame, by_frame[frame]) for frame in sorted(by_frame))


def pin_array(length: int, frames: Sequence[int], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the points ``(A, 4, 2)`` of A frames into an array ``(T, 4, 2)`` that is NaN elsewhere."""
    pins = np.full((length, 4, 2), np.nan)
    pins[list(frames)] = points
    return pins


def pinned(points: NDArray[np.float64], pins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points ``(T, 4, 2)`` with those of `pin_array` in their places."""
    return np.where(np.isnan(pins), points, pins)


def corrected_start(track: NDArray[np.float64], pins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bend a track through the pins.

    The correction at each pin is interpolated linearly, frame by frame, between pins and kept constant outside of
    them, so that the motion that was tracked is kept.

    Args:
        track: ``(T, 4, 2)``.
        pins: ``(T, 4, 2)``, NaN where nothing is pinned; a landmark without pins stays as it is.
    """
    frames = np.arange(len(track))
    bent = track.copy()
    for landmark in range(track.shape[1]):
        pinned = ~np.isnan(pins[:, landmark]).any(axis=1)
        if pinned.any():
            for axis in range(2):
                correction = (pins - track)[pinned, landmark, axis]
                bent[:, landmark, axis] += np.interp(frames, frames[pinned], correction)
    return bent


def offsets_from_known(offsets: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Take off what a witness is off by where a person set the landmark, interpolated as in `corrected_start`.

    Args:
        offsets: ``(T, 4, 2)`` by which a landmark is seen off its track.
        known: ``(T, 4)`` which points a person set; there 0 is left.
    """
    return corrected_start(offsets, np.where(known[..., None], 0.0, np.nan))


def anchor_weights(pins: NDArray[np.float64], frames: Sequence[int]) -> NDArray[np.float64]:
    """How much the track from each anchor counts at each time.

    Between two anchors the weight passes linearly, frame by frame, from one to the other; outside of the outermost
    anchors the nearest one has it all.

    Args:
        pins: ``(T, 4, 2)``, NaN where nothing is pinned.
        frames: the A anchor frames, ascending.

    Returns:
        ``(A, T, 4)``; sums to 1 over the anchors for a landmark that any of them sets, else it is 0.
    """
    times = np.arange(len(pins))
    weights = np.zeros((len(frames), len(pins), pins.shape[1]))
    for landmark in range(pins.shape[1]):
        setting = [i for i, frame in enumerate(frames) if not np.isnan(pins[frame, landmark, 0])]
        for position, i in enumerate(setting):
            knots = np.zeros(len(setting))
            knots[position] = 1
            weights[i, :, landmark] = np.interp(times, [frames[j] for j in setting], knots)
    return weights
