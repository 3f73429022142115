"""A second look at where the track lies, at the whole beat at once. The paper has no such step.

What a detector gets wrong it gets wrong in all frames of a clip, so that no vote of the frames can mend it, and flow
follows walls a little less far than they move. PlaceNet judges the track by its steady pictures (`tracking.steady`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.tracking.anchors import offsets_from_known
from echo_keypoints.tracking.backends.base import Backend
from echo_keypoints.tracking.steady import SteadyView
from echo_keypoints.tracking.windows import blend, window_starts

FRAMES = 12
"""That show the beat."""

SPAN_S = 3.0
"""Longer clips are looked at in spans of this duration, which overlap by half: the probe may move meanwhile."""

BELIEF_KNOWN = (0.0, 1.0)
"""How much of what PlaceNet is sure of, along and across the wall, is believed where a person set the landmark in some
frame; elsewhere all of it is."""

MISSES = (0.055, 0.025)
"""Standard deviations of what tracks miss by on phantoms, along and across the wall, in lengths of the measuring
line."""

TAUGHT_MISSES = (0.105, 0.04)
"""The same of the tracks that it was trained on (`data.looks`): wider, so that it learns to look at the picture and not
to stay near the track."""

FAMILIAR = (TAUGHT_MISSES[0], MISSES[1])
"""A landmark that PlaceNet sees twice as far off is moved, four times as far is left where it is, however sure it is:
in a heart unlike all others it may take something else for the wall. Along a wall all is wall, so that there it may go
as far as it was taught; now and then a detector misses by far more there than it mostly does."""

SMOOTH_S = 0.02
"""Sigma in time of what it finds."""

_BLOCK = 32  # frames that are looked at together


@dataclass(frozen=True, eq=False)
class Placement:
    """A track after the second look.

    Attributes:
        points: ``(T, 4, 2)`` model px.
        seen: ``(T, 4, 2)`` where the landmarks were seen, if all of it were believed. How far that is from the
            track tells how sure its place is (`confidence`), and so does
        doubt_px: ``(T, 4)`` standard deviation of what that is off by.
    """

    points: NDArray[np.float64]
    seen: NDArray[np.float64]
    doubt_px: NDArray[np.float64]

    @classmethod
    def without(cls, points: NDArray[np.float64], detected: NDArray[np.float64]) -> Placement:
        """A track ``(T, 4, 2)`` without a second look: detected points stand for what is seen, and nothing is known
        beyond what tracks miss by."""
        doubt = np.hypot(*MISSES) * SteadyView.of(points).length_px
        return cls(points, detected, np.full(points.shape[:2], doubt))


def placed(
    backend: Backend,
    read: Callable[[int, int], NDArray[np.uint8]],
    points: NDArray[np.float64],
    known: NDArray[np.bool_],
    frame_times_s: NDArray[np.floating],
) -> Placement:
    """Move a track to where the landmarks are, in each frame in the light of the whole beat.

    How far is a mean, weighed by inverse variances, of where they are seen and where they are tracked. Doubts of what
    is seen (`Sighting`) are small on hearts such as PlaceNet was trained on, and large where it does not know its way.
    They allow for tracks that miss by `TAUGHT_MISSES`; that ours miss by `MISSES` only is what the track adds. A glance
    at the frames that show the beat comes first, so that then every frame is seen from nearer by.

    Where a person set a landmark it stays. By as much as PlaceNet would have moved it there, the person sees it
    elsewhere; that much, interpolated in time, is taken off everywhere. If it is far off (`FAMILIAR`), what PlaceNet
    sees is not that landmark, and how it moves tells nothing.

    Args:
        backend: the networks, PlaceNet among them.
        read: gives frames ``start .. stop - 1`` in model space.
        points: ``(T, 4, 2)`` model px.
        known: ``(T, 4)`` which of them a person set.
        frame_times_s: ``(T,)`` seconds.
    """
    rate = 1 / float(np.median(np.diff(frame_times_s)))
    span = max(FRAMES, round(SPAN_S * rate))
    view = SteadyView.of(points)

    def look(track: NDArray[np.float64], glance: bool) -> NDArray[np.float64]:
        """How far off the landmarks are seen, and the doubts: ``(2, T, 4, 2)`` in lengths of the line."""
        parts = ((first, track[first : first + span]) for first in window_starts(len(track), span))
        spans = [(n, _seen(backend, read(n, n + len(part)), part, glance)) for n, part in parts]
        seen, doubts = np.moveaxis(blend(spans, len(track)), 1, 0)
        return np.stack((view.to_steady(seen) - view.places, doubts))

    offsets, doubts = look(points, glance=True)
    nearer = view.to_frames(view.places + _sure(doubts) * _familiar(offsets) * offsets)
    offsets, doubts = look(nearer, glance=False)
    offsets = _smooth(offsets, SMOOTH_S * rate)
    familiar = _familiar(offsets)
    offsets = offsets_from_known(offsets, known)
    belief = np.where(np.any(known, axis=0)[:, None], BELIEF_KNOWN, 1.0) * _sure(doubts) * familiar
    return Placement(
        view.to_frames(view.places + belief * offsets),
        view.to_frames(view.places + offsets),
        view.length_px * np.hypot(*np.moveaxis(doubts, -1, 0)),
    )


def _sure(doubts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the way from a track to where landmarks are seen with such doubts."""
    shares: NDArray[np.float64] = 1 / (1 + doubts**2 * (1 / np.square(MISSES) - 1 / np.square(TAUGHT_MISSES)))
    return shares


def _familiar(offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(T, 4, 2)`` → ``(4, 2)``: 1 where that may be the landmark, 0 where it is something else (`FAMILIAR`)."""
    sizes: NDArray[np.float64] = np.sqrt((offsets**2).mean(axis=0)) / FAMILIAR
    return np.clip(2 - sizes / 2, 0, 1)


def _seen(
    backend: Backend, frames: NDArray[np.uint8], points: NDArray[np.float64], glance: bool
) -> NDArray[np.float64]:
    """Landmarks around a track in the frames ``(T, H, W)`` of a few beats, and how much they are doubted.

    Args:
        backend: see `placed`.
        frames: of a few beats.
        points: ``(T, 4, 2)`` the track.
        glance: look at the `FRAMES` that show the beat alone, and move the whole track by what is seen on average.

    Returns:
        ``(T, 2, 4, 2)``: points, and standard deviations in lengths of the measuring line, the same in all frames, as
        what is wrong is much the same in each.
    """
    view = SteadyView.of(points)

    def pictures(chosen: NDArray[np.intp]) -> NDArray[np.uint8]:
        return view.at(chosen).pictures(frames[chosen])

    shown = pictures(frames_of_beat(len(points)))
    beat = backend.see_beat(shown, view.heights)
    if glance:
        sightings = [backend.place(shown, beat)]
    else:
        blocks = np.split(np.arange(len(points)), np.arange(_BLOCK, len(points), _BLOCK))
        sightings = [backend.place(pictures(block), beat) for block in blocks]
    places = np.concatenate([sighting.places for sighting in sightings])
    found = view.to_frames(places.mean(axis=0) if glance else places)
    variance = np.concatenate([sighting.doubts**2 for sighting in sightings]).mean(axis=0)
    return np.stack((found, np.broadcast_to(np.sqrt(variance), found.shape)), axis=1)


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
