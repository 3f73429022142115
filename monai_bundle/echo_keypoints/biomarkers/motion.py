"""Angles, jumps and common shifts of the tracks: what tells a calliper that lies well from one that does not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WARN_ANGLE_DEG, FAIL_ANGLE_DEG = 20.0, 30.0
"""Neighbouring segments should lie on one line (30° is the limit of EchoNet-LVH's quality check)."""


def bend_deg(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give the larger of the two angles between neighbouring segments.

    Args:
        points: ``(..., 4, 2)`` in units that are the same along x and y.

    Returns:
        ``(...)`` degrees, 0 for a straight calliper; NaN where a landmark is missing or two fall together.
    """
    steps = np.diff(np.asarray(points, np.float64), axis=-2)  # (..., 3, 2)
    length = np.linalg.norm(steps, axis=-1)
    unit = steps / np.where(length > 0, length, np.nan)[..., None]
    cosine = (unit[..., :-1, :] * unit[..., 1:, :]).sum(-1)
    return np.asarray(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).max(axis=-1))


def steps_between(points: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give how far each point moves from frame to frame, across the walls and along them.

    Across is along the measuring line of the two frames, where it changes lengths; along a wall a point may lie
    anywhere without changing much.

    Args:
        points: ``(T, 4, 2)`` in units that are the same along x and y.

    Returns:
        Two ``(T - 1, 4)`` of distances; NaN where a landmark is missing.
    """
    line = points[:, 3] - points[:, 0]
    line = line[:-1] + line[1:]
    length = np.linalg.norm(line, axis=-1, keepdims=True)
    line = (line / np.where(length > 0, length, np.nan))[:, None]  # (T - 1, 1, 2)
    steps = np.diff(points, axis=0)
    across = (steps * line).sum(-1)
    along = steps[..., 0] * line[..., 1] - steps[..., 1] * line[..., 0]
    return np.abs(across), np.abs(along)


def common_shift(points: NDArray[np.floating], before: int, after: int) -> float:
    """Give how far all four landmarks together moved between two frames; NaN where one is missing."""
    return float(np.linalg.norm((points[after] - points[before]).mean(axis=0)))
