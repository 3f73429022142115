"""Doubles of the ctk and qMRML widgets that the panel uses; real enough for a picture of the panel."""

from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal

from stand_in.pythonqt import connect, disconnect


class qMRMLWidget(QtWidgets.QWidget):
    """Hands the scene on to its children."""

    mrmlSceneChanged = Signal(object)
    SIGNALS = ("mrmlSceneChanged(vtkMRMLScene*)",)

    def setMRMLScene(self, scene):
        for child in self.findChildren(QtWidgets.QWidget):
            if hasattr(child, "setMRMLScene"):
                child.setMRMLScene(scene)


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """A list of the scene's nodes of some classes."""

    currentNodeChanged = Signal(object)
    SIGNALS = ("currentNodeChanged(vtkMRMLNode*)",)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._types, self._node, self._flags = [], None, {}
        box = QtWidgets.QHBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        self._combo = QtWidgets.QComboBox()
        self._combo.addItem("Select a sequence")
        box.addWidget(self._combo)

    def setMRMLScene(self, scene):
        self._scene = scene

    def currentNode(self):
        return self._node

    def setCurrentNode(self, node):
        if node is not None and node.GetClassName() not in self._types:
            raise ValueError(f"{node.GetClassName()} is none of {self._types}")
        self._node = node
        self._combo.setItemText(0, node.GetName() if node else "Select a sequence")
        self.currentNodeChanged.emit(node)

    nodeTypes = Property(
        "QStringList", lambda self: self._types, lambda self, value: setattr(self, "_types", value)
    )
    addEnabled = Property(bool, lambda self: False, lambda self, value: None)
    removeEnabled = Property(bool, lambda self: False, lambda self, value: None)
    noneEnabled = Property(bool, lambda self: True, lambda self, value: None)


class qMRMLTableView(QtWidgets.QTableView):
    """Shows a table node."""

    def setMRMLScene(self, scene):
        self._scene = scene

    def mrmlTableNode(self):
        return getattr(self, "_node", None)

    def setMRMLTableNode(self, node):
        self._node = node
        from PySide6.QtGui import QStandardItem, QStandardItemModel

        model = QStandardItemModel()
        table = node.GetTable() if node else None
        for column in range(table.GetNumberOfColumns() if table else 0):
            model.setHorizontalHeaderItem(column, QStandardItem(table.GetColumnName(column)))
            for row in range(table.GetNumberOfRows()):
                model.setItem(row, column, QStandardItem(table.GetValue(row, column).ToString()))
        self._model = model
        self.setModel(model)
        self.resizeColumnsToContents()


class qMRMLSequenceBrowserSeekWidget(QtWidgets.QWidget):
    """A slider over the frames of a sequence."""

    def __init__(self, parent=None):
        super().__init__(parent)
        box = QtWidgets.QHBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal)
        box.addWidget(self._slider)
        self._browser = None
        self._slider.valueChanged.connect(self._moved)

    def setMRMLScene(self, scene):
        self._scene = scene

    def slider(self):
        return self._slider

    def setMRMLSequenceBrowserNode(self, browser):
        self._browser = browser
        if browser:
            self._slider.setMaximum(browser.GetNumberOfItems() - 1)
            self._slider.setValue(browser.GetSelectedItemNumber())

    def _moved(self, value):
        if self._browser and self._browser.GetSelectedItemNumber() != value:
            self._browser.SetSelectedItemNumber(value)


class ctkCollapsibleButton(QtWidgets.QWidget):
    """A titled section that can be folded up."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._text, self._collapsed = "", False
        self.setContentsMargins(0, 22, 0, 4)

    def paintEvent(self, event):
        from PySide6.QtGui import QPainter

        painter = QPainter(self)
        painter.fillRect(0, 0, self.width, 22, self.palette.button())
        painter.drawText(8, 16, f"{'▸' if self._collapsed else '▾'}  {self._text}")

    def _set_collapsed(self, value):
        self._collapsed = value
        self.setMaximumHeight(24 if value else 16777215)
        for child in self.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindDirectChildrenOnly):
            child.setVisible(not value)

    text = Property(str, lambda self: self._text, lambda self, value: setattr(self, "_text", value))
    collapsed = Property(bool, lambda self: self._collapsed, _set_collapsed)


class ctkPathLineEdit(QtWidgets.QWidget):
    """A line for a path, and a button to browse."""

    currentPathChanged = Signal(str)
    SIGNALS = ("currentPathChanged(QString)",)

    def __init__(self, parent=None):
        super().__init__(parent)
        box = QtWidgets.QHBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        self._line, browse = QtWidgets.QLineEdit(), QtWidgets.QToolButton()
        browse.setText("…")
        box.addWidget(self._line)
        box.addWidget(browse)
        self._line.textChanged.connect(self.currentPathChanged)

    currentPath = Property(
        str,
        lambda self: QtCore.QObject.property(self._line, "text"),
        lambda self, value: self._line.setText(value),
    )


WIDGETS = (
    *(qMRMLWidget, qMRMLNodeComboBox, qMRMLTableView, qMRMLSequenceBrowserSeekWidget),
    *(ctkCollapsibleButton, ctkPathLineEdit),
)
for _cls in WIDGETS:
    _cls.connect, _cls.disconnect = connect, disconnect
