"""The track that agrees best with the refined points and with the motion between near frames.

TR-net says where each point is, frame by frame; the flow between near frames says how it moves, more exactly, but adds
up its errors. The best track under both, with Gaussian errors, minimises for each landmark

    sum_s sum_t v_{s,t} |p_{t+s} - p_t - d_{s,t}|^2 / s  +  trust * sum_t w_t |p_t - q_t|^2  +  even * sum_t |D^3 p_t|^2

(d: motion of the borders over s frames, see `borders`; q: refined points; D^3: third difference, see `pace`). The
weights w = 1 / (1 + |p - q|^2 / c^2) are those of a Cauchy error: a point that jumped to another structure does not
pull. The weights v fall where the motion contradicts itself (`_reliable`): a heart may be so fast that the flow loses
it. The paper has no such step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.tracking.anchors import pinned
from echo_keypoints.tracking.borders import border_motion
from echo_keypoints.tracking.motion import Hops, Motion
from echo_keypoints.tracking.pace import LONGEST_DIFFERENCE, Pace
from echo_keypoints.tracking.robust import cauchy_weight
from echo_keypoints.tracking.windows import blend, window_starts

TRUST_DETECTED, TRUST_KNOWN = 0.1, 0.01
"""Weight of refined points against steps of one frame: where the reference was detected, the error of the flow is the
smaller one only for a few frames; from points that a person set it can be followed for longer."""

OUTLIER_PX = 4.0
"""c: a refined point this far off has half its weight."""

CONTRADICTION_PX = 1.0
"""Two steps of one frame that miss the step of two frames by so much have half their weight."""

PASSES = 3
_CHUNK, _OVERLAP = 256, 64
_BLOCK = LONGEST_DIFFERENCE


def agreed(
    motion: Motion,
    refined: NDArray[np.float64],
    pins: NDArray[np.float64],
    trust: float,
    pace: Pace | None = None,
) -> NDArray[np.float64]:
    """Find that track.

    Args:
        motion: of the clip.
        refined: ``(T, K, 2)`` model px.
        pins: ``(T, K, 2)`` points that stay, NaN elsewhere.
        trust: weight of the refined points.
        pace: of the frames; None for a track that need not be even.

    Returns:
        ``(T, K, 2)``. Long clips are solved in overlapping parts.
    """
    length = len(refined)
    size = min(_CHUNK, length)
    parts = []
    for start in window_starts(length, size, step=max(1, size - _OVERLAP)):
        run = slice(start, start + size)
        parts.append((start, _solved(motion, refined[run], pins[run], trust, _evenness(pace, run), start)))
    track = blend(parts, length)
    return pinned(track, pins)


def _solved(
    motion: Motion,
    refined: NDArray[np.float64],
    pins: NDArray[np.float64],
    trust: float,
    even: NDArray[np.float64],
    first: int,
) -> NDArray[np.float64]:
    length, landmarks, _ = refined.shape
    fixed = ~np.isnan(pins[..., 0])  # (T, K)
    refined = pinned(refined, pins)
    points = refined
    even = np.broadcast_to(even, (landmarks, length, length))
    for _ in range(PASSES):
        system, moved = even.copy(), np.zeros_like(refined)
        hops = motion.along(points, first, refined)
        for hop, reliable in zip(hops, _reliable(hops), strict=True):
            here, there = np.arange(length - hop.step), np.arange(hop.step, length)
            weight = reliable / hop.step  # (T - step, K)
            displacement = border_motion(hop.displacement, points[: -hop.step])
            system[:, here, here] += weight.T
            system[:, there, there] += weight.T
            system[:, here, there] -= weight.T
            system[:, there, here] -= weight.T
            moved[there] += weight[..., None] * displacement
            moved[here] -= weight[..., None] * displacement
        hold = np.where(fixed, 1e6, trust * cauchy_weight(points - refined, OUTLIER_PX)).T  # (K, T)
        system[:, np.arange(length), np.arange(length)] += hold
        right = moved.transpose(1, 0, 2) + hold[..., None] * refined.transpose(1, 0, 2)
        points = _solved_in_blocks(system, right).transpose(1, 0, 2)
    return points


def _evenness(pace: Pace | None, run: slice) -> NDArray[np.float64]:
    """The quadratic form ``(L, L)`` of the third differences over a run of frames."""
    if pace is None:
        return np.zeros((run.stop - run.start,) * 2)
    third = pace.third_differences(run)
    return pace.steadiness * third.T @ third


def _solved_in_blocks(system: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve ``(K, T, T)`` systems that tie each frame only to near ones, for ``(K, T, 2)``.

    Elimination from block to block (Thomas) takes time in proportion to T, and matrices so small are never shared among
    threads, which on a busy machine would wait for each other for a hundred times as long as they work.
    """
    edges = np.arange(0, system.shape[1], _BLOCK)
    blocks = [slice(int(edge), int(edge) + _BLOCK) for edge in edges]
    ties: list[NDArray[np.float64]] = []  # of a block to the next one
    values: list[NDArray[np.float64]] = []
    for before, here, after in zip([None, *blocks[:-1]], blocks, [*blocks[1:], slice(0)], strict=True):
        own, wanted = system[:, here, here], right[:, here]
        if before is not None:
            back = system[:, here, before]
            own, wanted = own - back @ ties[-1], wanted - back @ values[-1]
        sought = np.concatenate((system[:, here, after], wanted), axis=-1)
        both: NDArray[np.float64] = np.linalg.solve(own, sought).astype(np.float64)
        ties.append(both[..., :-2])
        values.append(both[..., -2:])
    for i in reversed(range(len(blocks) - 1)):
        values[i] = values[i] - ties[i] @ values[i + 1]
    return np.concatenate(values, axis=1)


def _reliable(hops: Sequence[Hops]) -> list[NDArray[np.float64]]:
    """Weigh the motion, each ``(T - step, K)``: 1 where two steps of one frame lead where that of two frames does."""
    weights = [np.ones(hop.displacement.shape[:2]) for hop in hops]
    if len(hops) > 1:
        one, two = (hop.displacement for hop in hops)
        miss = one[:-1] + one[1:] - two
        weights[1] = cauchy_weight(miss, CONTRADICTION_PX)
        around = np.pad(weights[1], ((1, 1), (0, 0)))
        weights[0] = np.maximum(around[:-1], around[1:])  # one of its two loops vouches for a step
    return weights
