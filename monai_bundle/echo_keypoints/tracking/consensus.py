"""The detections of all frames vote on where the landmarks are; the track says how they move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.tracking.robust import cauchy_weight

OUTLIER_PX = 4.0
"""A vote this far from what all agree on (model px) has half its weight."""

PEAK_POWER = 10
"""A vote counts by this power of its heat-map's peak. How far detections stray from frame to frame falls with the sixth
power of the peak (squared, on phantoms); where the peak is low they also err together, so that still more is better."""

NEAR_S = 0.15
"""Sigma in time of the votes on one frame."""

_STEPS = 3  # further ones leave the middle for the densest group of votes, each landmark for its own
_REACH_S = 4 * NEAR_S  # where votes have less than a thousandth of their weight
_BLOCK = 64


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
    votes, trust = detected - track, _trust(peak)
    agreed = np.median(votes, axis=0)
    for _ in range(_STEPS):
        weight = trust * cauchy_weight(votes - agreed, OUTLIER_PX)
        agreed = (votes * weight[..., None]).sum(axis=0) / weight.sum(axis=0)[:, None]
    return agreed


def nearby_offsets(
    detected: NDArray[np.float64],
    peak: NDArray[np.float64],
    track: NDArray[np.float64],
    frame_times_s: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Find, for each frame, the shift that brings a track onto the detections of the frames around it.

    A robust local mean as in LOWESS (Cleveland 1979): votes count by how near they are in time, and less if they lie
    far from what the votes around *them* agree on. It begins at the track, so that only votes which agree lead far off.

    Args:
        detected: ``(T, 4, 2)`` raw detections, model px.
        peak: ``(T, 4)`` heights of the heat-maps.
        track: ``(T, 4, 2)`` model px.
        frame_times_s: ``(T,)`` seconds, ascending.

    Returns:
        ``(T, 4, 2)``.
    """
    votes, trust = detected - track, _trust(peak)
    agreed = np.zeros_like(votes)
    for _ in range(_STEPS):
        weight = (trust * cauchy_weight(votes - agreed, OUTLIER_PX))[..., None]
        both = _sums_nearby(np.concatenate((votes * weight, weight), axis=-1), frame_times_s)
        agreed = both[..., :2] / both[..., 2:]
    return agreed


def _trust(peak: NDArray[np.float64]) -> NDArray[np.float64]:
    trust: NDArray[np.float64] = np.clip(peak, 1e-3, 1) ** PEAK_POWER
    return trust


def _sums_nearby(values: NDArray[np.float64], times_s: NDArray[np.floating]) -> NDArray[np.float64]:
    """Values ``(T, 4, n)`` → their Gaussian sums around each frame, in blocks, as times need not be even."""
    sums = []
    for first in range(0, len(values), _BLOCK):
        here = times_s[first : first + _BLOCK]
        near = slice(*np.searchsorted(times_s, (here[0] - _REACH_S, here[-1] + _REACH_S)))
        nearness = np.exp(-0.5 * np.square((here[:, None] - times_s[near]) / NEAR_S))
        sums.append(np.tensordot(nearness, values[near], axes=1))
    return np.concatenate(sums)
