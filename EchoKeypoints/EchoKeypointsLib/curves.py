"""The curves: one table, its series, one chart, and a time cursor. One row a frame, so that a click gives a frame.

Columns: time, then IVS, LVID, LVPW (smoothed where the engine smoothed them), then LVID again on the frames of each
kind of mark (ED, ES, corrected), NaN elsewhere. Behind the curves lies the `shading` of the confidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import slicer
from numpy.typing import NDArray

from echo_keypoints.anatomy import SEGMENTS
from EchoKeypointsLib.tables import add_table, curve_series, write_column

TIME = "time"
ED, ES, CORRECTED = "ED", "ES", "corrected"
_INK = (70, 80, 95)
_ED_COLOUR, _ES_COLOUR, _CORRECTED_COLOUR = (206, 60, 60), (60, 110, 206), (150, 70, 190)
_CURVE_COLOURS = {
    "IVS": (224, 112, 40),
    "LVID": (60, 66, 78),
    "LVPW": (30, 150, 150),
}  # on Slicer's white charts


_LEGEND_SHARE = 0.17
"""Of the time axis, kept free on the right for the legend."""


def add_curves(
    scene: slicer.vtkMRMLScene,
    times_s: NDArray[np.float64],
    below: Mapping[str, slicer.vtkMRMLPlotSeriesNode],
    times_known: bool = True,
):
    """Add table, cursor table, series and chart; empty until `show_lengths`.

    Args:
        scene: to add to.
        times_s: ``(T,)`` of the frames.
        below: series that are drawn first.
        times_known: False where the times are assumed, which the axis then says.

    Returns:
        table, cursor table, {name: series}, chart.
    """
    nothing = np.full(len(times_s), np.nan)
    marks = (ED, ES, CORRECTED)
    names = [TIME, *(segment.name for segment in SEGMENTS), *marks]
    table = add_table(scene, "EchoKeypoints curves", {n: times_s if n == TIME else nothing for n in names})
    table.SetColumnUnitLabel(TIME, "s")
    cursor = add_table(scene, "EchoKeypoints cursor", {"x": np.zeros(2), "y": np.array([0.0, 1.0])})
    series = dict(below)
    for segment in SEGMENTS:
        series[segment.name] = curve_series(scene, table, TIME, segment.name, _CURVE_COLOURS[segment.name], 3)
    series[ED] = _marks(scene, table, ED, "MarkerStyleSquare", _ED_COLOUR, 12)
    series[ES] = _marks(scene, table, ES, "MarkerStyleDiamond", _ES_COLOUR, 13)
    series[CORRECTED] = _marks(scene, table, CORRECTED, "MarkerStyleCross", _CORRECTED_COLOUR, 12)
    series["cursor"] = curve_series(scene, cursor, "x", "y", _INK, 2)
    series["cursor"].SetName("now")
    series["cursor"].SetLineStyle(slicer.vtkMRMLPlotSeriesNode.LineStyleDash)
    chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", "EchoKeypoints chart")
    for node in series.values():
        chart.AddAndObservePlotSeriesNodeID(node.GetID())
    chart.SetXAxisTitle("time (s)" if times_known else "time (s), assumed")
    chart.SetLegendVisibility(True)
    chart.SetXAxisRangeAuto(False)
    chart.SetYAxisRangeAuto(False)
    first, last = float(times_s[0]), float(times_s[-1])
    chart.SetXAxisRange(first, last + _LEGEND_SHARE * (last - first))
    return table, cursor, series, chart


def show_lengths(
    table,
    cursor,
    chart,
    lengths: Mapping[str, NDArray[np.float64]],
    unit: str,
    marks: Mapping[str, Sequence[int]],
) -> None:
    """Write the curves and their marks.

    Args:
        table, cursor, chart: of `add_curves`.
        lengths: segment → ``(T,)`` in `unit`, NaN where it is not measurable.
        unit: ``mm`` or ``px``.
        marks: ED, ES, CORRECTED → frames.
    """
    for name, values in lengths.items():
        write_column(table, name, values)
        table.SetColumnUnitLabel(name, unit)
    lvid = np.asarray(lengths["LVID"])
    for name, frames in marks.items():
        marked = np.full(len(lvid), np.nan)
        marked[list(frames)] = lvid[list(frames)]
        write_column(table, name, marked)
    highest = max((np.nanmax(v) for v in lengths.values() if np.isfinite(v).any()), default=1.0)
    top = 1.15 * float(highest)
    write_column(cursor, "y", np.array([0.0, top]))
    chart.SetYAxisRange(0.0, top)
    chart.SetYAxisTitle(f"length ({unit})")
    for node in (table, cursor):
        node.GetTable().Modified()
        node.Modified()


def move_cursor(cursor, time_s: float) -> None:
    """Show the time of the present frame in the chart."""
    write_column(cursor, "x", np.array([time_s, time_s]))
    cursor.GetTable().Modified()


def _marks(scene, table, y: str, style: str, colour: tuple[int, int, int], size: float):
    """Marks without a line."""
    node = curve_series(scene, table, TIME, y, colour, 1)
    node.SetLineStyle(slicer.vtkMRMLPlotSeriesNode.LineStyleNone)
    node.SetMarkerStyle(getattr(slicer.vtkMRMLPlotSeriesNode, style))
    node.SetMarkerSize(size)
    return node
