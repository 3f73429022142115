"""A click on a curve goes to its frame: rows of the curves' table are frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from vtk.util.numpy_support import vtk_to_numpy

from EchoKeypointsLib import layout, shading
from EchoKeypointsLib.study import Study

_SIGNAL = "dataSelected(vtkStringArray*, vtkCollection*)"


class CurveClicks:
    """Listens to our plot view.

    Args:
        clicked: is given the series' ids and the selections, as the view does.
    """

    def __init__(self, clicked: Callable[[Any, Any], None]) -> None:
        self._clicked = clicked
        self._view: Any = None

    def start(self) -> None:
        """Listen to the view of the review layout, if it is there."""
        manager = slicer.app.layoutManager()
        for index in range(manager.plotViewCount if manager else 0):
            widget = manager.plotWidget(index)
            if self._view is None and widget.mrmlPlotViewNode().GetSingletonTag() == layout.PLOT_VIEW:
                self._view = widget.plotView()
                self._view.connect(_SIGNAL, self._clicked)

    def stop(self) -> None:
        """Listen no more."""
        if self._view is not None:
            self._view.disconnect(_SIGNAL, self._clicked)
            self._view = None


def clicked_frame(study: Study, series_ids: Any, selections: Any) -> int | None:
    """Give the frame of the first point that was clicked on one of our curves, or None.

    Args:
        study: whose curves.
        series_ids: vtkStringArray, ids of the plot series with clicked points.
        selections: vtkCollection of vtkIdTypeArray, the rows of each.
    """
    for index in range(series_ids.GetNumberOfValues()):
        series = study.scene.GetNodeByID(series_ids.GetValue(index))
        rows = selections.GetItemAsObject(index)
        if series is None or not rows.GetNumberOfValues():
            continue
        row = int(vtk_to_numpy(rows)[0])
        if series.GetTableNode() is study.get("table"):
            return row
        if series.GetTableNode() is study.get("shading"):
            return shading.frame_of_row(row, study.header.frame_count)
    return None
