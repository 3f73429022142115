"""Small helpers for nodes of the scene."""

from __future__ import annotations

import slicer


def new_text(scene: slicer.vtkMRMLScene, name: str, text: str) -> slicer.vtkMRMLTextNode:
    """Add a text node that is kept in the scene and out of the users' lists."""
    node = scene.AddNewNodeByClass("vtkMRMLTextNode", name)
    node.SetHideFromEditors(True)
    node.SetText(text)
    return node


def sequences_logic() -> slicer.vtkSlicerSequencesLogic:
    """The logic that brings items of sequences into view."""
    return slicer.modules.sequences.logic()
