"""Pixels of the clip ↔ Slicer's RAS, as Slicer's own ultrasound importer places frames.

Pixel ``(x, y)`` is at ``R = -x * sx, A = -y * sy, S = 0`` mm (LPS ``x * sx, y * sy``), so that a frame stands
upright in the axial view. Where the scale is unknown, one pixel is shown as one millimetre and no millimetre is ever
written in words.
"""

from __future__ import annotations

import numpy as np
import vtk
from numpy.typing import ArrayLike, NDArray

Spacing = tuple[float, float]
"""``(sx, sy)`` mm per pixel."""


def shown_spacing(spacing_mm: Spacing | None) -> Spacing:
    """Give the spacing of the scene's geometry: the clip's, or 1 where it is unknown."""
    return spacing_mm or (1.0, 1.0)


def px_to_ras(points_px: ArrayLike, spacing_mm: Spacing | None) -> NDArray[np.float64]:
    """``(…, 2)`` pixels → ``(…, 3)`` RAS."""
    points = np.asarray(points_px, np.float64)
    plane = -points * shown_spacing(spacing_mm)
    return np.concatenate([plane, np.zeros((*plane.shape[:-1], 1))], axis=-1)


def ras_to_px(points_ras: ArrayLike, spacing_mm: Spacing | None) -> NDArray[np.float64]:
    """``(…, 3)`` RAS → ``(…, 2)`` pixels; the third coordinate, across the image, is left out."""
    return -np.asarray(points_ras, np.float64)[..., :2] / shown_spacing(spacing_mm)


def ijk_to_ras(spacing_mm: Spacing | None) -> vtk.vtkMatrix4x4:
    """The matrix of a frame's volume."""
    sx, sy = shown_spacing(spacing_mm)
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 0, -sx)
    matrix.SetElement(1, 1, -sy)
    return matrix
