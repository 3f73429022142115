"""Tables of numbers, and the series that plots draw of them. Values change in place: new columns lose the plot."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import slicer
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from EchoKeypointsLib.looks import unit_colour


def add_table(scene: slicer.vtkMRMLScene, name: str, columns: Mapping[str, NDArray[np.float64]]):
    """Add a table of numbers (vtkMRMLTableNode); a column is changed later with `write_column`."""
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
    for title, values in columns.items():
        array = numpy_to_vtk(np.array(values, np.float64), deep=True)
        array.SetName(title)
        node.GetTable().AddColumn(array)
    node.SetLocked(True)
    return node


def write_column(table, name: str, values: NDArray[np.float64]) -> None:
    """Change the values of a column in place; call ``table.GetTable().Modified()`` when all are done."""
    column = table.GetTable().GetColumnByName(name)
    vtk_to_numpy(column)[:] = values
    column.Modified()


def column(table, name: str) -> NDArray[np.float64]:
    """Read a column, ``(T,)`` float64."""
    return np.array(vtk_to_numpy(table.GetTable().GetColumnByName(name)))


def curve_series(scene, table, x: str, y: str, colour: tuple[int, int, int], width: float):
    """A curve. Slicer draws a *scatter* with lines over x; its *line* knows no x."""
    node = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", y)
    node.SetAndObserveTableNodeID(table.GetID())
    node.SetXColumnName(x)
    node.SetYColumnName(y)
    node.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
    node.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
    node.SetLineStyle(slicer.vtkMRMLPlotSeriesNode.LineStyleSolid)
    node.SetLineWidth(width)
    node.SetColor(*unit_colour(colour))
    return node
