"""The names of Qt, CTK and Slicer's widgets that the extension uses, with the header that declares each.

Read in the sources of Slicer 5.12, CTK 5056664a and Qt 5.15; whoever uses another name looks it up and adds it here.
"""

CLASSES = {
    # Qt
    *("QCheckBox", "QComboBox", "QDoubleSpinBox", "QFileDialog", "QKeySequence", "QLabel", "QLineEdit"),
    *("QListWidget", "QPlainTextEdit", "QProgressBar", "QPushButton", "QShortcut", "QTimer", "QWidget"),
    # CTK: Libs/Widgets/ctkCollapsibleButton.h, ctkPathLineEdit.h
    *("ctkCollapsibleButton", "ctkPathLineEdit"),
    # Slicer: Libs/MRML/Widgets/qMRML*.h, Modules/Loadable/Sequences/Widgets/qMRMLSequenceBrowserSeekWidget.h
    *("qMRMLNodeComboBox", "qMRMLTableView", "qMRMLWidget", "qMRMLSequenceBrowserSeekWidget"),
    # Modules/Scripted/SampleData/SampleData.py
    "SampleDataLogic",
}

ATTRIBUTES = {
    # QWidget, QAbstractButton
    *("enabled", "visible", "toolTip", "text", "checked", "click", "connect", "setVisible"),
    # QComboBox, QListWidget
    *("addItem", "addItems", "clear", "count", "currentData", "currentIndex", "currentRow", "currentText"),
    *("item", "itemText"),
    # QProgressBar, QDoubleSpinBox, QPlainTextEdit
    *("maximum", "value", "plainText"),
    # ctkPathLineEdit.h: Q_PROPERTY currentPath
    "currentPath",
    # qMRMLNodeComboBox.h, qMRMLTableView.h, qMRMLSequenceBrowserSeekWidget.h
    *("currentNode", "setMRMLTableNode", "setMRMLSequenceBrowserNode"),
    # Base/QTGUI/qSlicerApplication.h, Base/QTCore/qSlicerCoreApplication.h
    *("layoutManager", "processEvents"),
}

SIGNALS = {
    # Qt
    *("clicked()", "toggled(bool)", "timeout()", "activated()", "currentIndexChanged(int)"),
    "itemClicked(QListWidgetItem*)",
    # Base/QTCore/qSlicerCoreApplication.h
    "startupCompleted()",
    # Libs/MRML/Widgets/qMRMLPlotView.h
    "dataSelected(vtkStringArray*, vtkCollection*)",
}
