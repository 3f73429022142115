"""``slicer.app``, ``slicer.util`` and the importable modules, put in place by `install`."""

import pathlib
import sys
import types
from xml.etree import ElementTree

import slicer
import slicer.util
from PySide6 import QtCore, QtUiTools, QtWidgets

from stand_in import modules, pythonqt, widgets


class Messages:
    """What `install` gives back: what the user was told and asked, and what he answers."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.questions: list[str] = []
        self.answer = True
        self.file = ""
        self.installed = 0
        self.declines = False


class _App(QtCore.QObject):
    startupCompleted = QtCore.Signal()
    SIGNALS = ("startupCompleted()",)

    def __init__(self, manager) -> None:
        super().__init__()
        self._manager = manager

    def layoutManager(self):
        return self._manager

    def processEvents(self):
        QtWidgets.QApplication.processEvents()


class PlotView(QtWidgets.QWidget):
    """Where a click on a curve comes from."""

    dataSelected = QtCore.Signal(object, object)
    SIGNALS = ("dataSelected(vtkStringArray*,vtkCollection*)",)


class _PlotWidget:
    def __init__(self, node) -> None:
        self._node, self.view = node, PlotView()

    def mrmlPlotViewNode(self):
        return self._node

    def plotView(self):
        return self.view


class LayoutManager:
    """Plot widgets of the plot view nodes of the scene."""

    def __init__(self) -> None:
        self.widgets = {}

    @property
    def plotViewCount(self):
        return slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLPlotViewNode")

    def plotWidget(self, index):
        node = slicer.mrmlScene.GetNthNodeByClass(index, "vtkMRMLPlotViewNode")
        return self.widgets.setdefault(node.GetID(), _PlotWidget(node))


def install(module_file: pathlib.Path) -> Messages:
    """Put all stand-ins in place, once a process.

    Args:
        module_file: EchoKeypoints.py.
    """
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    messages = Messages()
    qt = pythonqt.make_module()
    # PythonQt gives the path alone.
    qt.QFileDialog = types.SimpleNamespace(getOpenFileName=lambda *arguments: messages.file)
    ctk = types.ModuleType("ctk")
    for cls in (*widgets.WIDGETS, PlotView, _App):
        cls.connect, cls.disconnect = pythonqt.connect, pythonqt.disconnect
        setattr(ctk if cls.__name__.startswith("ctk") else slicer, cls.__name__, cls)
    slicer.app = _App(LayoutManager())
    slicer.app.application = application
    slicer.dicomDatabase = None
    window = QtWidgets.QMainWindow()
    util = slicer.util
    util.mainWindow = lambda: window
    util.modulePath = lambda name: str(module_file)
    util.loadUI = _load_ui
    util.childWidgetVariables = _children
    util.errorDisplay = lambda text, **_: messages.errors.append(text)
    util.confirmOkCancelDisplay = lambda text, **_: messages.questions.append(text) or messages.answer
    _module("slicer.i18n", tr=lambda text: text)
    _module("slicer.ScriptedLoadableModule", **{n: getattr(modules, n) for n in _BASES})
    _module(
        "slicer.parameterNodeWrapper",
        parameterNodeWrapper=modules.parameterNodeWrapper,
        WithinRange=modules.WithinRange,
    )

    def pip_ensure(requirements, requester):
        if messages.declines:
            raise RuntimeError("The user declined.")
        messages.installed += 1

    def load_requirements(path):
        return [line for line in pathlib.Path(path).read_text().splitlines() if line and line[0] != "#"]

    slicer.packaging = _module("slicer.packaging", pip_ensure=pip_ensure, load_requirements=load_requirements)
    sys.modules.update(qt=qt, ctk=ctk)
    return messages


_BASES = (
    *("ScriptedLoadableModule", "ScriptedLoadableModuleWidget"),
    *("ScriptedLoadableModuleLogic", "ScriptedLoadableModuleTest"),
)


def _module(name, **members):
    module = types.ModuleType(name)
    vars(module).update(members)
    sys.modules[name] = module
    return module


class _Loader(QtUiTools.QUiLoader):
    def createWidget(self, class_name, parent=None, name=""):
        for cls in widgets.WIDGETS:
            if cls.__name__ == class_name:
                widget = cls(parent)
                widget.setObjectName(name)
                return widget
        return super().createWidget(class_name, parent, name)


def _load_ui(path):
    tree = ElementTree.parse(path)
    tree.getroot().remove(
        tree.find("connections")
    )  # PySide's signals have other signatures; `qMRMLWidget` does it
    for widget in tree.iter("widget"):
        for item in widget.findall("property[@name='filters']"):  # an enumeration of ctk's
            widget.remove(item)
    buffer = QtCore.QBuffer()
    buffer.setData(ElementTree.tostring(tree.getroot()))
    buffer.open(QtCore.QIODevice.ReadOnly)
    return _Loader().load(buffer)


def _children(widget):
    found = widget.findChildren(QtWidgets.QWidget)
    return types.SimpleNamespace(**{w.objectName: w for w in found if w.objectName})
