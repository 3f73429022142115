"""A slice view off the screen: Slicer's own slice logic, displayable managers and interactor style, drawn by VTK."""

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from slicer_scene import SlicerScene


class SliceView:
    """The view ``Red`` of a scene in a window of its own that nobody sees."""

    def __init__(self, app: SlicerScene, width: int = 640, height: int = 480) -> None:
        self._app, self.size = app, (width, height)
        self._renderer = vtk.vtkRenderer()
        self._renderer.GetActiveCamera().ParallelProjectionOn()
        overlay = vtk.vtkRenderer()
        overlay.GetActiveCamera().ParallelProjectionOn()
        overlay.SetLayer(1)
        self._window = vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetNumberOfLayers(2)
        self._window.AddRenderer(self._renderer)
        self._window.AddRenderer(overlay)
        self._window.SetSize(width, height)
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self._interactor.Initialize()
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(app.app)
        if not factory.IsDisplayableManagerRegistered("vtkMRMLMarkupsDisplayableManager"):
            factory.RegisterDisplayableManager("vtkMRMLMarkupsDisplayableManager")
        self._managers = slicer.vtkMRMLDisplayableManagerGroup()
        self._managers.SetRenderer(self._renderer)
        self._managers.Initialize(factory, self._renderer)
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(app.app)
        app.app.GetSliceLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(app.scene)
        self.node = app.scene.GetSingletonNode("Red", "vtkMRMLSliceNode") or self.logic.AddSliceNode("Red")
        self.logic.SetSliceNode(self.node)
        self._managers.SetMRMLDisplayableNode(self.node)
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._style.SetSliceLogic(self.logic)
        self._style.SetDisplayableManagers(self._managers)
        self._interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self._style.SetInteractor(self._interactor)
        self._mapper = mapper = vtk.vtkImageMapper()
        mapper.SetColorWindow(255)
        mapper.SetColorLevel(127.5)
        image = vtk.vtkActor2D()
        image.SetMapper(mapper)
        image.GetProperty().SetDisplayLocationToBackground()
        self._renderer.AddViewProp(image)

    def fit(self) -> None:
        """Show the whole background image."""
        self.node.SetOrientationToAxial()
        self.logic.ResizeSliceNode(*self.size)
        self.logic.FitSliceToBackground()
        self.logic.SnapSliceOffsetToIJK()

    def picture(self, path=None) -> np.ndarray:
        """Draw; ``(H, W, 3)`` uint8, row 0 on top. Written as PNG too where a path is given."""
        self._mapper.SetInputConnection(self.logic.GetImageDataConnection())
        self._window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self._window)
        grab.ReadFrontBufferOff()
        grab.Update()
        if path:
            writer = vtk.vtkPNGWriter()
            writer.SetInputConnection(grab.GetOutputPort())
            writer.SetFileName(str(path))
            writer.Write()
        width, height = self.size
        return vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).reshape(height, width, -1)[
            ::-1, :, :3
        ]

    def xy(self, ras) -> tuple[float, float]:
        """Where a point ``(3,)`` RAS is in the window: x to the right, y up."""
        inverse = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self.node.GetXYToRAS(), inverse)
        return inverse.MultiplyPoint([*ras, 1.0])[:2]

    def press(self, ras) -> None:
        """Take hold of what is at a point."""
        self._event("MouseMoveEvent", *self.xy(ras))
        self._event("LeftButtonPressEvent", *self.xy(ras))

    def move(self, start, end, steps: int = 15) -> None:
        """Move the mouse from a point to another."""
        (x0, y0), (x1, y1) = self.xy(start), self.xy(end)
        for step in range(1, steps + 1):
            self._event("MouseMoveEvent", x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps)

    def release(self, ras) -> None:
        """Let go."""
        self._event("LeftButtonReleaseEvent", *self.xy(ras))

    def drag(self, start, end) -> None:
        """Drag with the left button."""
        self.press(start)
        self.move(start, end)
        self.release(end)

    def _event(self, name: str, x: float, y: float) -> None:
        self._interactor.SetEventInformation(round(x), round(y), 0, 0, chr(0), 0, None)
        self._interactor.InvokeEvent(name)
