"""The trajectory that refinement starts from: the detections, made robust."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

JUMP_PX = 8.0
"""A detection is an outlier if it is further than this (model px) from the median of its neighbours …"""

JUMP_SPREADS = 3.0
"""… and further than so many times their median distance from it: where the walls are fast, all are far."""

WEAK_PEAK = 0.25
"""So is a detection whose heat-map peak is below this share of the landmark's median peak."""

AGREEMENT_PX = 12.0
"""A user's point and the detection in the same frame mean the same place up to this distance (model px)."""

_NEIGHBOURS = 9


def outliers(points: NDArray[np.float64], peak: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which detections ``(T, 4)`` jump away from their neighbours in time or are hardly seen.

    Args:
        points: ``(T, 4, 2)`` model pixels.
        peak: ``(T, 4)`` heights of the heat-maps.
    """
    neighbours = _neighbours(points)  # (T, 4, 2, 9)
    median = np.median(neighbours, axis=-1, keepdims=True)
    typical = np.median(np.linalg.norm(neighbours - median, axis=2), axis=-1)
    jump = np.linalg.norm(points - median[..., 0], axis=-1)
    far = jump > np.maximum(JUMP_PX, JUMP_SPREADS * typical)
    return far | (peak < WEAK_PEAK * np.median(peak, axis=0))


def robust_detections(points: NDArray[np.float64], peak: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replace outliers by linear interpolation, frame by frame, between the detections around them.

    The paper starts from the raw detections; one stray detection would then pull its whole window. A
    landmark with outliers only is left as it is.

    Args:
        points: ``(T, 4, 2)`` model pixels.
        peak: ``(T, 4)``.
    """
    bad = outliers(points, peak)
    frames = np.arange(len(points))
    cleaned = points.copy()
    for landmark in range(points.shape[1]):
        good = ~bad[:, landmark]
        if good.any():
            for axis in range(2):
                cleaned[:, landmark, axis] = np.interp(frames, frames[good], points[good, landmark, axis])
    return cleaned


def start_from(
    detections: NDArray[np.float64], frame: int, points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Start from given points in one frame.

    Where the detector agrees with the given point, the point moves as the detections do; else it stays in
    place, and refinement finds the motion alone.

    Args:
        detections: ``(T, 4, 2)`` robust detections, model pixels.
        frame: the frame of the points.
        points: ``(4, 2)`` model pixels.
    """
    moved = points + (detections - detections[frame])
    agrees = np.linalg.norm(detections[frame] - points, axis=-1) <= AGREEMENT_PX
    return np.where(agrees[None, :, None], moved, points)


def _neighbours(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The points of the frames around each frame, itself included; the first and last frame are repeated."""
    half = _NEIGHBOURS // 2
    padded = np.pad(points, ((half, half), (0, 0), (0, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, _NEIGHBOURS, axis=0)
