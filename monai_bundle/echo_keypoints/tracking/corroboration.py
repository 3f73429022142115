"""Where detections bear out what the beat as a whole shows, the track is moved on to it. The paper has no such step.

How much PlaceNet is believed (`placement`) is settled by one doubt for the whole clip. Where the track leaves the wall
for a part of the beat only, say for a leaflet that opens, PlaceNet may see so and yet hardly be believed. The
detections of the frames around are witnesses of their own: as far as they, too, lie beyond the track on the way to what
PlaceNet sees, the track is moved that way.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.tracking.anchors import offsets_from_known
from echo_keypoints.tracking.consensus import nearby_offsets
from echo_keypoints.tracking.placement import Placement


def corroborated(
    track: Placement,
    detected: NDArray[np.float64],
    peak: NDArray[np.float64],
    known: NDArray[np.bool_],
    frame_times_s: NDArray[np.floating],
) -> Placement:
    """Move a track on towards what PlaceNet sees, never beyond it, as far as detections lie that way.

    How far is the projection of `nearby_offsets` onto that way: witnesses that contradict each other move nothing.
    Where a person set a landmark it stays, and by as much as detections lie off there they are taken to lie off
    elsewhere (interpolated in time, as for PlaceNet).

    Args:
        track: of T frames, with what PlaceNet sees.
        detected: ``(T, 4, 2)`` raw detections, model px.
        peak: ``(T, 4)`` heights of the heat-maps.
        known: ``(T, 4)`` which points a person set.
        frame_times_s: ``(T,)`` seconds, ascending.
    """
    way = track.seen - track.points
    offsets = nearby_offsets(detected, peak, track.points, frame_times_s)
    offsets = offsets_from_known(offsets, known)
    length2 = np.maximum((way**2).sum(axis=-1, keepdims=True), 1e-12)
    share = np.clip((offsets * way).sum(axis=-1, keepdims=True) / length2, 0, 1)
    return replace(track, points=track.points + share * way)
