"""The chart drawn off the screen by VTK from the plot nodes of the scene. (Slicer's own plot view is a Qt widget.)"""

import slicer
import vtk

_MARKERS = {
    "none": vtk.vtkPlotPoints.NONE,
    "cross": vtk.vtkPlotPoints.CROSS,
    "plus": vtk.vtkPlotPoints.PLUS,
    "square": vtk.vtkPlotPoints.SQUARE,
    "circle": vtk.vtkPlotPoints.CIRCLE,
    "diamond": vtk.vtkPlotPoints.DIAMOND,
}
_LINES = {"none": vtk.vtkPen.NO_PEN, "solid": vtk.vtkPen.SOLID_LINE, "dash": vtk.vtkPen.DASH_LINE}


def draw_chart(chart: slicer.vtkMRMLPlotChartNode, path, width: int = 1000, height: int = 360) -> None:
    """Write a chart node as PNG."""
    view = vtk.vtkContextView()
    view.GetRenderer().SetBackground(1, 1, 1)
    window = view.GetRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetSize(width, height)
    drawn = vtk.vtkChartXY()
    view.GetScene().AddItem(drawn)
    drawn.SetShowLegend(chart.GetLegendVisibility())
    drawn.GetLegend().SetHorizontalAlignment(vtk.vtkChartLegend.RIGHT)
    for index in range(chart.GetNumberOfPlotSeriesNodes()):
        series = chart.GetNthPlotSeriesNode(index)
        line = series.GetLineStyleAsString(series.GetLineStyle())
        marker = series.GetMarkerStyleAsString(series.GetMarkerStyle())
        plot = drawn.AddPlot(vtk.vtkChart.LINE)
        plot.SetInputData(series.GetTableNode().GetTable(), series.GetXColumnName(), series.GetYColumnName())
        plot.SetLabel(series.GetName())
        plot.SetWidth(series.GetLineWidth())
        plot.SetColor(*(round(255 * c) for c in series.GetColor()), round(255 * series.GetOpacity()))
        plot.SetMarkerStyle(_MARKERS[marker])
        plot.SetMarkerSize(series.GetMarkerSize())
        plot.GetPen().SetLineType(_LINES[line])
    for axis, title, span in (
        (vtk.vtkAxis.BOTTOM, chart.GetXAxisTitle(), chart.GetXAxisRange()),
        (vtk.vtkAxis.LEFT, chart.GetYAxisTitle(), chart.GetYAxisRange()),
    ):
        drawn.GetAxis(axis).SetTitle(title)
        drawn.GetAxis(axis).SetBehavior(vtk.vtkAxis.FIXED)
        drawn.GetAxis(axis).SetRange(*span)
    window.Render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    writer = vtk.vtkPNGWriter()
    writer.SetInputConnection(grab.GetOutputPort())
    writer.SetFileName(str(path))
    writer.Write()
