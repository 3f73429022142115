"""The review layout: cine above, curves below."""

from __future__ import annotations

import slicer

LAYOUT_ID = 5701
PLOT_VIEW = "EchoKeypoints"
SLICE_VIEW = "Red"

_XML = f"""
<layout type="vertical" split="true">
  <item splitSize="620">
    <view class="vtkMRMLSliceNode" singletontag="{SLICE_VIEW}">
      <property name="orientation" action="default">Axial</property>
      <property name="viewlabel" action="default">R</property>
      <property name="viewcolor" action="default">#F34A33</property>
    </view>
  </item>
  <item splitSize="380">
    <view class="vtkMRMLPlotViewNode" singletontag="{PLOT_VIEW}">
      <property name="viewlabel" action="default">E</property>
    </view>
  </item>
</layout>"""


def register(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLLayoutNode | None:
    """Make the layout known; None while the scene has no layout node (no main window)."""
    node = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if node is not None and not node.IsLayoutDescription(LAYOUT_ID):
        node.AddLayoutDescription(LAYOUT_ID, _XML)
    return node


def show(scene: slicer.vtkMRMLScene) -> int | None:
    """Switch to the review layout.

    Returns:
        The arrangement before, to be given to `restore`; None where nothing was changed.
    """
    node = register(scene)
    if node is None or node.GetViewArrangement() == LAYOUT_ID:
        return None
    before = int(node.GetViewArrangement())
    node.SetViewArrangement(LAYOUT_ID)
    return before


def restore(scene: slicer.vtkMRMLScene, arrangement: int | None) -> None:
    """Go back to the arrangement before, unless the user has chosen another since."""
    node = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if node is not None and arrangement is not None and node.GetViewArrangement() == LAYOUT_ID:
        node.SetViewArrangement(arrangement)


def show_chart(scene: slicer.vtkMRMLScene, chart: slicer.vtkMRMLPlotChartNode) -> None:
    """Put a chart into our plot view. (The plots logic's ShowChartInLayout would throw our layout away.)"""
    view = scene.GetSingletonNode(PLOT_VIEW, "vtkMRMLPlotViewNode")
    if view is not None:
        view.SetPlotChartNodeID(chart.GetID())


def show_volume(scene: slicer.vtkMRMLScene, volume: slicer.vtkMRMLVolumeNode) -> None:
    """Put the cine into all slice views that the scene has."""
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode")):
        scene.GetNthNodeByClass(index, "vtkMRMLSliceCompositeNode").SetBackgroundVolumeID(volume.GetID())
