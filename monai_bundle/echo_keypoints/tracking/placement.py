"""A second look at where the track lies, at the whole beat at once. The paper has no such step.

What a detector gets wrong it gets wrong in all frames of a clip, so that no vote of the frames can mend it, and flow
follows walls a little less far than they move. PlaceNet judges the track by its steady pictures (`tracking.steady`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.tracking.anchors import corrected_start
from echo_keypoints.tracking.backends.base import Backend
from echo_keypoints.tracking.steady import SteadyView
from echo_keypoints.tracking.windows import blend, window_starts

FRAMES = 12
"""That show the beat."""

SPAN_S = 3.0
"""Longer clips are looked at in spans of this duration, which overlap by half: the probe may move meanwhile."""

BELIEF_KNOWN = (0.0, 1.0)
"""How much of what PlaceNet finds along and across the wall is believed where a person set the landmark in some frame;
elsewhere all of it is."""

MISSES = (0.055, 0.025)
"""Standard deviations of what the tracks missed by that it was trained on (`data.looks`), along and across the wall, in
lengths of the measuring line. A landmark that it sees twice as far off is moved, four times as far is left where it
is: in a heart unlike all others it may take something else for the wall."""

SMOOTH_S = 0.02
"""Sigma in time of what it finds."""

_BLOCK = 32  # frames that are looked at together


@dataclass(frozen=True, eq=False)
class Placement:
    """A track after the second look.

    Attributes:
        points: ``(T, 4, 2)`` model px.
        seen: ``(T, 4, 2)`` where the landmarks were seen, if all of it were believed. How far that is from the
            track tells how sure its place is (`confidence`).
    """

    points: NDArray[np.float64]
    seen: NDArray[np.float64]


def placed(
    backend: Backend,
    read: Callable[[int, int], NDArray[np.uint8]],
    points: NDArray[np.float64],
    known: NDArray[np.bool_],
    frame_times_s: NDArray[np.floating],
) -> Placement:
    """Move a track to where the landmarks are, in each frame in the light of the whole beat.

    Where a person set a landmark it stays. By as much as PlaceNet would have moved it there, the person sees it
    elsewhere; that much, interpolated in time, is taken off everywhere. If it is far off (`MISSES`), what PlaceNet sees
    is not that landmark, and how it moves tells nothing.

    Args:
        backend: the networks, PlaceNet among them.
        read: gives frames ``start .. stop - 1`` in model space.
        points: ``(T, 4, 2)`` model px.
        known: ``(T, 4)`` which of them a person set.
        frame_times_s: ``(T,)`` seconds.
    """
    rate = 1 / float(np.median(np.diff(frame_times_s)))
    span = max(FRAMES, round(SPAN_S * rate))
    spans = [
        (first, _seen(backend, read(first, min(first + span, len(points))), points[first : first + span]))
        for first in window_starts(len(points), span)
    ]
    view = SteadyView.of(points)
    offsets = _smooth(view.to_steady(blend(spans, len(points))) - view.places, SMOOTH_S * rate)
    size = np.sqrt((offsets**2).mean(axis=0)) / MISSES  # (4, 2)
    offsets = corrected_start(offsets, np.where(known[..., None], 0.0, np.nan))
    belief = np.where(np.any(known, axis=0)[:, None], BELIEF_KNOWN, 1.0) * np.clip(2 - size / 2, 0, 1)
    return Placement(view.to_frames(view.places + belief * offsets), view.to_frames(view.places + offsets))


def _seen(backend: Backend, frames: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Landmarks ``(T, 4, 2)`` around a track in the frames ``(T, H, W)`` of a few beats."""
    view = SteadyView.of(points)

    def pictures(chosen: NDArray[np.intp]) -> NDArray[np.uint8]:
        return view.at(chosen).pictures(frames[chosen])

    beat = backend.see_beat(pictures(frames_of_beat(len(points))), view.heights)
    blocks = np.split(np.arange(len(points)), np.arange(_BLOCK, len(points), _BLOCK))
    return view.to_frames(np.concatenate([backend.place(pictures(block), beat) for block in blocks]))


def frames_of_beat(length: int) -> NDArray[np.intp]:
    """Choose `FRAMES` of so many, evenly, or all if there are fewer."""
    return np.unique(np.linspace(0, length - 1, FRAMES).round().astype(np.intp))


def _smooth(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Gaussian mean over the first axis, `sigma` in frames; the ends are continued."""
    reach = int(np.ceil(3 * sigma))
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    padded = np.pad(values, ((reach, reach), *((0, 0),) * (values.ndim - 1)), mode="edge")
    parts = np.lib.stride_tricks.sliding_window_view(padded, len(steps), axis=0)
    return parts @ (weights / weights.sum())
