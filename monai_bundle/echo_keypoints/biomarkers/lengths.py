"""The three lengths (IVS, LVID, LVPW) between the four landmarks, in pixels and in millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.anatomy import SEGMENTS


@dataclass(frozen=True, eq=False)
class SegmentLength:
    """One length over time.

    Attributes:
        px: ``(T,)`` float64, original pixels; NaN where an end of the segment is not measurable.
        mm: ``(T,)`` float64, millimetres, or None where the scale of the clip is unknown.
    """

    px: NDArray[np.float64]
    mm: NDArray[np.float64] | None


def measure_lengths(
    points_px: NDArray[np.floating], spacing_mm: tuple[float, float] | None = None
) -> dict[str, SegmentLength]:
    """Measure the distance between the two landmarks of every segment on every frame.

    In millimetres it is ``hypot(dx * sx, dy * sy)``: pixels need not be square.

    Args:
        points_px: ``(T, 4, 2)`` tracks ``(x, y)`` in original pixels, order of `anatomy.LANDMARKS`.
        spacing_mm: ``(sx, sy)`` mm per pixel along x and y, or None.

    Returns:
        The lengths by the name of the segment, in the order of `anatomy.SEGMENTS`.

    Raises:
        ValueError: the tracks are not ``(T, 4, 2)`` or a spacing is not a positive number.
    """
    points = np.asarray(points_px, dtype=np.float64)
    if points.ndim != 3 or points.shape[1:] != (4, 2):
        raise ValueError(f"tracks must have the shape (T, 4, 2), not {points.shape}")
    if spacing_mm is not None and not all(np.isfinite(s) and s > 0 for s in spacing_mm):
        raise ValueError(f"the spacing must be two positive numbers, not {spacing_mm}")
    lengths = {}
    for segment in SEGMENTS:
        offsets = points[:, segment.end] - points[:, segment.start]  # (T, 2)
        px = np.hypot(offsets[:, 0], offsets[:, 1])
        mm = None
        if spacing_mm is not None:
            mm = np.hypot(offsets[:, 0] * spacing_mm[0], offsets[:, 1] * spacing_mm[1])
        lengths[segment.name] = SegmentLength(px, mm)
    return lengths
