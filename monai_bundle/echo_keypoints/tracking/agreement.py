"""The track that agrees best with the refined points and with the motion between near frames.

TR-net says where each point is, frame by frame; the flow between near frames says how it moves, more exactly, but adds
up its errors. The best track under both, with Gaussian errors, minimises for each landmark

    sum_s sum_t |p_{t+s} - p_t - d_{s,t}|^2 / s  +  trust * sum_t w_t |p_t - q_t|^2

(d: motion over s frames, q: refined points, w = 1 / (1 + |p - q|^2 / c^2), the weights of a Cauchy error: a point that
jumped to another structure does not pull). The paper has no such step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.tracking.anchors import pinned
from echo_keypoints.tracking.motion import STEPS, Motion
from echo_keypoints.tracking.windows import blend, window_starts

TRUST_DETECTED, TRUST_KNOWN = 0.1, 0.01
"""Weight of refined points against steps of one frame: where the reference was detected, the error of the flow is the
smaller one only for a few frames; from points that a person set it can be followed for longer."""

OUTLIER_PX = 4.0
"""c: a refined point this far off has half its weight."""

PASSES = 3
_CHUNK, _OVERLAP = 256, 64


def agreed(
    motion: Motion, refined: NDArray[np.float64], pins: NDArray[np.float64], trust: float
) -> NDArray[np.float64]:
    """Find that track.

    Args:
        motion: of the clip.
        refined: ``(T, K, 2)`` model px.
        pins: ``(T, K, 2)`` points that stay, NaN elsewhere.
        trust: weight of the refined points.

    Returns:
        ``(T, K, 2)``. Long clips are solved in overlapping parts.
    """
    length = len(refined)
    size = min(_CHUNK, length)
    parts = []
    for start in window_starts(length, size, step=max(1, size - _OVERLAP)):
        run = slice(start, start + size)
        parts.append((start, _solved(motion, refined[run], pins[run], trust, start)))
    track = blend(parts, length)
    return pinned(track, pins)


def _solved(
    motion: Motion, refined: NDArray[np.float64], pins: NDArray[np.float64], trust: float, first: int
) -> NDArray[np.float64]:
    length, landmarks, _ = refined.shape
    fixed = ~np.isnan(pins[..., 0])  # (T, K)
    refined = pinned(refined, pins)
    points = refined
    steps = np.zeros((length, length))  # of the quadratic form: the same for all landmarks, wherever they are
    for step in STEPS:
        here, weight = np.arange(max(length - step, 0)), 1.0 / step
        steps[here, here] += weight
        steps[here + step, here + step] += weight
        steps[here, here + step] -= weight
        steps[here + step, here] -= weight
    for _ in range(PASSES):
        moved = np.zeros_like(refined)
        for hops in motion.along(points, first):
            moved[hops.step :] += hops.displacement / hops.step
            moved[: -hops.step] -= hops.displacement / hops.step
        far = ((points - refined) ** 2).sum(axis=-1)
        hold = np.where(fixed, 1e6, trust / (1 + far / OUTLIER_PX**2)).T  # (K, T)
        system = np.broadcast_to(steps, (landmarks, length, length)).copy()
        system[:, np.arange(length), np.arange(length)] += hold
        right = moved.transpose(1, 0, 2) + hold[..., None] * refined.transpose(1, 0, 2)
        points = np.linalg.solve(system, right).transpose(1, 0, 2).astype(np.float64)
    return points
