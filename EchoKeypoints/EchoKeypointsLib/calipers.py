"""The three calipers IVS, LVID, LVPW: line markups that follow the landmarks of the frame shown.

They are derived from the landmarks on each change and are never a second place of truth.
"""

from __future__ import annotations

import numpy as np
import slicer
from numpy.typing import NDArray

from echo_keypoints.anatomy import SEGMENTS
from EchoKeypointsLib.geometry import Spacing, px_to_ras
from EchoKeypointsLib.looks import unit_colour


def add_lines(scene: slicer.vtkMRMLScene) -> list[slicer.vtkMRMLMarkupsLineNode]:
    """Add the three lines, which cannot be grabbed, in their colours."""
    lines = []
    for segment in SEGMENTS:
        line = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", segment.name)
        line.SetDescription(segment.title)
        line.SetLocked(True)
        line.CreateDefaultDisplayNodes()
        display = line.GetDisplayNode()
        display.SetSelectedColor(*unit_colour(segment.colour))
        display.SetColor(*unit_colour(segment.colour))
        display.SetPointLabelsVisibility(False)
        display.SetCurveLineSizeMode(display.UseLineDiameter)
        display.SetLineDiameter(1)
        display.SetGlyphTypeFromString("Vertex2D")
        display.SetGlyphScale(0.1)
        display.SetTextScale(3)
        display.SetHandlesInteractive(False)
        lines.append(line)
    return lines


def follow(lines, points_px: NDArray[np.float64], spacing_mm: Spacing | None) -> None:
    """Move the lines to the landmarks ``(4, 2)``; a line with a missing end is hidden.

    The length is written beside a line only where the scale is known: Slicer knows no other unit than millimetres.
    """
    ends = px_to_ras(points_px, spacing_mm)
    for segment, line in zip(SEGMENTS, lines, strict=True):
        start, end = ends[segment.start], ends[segment.end]
        measurable = not (np.isnan(start).any() or np.isnan(end).any())
        if measurable:
            was_modifying = line.StartModify()
            line.SetLineStartPositionWorld(start)
            line.SetLineEndPositionWorld(end)
            line.EndModify(was_modifying)
        display = line.GetDisplayNode()
        display.SetVisibility(measurable)
        display.SetPropertiesLabelVisibility(spacing_mm is not None)
