"""The four landmarks as a second sequence, synchronised with the cine; what a person moves is written back by Slicer.

A point that is not measurable is *missing* on its frame. A point of low confidence is *not selected*, and is thereby
drawn in the colour of doubt.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from echo_keypoints.anatomy import LANDMARKS
from echo_keypoints.clip import ClipHeader
from EchoKeypointsLib.cine import index_values
from EchoKeypointsLib.geometry import Spacing, px_to_ras, ras_to_px
from EchoKeypointsLib.looks import ANCHOR_NOTE, DOUBT, LOW_CONFIDENCE, SEEN, unit_colour

_STILL_PX = 1e-3
"""Less than this is no movement (results are rounded to 1e-5 px)."""


def fill(sequence, header: ClipHeader) -> Iterator[None]:
    """Put a frame's worth of landmarks, all missing, into an empty sequence each time that the iterator is asked.

    Args:
        sequence: vtkMRMLSequenceNode, empty.
        header: of the clip.
    """
    node = slicer.vtkMRMLMarkupsFiducialNode()
    for index, landmark in enumerate(LANDMARKS):
        node.AddControlPoint(vtk.vtkVector3d(0, 0, 0), landmark.name)
        node.SetNthControlPointPositionMissing(index)
    node.SetFixedNumberOfControlPoints(True)
    for value in index_values(header):
        sequence.SetDataNodeAtValue(node, value)
        yield


def dress(node: slicer.vtkMRMLMarkupsFiducialNode) -> None:
    """Let the landmarks that are shown be small crosses, to be dragged, in the colours of trust and doubt."""
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSelectedColor(*SEEN)
    display.SetColor(*unit_colour(DOUBT))
    display.SetActiveColor(1, 1, 1)
    display.SetGlyphTypeFromString("CrossDot2D")
    display.SetGlyphScale(3)
    display.SetTextScale(3.5)
    display.SetSnapMode(display.SnapModeUnconstrained)
    display.SetHandlesInteractive(False)


def update(
    sequence,
    header: ClipHeader,
    points_px: NDArray[np.float64],
    confidence: NDArray[np.float64],
    anchors: Mapping[int, NDArray[np.bool_]],
    keep: Container[int] = (),
) -> None:
    """Write the landmarks of all frames.

    Args:
        sequence: of `fill`.
        header: of the clip.
        points_px: ``(T, 4, 2)``, NaN where it is not measurable.
        confidence: ``(T, 4)`` in 0..1, NaN where unknown.
        anchors: frame → ``(4,)`` bool, which landmarks a person set.
        keep: frames that are under the mouse and are left alone.
    """
    for frame in range(sequence.GetNumberOfDataNodes()):
        if frame not in keep:
            node = sequence.GetNthDataNode(frame)
            _set(node, points_px[frame], confidence[frame], anchors.get(frame), header.spacing_mm)


def points_of(node, spacing_mm: Spacing | None) -> NDArray[np.float64]:
    """Read the landmarks ``(4, 2)`` of one frame in pixels; NaN where a point is missing.

    Args:
        node: vtkMRMLMarkupsFiducialNode, the proxy or an item of the sequence.
        spacing_mm: of the clip.
    """
    points = np.full((len(LANDMARKS), 2), np.nan)
    position = [0.0, 0.0, 0.0]
    for index in range(min(len(LANDMARKS), node.GetNumberOfControlPoints())):
        if node.GetNthControlPointPositionStatus(index) == node.PositionDefined:
            node.GetNthControlPointPosition(index, position)
            points[index] = ras_to_px(position, spacing_mm)
    return points


def moved(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the points ``(4, 2)`` that differ from before, NaN for those that did not move."""
    same = np.isclose(before, after, rtol=0, atol=_STILL_PX, equal_nan=True).all(axis=1)
    return np.where(same[:, None], np.nan, after)


def _set(node, points_px, confidence, set_by_person, spacing_mm) -> None:
    """Write one frame's landmarks into a node with four control points; only what differs."""
    positions = px_to_ras(points_px, spacing_mm)
    was_modifying = node.StartModify()
    position = [0.0, 0.0, 0.0]
    for index in range(len(LANDMARKS)):
        status = node.GetNthControlPointPositionStatus(index)
        if np.isnan(positions[index]).any():
            if status != node.PositionMissing:
                node.SetNthControlPointPositionMissing(index)
        else:
            node.GetNthControlPointPosition(index, position)
            if status != node.PositionDefined or not np.array_equal(position, positions[index]):
                node.SetNthControlPointPosition(index, *positions[index])
        anchored = set_by_person is not None and bool(set_by_person[index])
        node.SetNthControlPointSelected(index, anchored or not confidence[index] < LOW_CONFIDENCE)
        node.SetNthControlPointDescription(
            index, ANCHOR_NOTE if anchored else _confidence_text(confidence[index])
        )
    node.EndModify(was_modifying)


def _confidence_text(value: float) -> str:
    return "" if np.isnan(value) else f"confidence {value:.2f}"
