"""The detections of all frames vote on where the landmarks are; the track says how they move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

OUTLIER_PX = 4.0
"""A vote this far from what all agree on (model px) has half its weight."""

PEAK_POWER = 10
"""A vote counts by this power of its heat-map's peak. How far detections stray from frame to frame falls with the sixth
power of the peak (squared, on phantoms); where the peak is low they also err together, so that still more is better."""

_ITERATIONS = 3  # further ones leave the middle for the densest group of votes, each landmark for its own


def consensus_offset(
    detected: NDArray[np.float64], peak: NDArray[np.float64], track: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Find the shift that brings a track onto the detections of all frames.

    A track from one reference frame inherits the error of that frame's detection. The detector's errors in other
    frames are partly independent, so that their robust mean, taken along the track, is a better place: a few
    steps from the median towards the M-estimate of a Cauchy distribution. The paper keeps the reference as detected.

    Args:
        detected: ``(T, 4, 2)`` raw detections, model px.
        peak: ``(T, 4)`` heights of the heat-maps.
        track: ``(T, 4, 2)`` refined, model px.

    Returns:
        ``(4, 2)`` to be added to every frame of the track.
    """
    difference = detected - track
    trust = np.clip(peak, 1e-3, 1) ** PEAK_POWER
    agreed = np.median(difference, axis=0)
    for _ in range(_ITERATIONS):
        distance = np.linalg.norm(difference - agreed, axis=-1)
        weight = (trust / (1 + (distance / OUTLIER_PX) ** 2))[..., None]
        agreed = (difference * weight).sum(axis=0) / weight.sum(axis=0)
    return agreed
