"""Scale by two clicks on the depth ruler: the one way to millimetres where the file has no scale."""

from __future__ import annotations

import numpy as np
import slicer

from echo_keypoints.errors import QueryError
from echo_keypoints.readers.limits import plausible_scale
from EchoKeypointsLib.geometry import Spacing, ras_to_px
from EchoKeypointsLib.looks import unit_colour

_SHORTEST_PX = 20
"""Below it, a click that is a pixel off makes the scale wrong by more than 5 %."""

_RULER_COLOUR = (255, 230, 90)


def place_ruler(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLMarkupsLineNode:
    """Add a line and let the next two clicks set its ends."""
    ruler = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "Depth ruler")
    ruler.SetSaveWithScene(False)
    ruler.CreateDefaultDisplayNodes()
    display = ruler.GetDisplayNode()
    display.SetSelectedColor(*unit_colour(_RULER_COLOUR))
    display.SetPropertiesLabelVisibility(False)  # Slicer would write millimetres
    selection = scene.GetFirstNodeByClass("vtkMRMLSelectionNode")
    interaction = scene.GetFirstNodeByClass("vtkMRMLInteractionNode")
    if selection and interaction:
        selection.SetReferenceActivePlaceNodeClassName("vtkMRMLMarkupsLineNode")
        selection.SetActivePlaceNodeID(ruler.GetID())
        interaction.SetPlaceModePersistence(0)
        interaction.SetCurrentInteractionMode(interaction.Place)
    return ruler


def ends_set(ruler: slicer.vtkMRMLMarkupsLineNode) -> bool:
    """Whether both ends have been clicked."""
    return ruler.GetNumberOfDefinedControlPoints() == 2


def measured_spacing(
    ruler: slicer.vtkMRMLMarkupsLineNode, length_mm: float, shown_as: Spacing | None
) -> tuple[Spacing, str]:
    """Turn the ruler into a scale; pixels are taken as square.

    Args:
        ruler: with both ends set.
        length_mm: the true distance between the ends.
        shown_as: the spacing that the scene shows the clip with.

    Returns:
        ``(sx, sy)`` mm per pixel, and where they come from, in words.

    Raises:
        QueryError: the ends are missing or too close, or the scale cannot be that of an ultrasound image.
    """
    if not ends_set(ruler):
        raise QueryError("Click both ends of a known distance on the depth ruler first.")
    ends = np.array([ruler.GetNthControlPointPositionWorld(i) for i in range(2)])
    length_px = float(np.hypot(*np.diff(ras_to_px(ends, shown_as), axis=0)[0]))
    if length_px < _SHORTEST_PX:
        raise QueryError(f"The two clicks are only {length_px:.0f} pixels apart; choose a longer distance.")
    scale = length_mm / length_px
    if not plausible_scale((scale, scale)):
        raise QueryError(
            f"{length_mm:g} mm over {length_px:.0f} pixels cannot be the scale of an ultrasound image; "
            "check the length."
        )
    return (scale, scale), f"two clicks on the depth ruler: {length_mm:g} mm over {length_px:.1f} pixels"
