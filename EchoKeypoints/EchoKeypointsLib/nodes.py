"""Small helpers for nodes of the scene."""

from __future__ import annotations

from collections.abc import Iterable

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


def file_away(scene: slicer.vtkMRMLScene, name: str, nodes: Iterable[slicer.vtkMRMLNode | None]) -> None:
    """Put nodes into a folder of the subject hierarchy, where there is one."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    if hierarchy is None:
        return
    folder = hierarchy.GetItemChildWithName(hierarchy.GetSceneItemID(), name)
    if not folder:
        folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), name)
    for node in nodes:
        item = hierarchy.GetItemByDataNode(node) if node is not None else 0
        if item:
            hierarchy.SetItemParent(item, folder)
