"""Slicer's base classes of scripted modules and its parameter-node wrapper, as far as this extension uses them."""

import pathlib
import typing
import unittest

import slicer
from PySide6 import QtWidgets

from stand_in.pythonqt import connect, disconnect


class ScriptedLoadableModule:
    def __init__(self, parent):
        self.parent = parent
        self.moduleName = self.__class__.__name__

    def resourcePath(self, filename):
        return str(pathlib.Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / filename)


class ScriptedLoadableModuleWidget:
    def __init__(self, parent=None):
        self.moduleName = self.__class__.__name__.removesuffix("Widget")
        self.parent = parent or QtWidgets.QWidget()
        self.layout = QtWidgets.QVBoxLayout(self.parent)

    def resourcePath(self, filename):
        return str(pathlib.Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / filename)

    def setup(self):
        pass


class ScriptedLoadableModuleLogic:
    def __init__(self, parent=None):
        self.moduleName = self.__class__.__name__.removesuffix("Logic")

    def getParameterNode(self):
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.SetSingletonTag(self.moduleName)
            node.SetAttribute("ModuleName", self.moduleName)
            node.SetModuleName(self.moduleName)
            node.SetName(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    def runTest(self):
        pass

    def delayDisplay(self, message):
        print(message)


class WithinRange:
    def __init__(self, minimum, maximum):
        self.minimum, self.maximum = minimum, maximum


class _Field:
    """One typed value, kept as text in the node's parameters."""

    def __init__(self, name, kind, default):
        self.name, self.default = name, default
        self.range = next((a for a in getattr(kind, "__metadata__", ()) if isinstance(a, WithinRange)), None)
        self.type = typing.get_args(kind)[0] if self.range else kind

    def __get__(self, owner, cls=None):
        node = owner.parameterNode
        return self.type(node.GetParameter(self.name)) if node.HasParameter(self.name) else self.default

    def __set__(self, owner, value):
        if self.range and not self.range.minimum <= value <= self.range.maximum:
            raise ValueError(f"{self.name} must lie between {self.range.minimum} and {self.range.maximum}")
        owner.parameterNode.SetParameter(self.name, str(value))


def parameterNodeWrapper(cls):
    """Turn annotations into parameters; widgets are found by the dynamic property SlicerParameterName."""
    kinds = typing.get_type_hints(cls, include_extras=True)
    fields = {name: _Field(name, kind, getattr(cls, name)) for name, kind in kinds.items()}
    for name, field in fields.items():
        setattr(cls, name, field)

    def init(self, node):
        self.parameterNode = node

    def connect_gui(self, ui):
        links = []
        for widget in vars(ui).values():
            name = widget.property("SlicerParameterName") if hasattr(widget, "property") else None
            if not name:
                continue
            attribute, signal = _BINDINGS[type(widget).__name__]
            if name not in fields:
                raise ValueError(f"{name} is no parameter")

            def changed(value, name=name):
                if getattr(self, name) != fields[name].type(value):
                    setattr(self, name, fields[name].type(value))

            connect(widget, signal, changed)
            links.append((widget, attribute, signal, changed, name))

        def show(*_):
            for widget, attribute, _signal, _changed, name in links:
                value = getattr(self, name)
                value = str(value) if fields[name].type is pathlib.Path else value
                if getattr(widget, attribute) != value:
                    setattr(widget, attribute, value)

        show()
        return links, self.parameterNode.AddObserver("ModifiedEvent", show)

    def disconnect_gui(self, tag):
        links, observer = tag
        self.parameterNode.RemoveObserver(observer)
        for widget, _attribute, signal, slot, _name in links:
            disconnect(widget, signal, slot)

    cls.__init__, cls.connectGui, cls.disconnectGui = init, connect_gui, disconnect_gui
    return cls


_BINDINGS = {
    "QLineEdit": ("text", "textChanged(QString)"),
    "QDoubleSpinBox": ("value", "valueChanged(double)"),
    "ctkPathLineEdit": ("currentPath", "currentPathChanged(QString)"),
}
