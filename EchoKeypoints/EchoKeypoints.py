"""EchoKeypoints in 3D Slicer: see, correct and measure the left ventricle in parasternal-long-axis cines.

Thin on purpose: `EchoKeypointsLib.controller` acts, `actions` says what buttons do, `panel` what is shown. For
research use only.
"""

from __future__ import annotations

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

_POLL_MS = 40
_FORMATS = "Clips (*.dcm *.dicom *.avi *.mp4 *.mov *.mkv *.gif *.npz *.npy *.nrrd *.mha);;All files (*)"


class EchoKeypoints(ScriptedLoadableModule):
    """What Slicer shows of the module in its menus."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("EchoKeypoints")
        self.parent.categories = ["Cardiac"]
        self.parent.dependencies = ["Sequences", "Markups", "Plots", "Tables"]
        self.parent.contributors = ["The EchoKeypoints authors"]
        self.parent.helpText = _(
            "Follows four landmarks of the left ventricle through a parasternal-long-axis cine and measures septum, "
            "cavity and posterior wall. For research use only: not for diagnosis or treatment."
        )
        self.parent.acknowledgementText = _(
            "An implementation of Oh, Lee et al., Semi-supervised Key-Point Estimation for Echocardiography Video."
        )
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)

    def onStartupCompleted(self):
        """Offer the layout and the sample clip."""
        from EchoKeypointsLib import layout, loading

        layout.register(slicer.mrmlScene)
        loading.offer_sample(self.resourcePath("Icons/EchoKeypoints.png"))


class EchoKeypointsFileReader:
    """Lets Slicer's Add Data, drag and drop and Sample Data open clips with the engine's readers."""

    def __init__(self, parent):
        self.parent = parent

    def description(self):
        """What the file dialog calls it."""
        return "Echo clip (EchoKeypoints)"

    def fileType(self):
        """The name for scripts."""
        from EchoKeypointsLib.loading import FILE_TYPE

        return FILE_TYPE

    def extensions(self):
        """Endings that are offered."""
        from EchoKeypointsLib.loading import ENDINGS

        return [f"{self.description()} (*{ending})" for ending in ENDINGS]

    def canLoadFile(self, filePath):
        """Whether the ending is one of ours."""
        from EchoKeypointsLib.loading import ENDINGS

        return filePath.lower().endswith(ENDINGS)

    def load(self, properties):
        """Bring a file into the scene; Slicer waits for it."""
        from EchoKeypointsLib.loading import load_now
        from EchoKeypointsLib.packages import ensure_packages

        if not ensure_packages():
            return False
        try:
            study = load_now(slicer.mrmlScene, properties["fileName"])
        except Exception as error:
            self.parent.userMessages().AddMessage(vtk.vtkCommand.ErrorEvent, str(error))
            return False
        self.parent.loadedNodes = [study.browser.GetID()]
        return True


class EchoKeypointsWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._parameterNode = None
        self._parameterNodeTag = None
        self._layoutBefore = None
        self._timer = None
        self._shortcuts = []
        self._actions = None
        self._display = None
        self._curveClicks = None

    def setup(self):
        """Build the panel; called once."""
        ScriptedLoadableModuleWidget.setup(self)
        self.uiWidget = slicer.util.loadUI(self.resourcePath("UI/EchoKeypoints.ui"))
        self.layout.addWidget(self.uiWidget)
        self.ui = slicer.util.childWidgetVariables(self.uiWidget)
        self.uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = EchoKeypointsLogic()
        self._connectSignals()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL_MS)
        self._timer.connect("timeout()", self.onTimer)
        self._timer.start()
        self.initializeParameterNode()
        self.logic.controller.restore()
        self._display.refresh()

    def _connectSignals(self):
        from EchoKeypointsLib.actions import ON_SERVER, Actions
        from EchoKeypointsLib.curve_click import CurveClicks
        from EchoKeypointsLib.packages import ensure_packages
        from EchoKeypointsLib.panel import Display

        controller, desk, worklist, ui = self.logic.controller, self.logic.desk, self.logic.worklist, self.ui
        controller.who = lambda: self._parameterNode.reader.strip() or "reader"
        self._display = Display(ui, controller, desk, worklist)
        self._actions = Actions(ui, controller, desk, worklist, ensure_packages, self.askToSend)
        self._curveClicks = CurveClicks(self._actions.go_to_clicked)
        for name, slot in self._actions.clicks().items():
            getattr(ui, name).connect("clicked()", self._guarded(slot))
        ui.openFileButton.connect("clicked()", self._guarded(self.onOpenFile))
        ui.sampleButton.connect("clicked()", self._guarded(self.onSample))
        ui.calibrateButton.connect("toggled(bool)", self._guarded(self._actions.calibrate))
        ui.auditButton.connect("toggled(bool)", ui.auditText.setVisible)
        ui.placeComboBox.connect(
            "currentIndexChanged(int)", lambda index: ui.serverBox.setVisible(index == ON_SERVER)
        )
        ui.doubtfulList.connect("itemClicked(QListWidgetItem*)", self._actions.go_to_listed_frame)
        ui.beatList.connect("itemClicked(QListWidgetItem*)", self._actions.go_to_listed_beat)

    def _guarded(self, slot):
        """Turn what a user may see into a sentence in the panel; anything else goes to Slicer's error log."""
        from echo_keypoints.errors import EchoKeypointsError

        def run(*arguments):
            try:
                slot(*arguments)
            except EchoKeypointsError as error:
                self._display.say(str(error))

        return run

    # --- life cycle

    def enter(self):
        """The module is shown: take the review layout and the keys."""
        from EchoKeypointsLib import layout
        from EchoKeypointsLib.actions import KEYS

        self.initializeParameterNode()
        self._layoutBefore = layout.show(slicer.mrmlScene)
        self._curveClicks.start()
        for key, button in KEYS.items():
            shortcut = qt.QShortcut(slicer.util.mainWindow())
            shortcut.setKey(qt.QKeySequence(key))
            shortcut.connect("activated()", getattr(self.ui, button).click)
            self._shortcuts.append(shortcut)
        controller = self.logic.controller
        if controller.study and controller.study.complete:
            controller.select(controller.study)
        else:  # e.g. its browser was deleted
            controller.restore()

    def exit(self):
        """Another module is shown: give keys and layout back."""
        from EchoKeypointsLib import layout

        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts = []
        layout.restore(slicer.mrmlScene, self._layoutBefore)

    def cleanup(self):
        """Slicer closes, or the module is loaded again."""
        self._timer.stop()
        self._curveClicks.stop()
        self._disconnectGui()
        self.removeObservers()
        self.logic.controller.close()

    def onSceneStartClose(self, caller, event):
        """Stop what is under way: its scene goes."""
        self._disconnectGui()
        self._actions.forget()
        self.logic.controller.reset()

    def onSceneEndClose(self, caller, event):
        """Be ready for a new scene."""
        self.initializeParameterNode()
        self._display.refresh()

    def onSceneEndImport(self, caller, event):
        """Take up the work of a scene that was loaded, unless a clip is at hand already."""
        self.initializeParameterNode()
        self.logic.controller.restore()

    def initializeParameterNode(self):
        """Bind what the user types to the scene, unless it is."""
        wrapper = self.logic.getParameterNode()
        bound = self._parameterNodeTag is not None  # not after a scene was closed, which its node outlives
        if bound and self._parameterNode.parameterNode is wrapper.parameterNode:
            return
        self._disconnectGui()
        self._parameterNode = wrapper
        self._parameterNodeTag = wrapper.connectGui(self.ui)

    def _disconnectGui(self):
        if self._parameterNode is not None and self._parameterNodeTag is not None:
            self._parameterNode.disconnectGui(self._parameterNodeTag)
        self._parameterNodeTag = None

    def onTimer(self):
        """Some twenty-five times a second."""
        self.logic.controller.poll()
        self._guarded(self._actions.follow_ruler)()

    # --- questions

    def onOpenFile(self):
        """Ask for a file, and open it."""
        path = qt.QFileDialog.getOpenFileName(self.uiWidget, _("Open an echo clip"), "", _FORMATS)
        self._actions.open_file(path)

    def onSample(self):
        """Open the phantom that comes with the extension."""
        from EchoKeypointsLib.engine import sample_clip

        self._actions.open_file(str(sample_clip()))

    def askToSend(self, url):
        """Ask before a clip leaves this computer."""
        return slicer.util.confirmOkCancelDisplay(
            _(
                "The clip will be sent to {url}. It may hold the patient's name in its header or in its pixels."
            ).format(url=url)
        )


class EchoKeypointsLogic(ScriptedLoadableModuleLogic):
    """What the panel does, for scripts too: ``EchoKeypointsLogic().controller``."""

    def __init__(self):
        from EchoKeypointsLib.controller import Controller
        from EchoKeypointsLib.desk import ServerDesk
        from EchoKeypointsLib.worklist import Worklist

        ScriptedLoadableModuleLogic.__init__(self)
        self.controller = Controller()
        self.desk = ServerDesk(self.controller)
        self.worklist = Worklist(self.controller)

    def getParameterNode(self):
        """Give what the user typed."""
        from EchoKeypointsLib.parameters import EchoKeypointsParameterNode

        return EchoKeypointsParameterNode(super().getParameterNode())


class EchoKeypointsTest(ScriptedLoadableModuleTest):
    """Self-test, run inside Slicer: the sample clip from opening to export."""

    def setUp(self):
        """Start with an empty scene."""
        slicer.mrmlScene.Clear(0)

    def runTest(self):
        """Run all tests."""
        self.setUp()
        self.test_story()

    def test_story(self):
        """Open, analyse, correct, undo, save as Slicer would."""
        from EchoKeypointsLib.engine import sample_clip
        from EchoKeypointsLib.selftest import run_story

        self.delayDisplay("Starting")
        logic = EchoKeypointsLogic()
        try:
            run_story(logic.controller, sample_clip(), slicer.app.processEvents)
        finally:
            logic.controller.close()
        self.delayDisplay("Passed")
