"""The module ``qt`` as PythonQt gives it, on PySide6: Qt properties are attributes, signals are connected by signature.

``label.text`` is the text and ``label.text()`` fails, as in Slicer; a signal or slot that does not exist raises.
"""

import os
import types

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

_NOT_ATTRIBUTES = ("parent",)


def connect(self, signal, slot):
    """``object.connect("clicked(bool)", function)``."""
    _signal(self, signal).connect(slot)
    return True


def disconnect(self, signal, slot):
    """The reverse of `connect`."""
    _signal(self, signal).disconnect(slot)
    return True


def add_methods(cls):
    """Give a class PythonQt's ways: properties as attributes, `connect` by signature."""
    cls.connect, cls.disconnect = connect, disconnect
    meta = cls.staticMetaObject
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        name = meta.property(index).name()
        if name not in _NOT_ATTRIBUTES:
            setattr(cls, name, _property(name))
    return cls


def make_module():
    """Make the module ``qt``."""
    module = types.ModuleType("qt")
    for source in (QtCore, QtGui, QtWidgets, QtUiTools):
        for name in dir(source):
            if not name.startswith("_"):
                setattr(module, name, getattr(source, name))
    for source in (QtCore, QtGui, QtWidgets):
        for name in dir(source):
            cls = getattr(source, name)
            if isinstance(cls, type) and issubclass(cls, QtCore.QObject):
                add_methods(cls)
    # PySide hard-wires QObject.connect; only a look-up of our own comes before it.
    QtCore.QObject.__getattribute__ = _getattribute
    return module


def _getattribute(self, name):
    if name == "connect":
        return types.MethodType(connect, self)
    if name == "disconnect":
        return types.MethodType(disconnect, self)
    value = object.__getattribute__(self, name)
    if isinstance(value, QtCore.Property):  # of our doubles; PySide's own look-up is overridden here
        return QtCore.QObject.property(self, name)
    return value


def _signal(sender, signature):
    normal = bytes(QtCore.QMetaObject.normalizedSignature(signature)).decode()
    meta = sender.metaObject()
    name = normal.partition("(")[0]
    signals = [bytes(meta.method(i).methodSignature()).decode() for i in range(meta.methodCount())]
    # PySide names the arguments of signals that are declared in Python otherwise than C++ does.
    if normal not in signals and not (normal in getattr(sender, "SIGNALS", ()) and hasattr(sender, name)):
        raise AttributeError(f"{meta.className()} has no signal {signature}")
    return getattr(sender, name)


def _property(name):
    return property(
        lambda self: QtCore.QObject.property(self, name),
        lambda self, value: QtCore.QObject.setProperty(self, name, value),
    )
