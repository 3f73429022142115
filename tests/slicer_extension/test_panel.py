"""The panel through stand-ins of Qt: every button, what the user types, errors, and the scene closing in the middle."""

from types import SimpleNamespace

import numpy as np
import pytest
import slicer

from driving import settled, until
from EchoKeypointsLib import layout
from EchoKeypointsLib.geometry import px_to_ras


def test_every_button_does_something(panel):
    buttons = [w for w in vars(panel.ui).values() if type(w).__name__ == "QPushButton"]
    ours = {*panel._actions.clicks(), "openFileButton", "sampleButton", "calibrateButton", "auditButton"}
    assert {button.objectName for button in buttons} == ours


def test_open_analyse_and_cancel(panel, messages, sample):
    ui, controller = panel.ui, panel.logic.controller
    assert not ui.analyzeButton.enabled and not ui.cancelButton.enabled
    messages.file = str(sample)
    ui.openFileButton.click()
    assert not ui.openFileButton.enabled and ui.cancelButton.enabled
    until(panel, lambda: controller.study is not None and controller.task is None)
    assert "60 frames of 448 × 448, 40.0 fps" in ui.clipLabel.text and "mm per pixel" in ui.clipLabel.text
    assert not ui.calibrateButton.enabled and not ui.exportButton.enabled
    ui.analyzeButton.click()
    until(panel, lambda: ui.progressBar.value > 0)
    assert not ui.analyzeButton.enabled
    ui.cancelButton.click()
    until(panel, lambda: controller.task is None)
    assert controller.study.result is None and ui.analyzeButton.enabled
    ui.sexComboBox.currentIndex = 1
    ui.heightSpinBox.value, ui.weightSpinBox.value = 170, 65
    ui.analyzeButton.click()
    until(panel, lambda: controller.study.result is not None and controller.task is None)
    assert controller.study.result.measurements["patient"]["sex"] == "F"
    assert ui.measurementTable.mrmlTableNode() is controller.study.get("measurements")
    assert ui.exportButton.enabled and "Quality" in ui.qualityLabel.text
    assert messages.installed >= 2


def test_the_sample_button(panel):
    panel.ui.sampleButton.click()
    until(panel, lambda: panel.logic.controller.study is not None)
    assert panel.logic.controller.study.header.source == "plax_phantom.dcm"


def test_declined_packages_stop_quietly(panel, messages):
    messages.declines = True
    panel.ui.sampleButton.click()
    assert "Python packages" in messages.errors[0] and panel.logic.controller.task is None


def test_a_sequence_is_chosen(reviewed):
    ui, controller = reviewed.ui, reviewed.logic.controller
    ui.openSequenceButton.click()
    assert ui.statusLabel.text == "Choose a sequence first."
    ui.sequenceSelector.setCurrentNode(controller.study.browser)
    first = controller.study
    ui.openSequenceButton.click()
    assert controller.study.node is first.node  # ours already


def test_moving_through_the_clip(reviewed):
    ui, study = reviewed.ui, reviewed.logic.controller.study
    ui.nextButton.click()
    ui.nextButton.click()
    ui.previousButton.click()
    assert (
        study.frame == 1 and ui.frameLabel.text.startswith("Frame 1 of 0–59") and "LVID" in ui.frameLabel.text
    )
    ui.playButton.click()
    assert study.browser.GetPlaybackActive() and ui.playButton.text == "Pause"
    ui.playButton.click()
    assert not study.browser.GetPlaybackActive()
    ui.seekWidget.slider().setValue(30)
    assert study.frame == 30
    frames = [int(ui.doubtfulList.item(i).text().split()[1]) for i in range(ui.doubtfulList.count)]
    ui.nextDoubtfulButton.click()
    if frames:
        assert study.frame in frames
        ui.doubtfulList.itemClicked.emit(ui.doubtfulList.item(0))
        assert study.frame == frames[0]
        ui.previousDoubtfulButton.click()
        assert study.frame == frames[-1]
    else:
        assert ui.statusLabel.text == "No frame is doubtful."


def test_keys_press_the_buttons(reviewed):
    study = reviewed.logic.controller.study
    keys = {shortcut.key.toString(): shortcut for shortcut in reviewed._shortcuts}
    assert set(keys) == {"Right", "Left", "Space", "N", "P", "C"}
    keys["Right"].activated.emit()
    assert study.frame == 1
    reviewed.exit()
    assert not reviewed._shortcuts
    reviewed.enter()


def test_corrections(reviewed):
    ui, controller = reviewed.ui, reviewed.logic.controller
    study = controller.study
    ui.readerEdit.text = "Dr. A"
    study.go_to(15)
    assert not ui.undoButton.enabled and not ui.revertFrameButton.enabled
    ui.confirmButton.click()
    settled(reviewed)
    assert [a.frame for a in study.result.anchors] == [15] and study.result.audit[-1].who == "Dr. A"
    assert ui.undoButton.enabled and ui.revertFrameButton.enabled and ui.revertAllButton.enabled
    ui.undoButton.click()
    assert not study.result.anchors and ui.redoButton.enabled
    ui.redoButton.click()
    assert [a.frame for a in study.result.anchors] == [15]
    ui.revertFrameButton.click()
    settled(reviewed)
    assert not study.result.anchors
    ui.confirmButton.click()
    settled(reviewed)
    ui.revertAllButton.click()
    settled(reviewed)
    assert not study.result.anchors
    ui.auditButton.checked = True
    assert ui.auditText.plainText.count("Dr. A") == len(study.result.audit)


def test_beats(reviewed):
    ui, study = reviewed.ui, reviewed.logic.controller.study
    ui.beatList.currentRow = 0
    beat = study.result.beats[0]
    ui.beatList.itemClicked.emit(ui.beatList.item(0))
    assert study.frame == beat["ed_frame"]
    ui.rejectBeatButton.click()
    settled(reviewed)
    assert not study.result.beats[0]["accepted"] and "rejected" in ui.beatList.item(0).text()
    ui.acceptBeatButton.click()
    settled(reviewed)
    assert study.result.beats[0]["accepted"]
    study.go_to(beat["es_frame"] + 1)
    ui.esButton.click()
    settled(reviewed)
    assert study.result.beats[0]["es_frame"] == beat["es_frame"] + 1
    study.go_to(beat["ed_frame"] + 1)
    ui.edButton.click()
    settled(reviewed)
    assert study.result.beats[0]["ed_frame"] == beat["ed_frame"] + 1
    study.go_to(study.result.beats[0]["next_ed_frame"] - 1)
    ui.nextEdButton.click()
    settled(reviewed)
    assert study.result.beats[0]["next_ed_source"] == "user"
    ui.findBeatsButton.click()
    settled(reviewed)
    assert study.result.beats[0]["ed_frame"] == beat["ed_frame"]
    study.go_to(beat["ed_frame"] + 1)
    ui.newBeatButton.click()  # overlaps: refused in a sentence
    settled(reviewed)
    assert "beat" in ui.statusLabel.text.lower()
    ui.plaxButton.click()
    settled(reviewed)
    assert study.result.quality["view"]["decision"] == "plax" and not ui.plaxButton.visible
    ui.sexComboBox.currentIndex = 2
    ui.ageSpinBox.value = 60
    ui.patientButton.click()
    settled(reviewed)
    assert study.result.measurements["patient"]["age_years"] == 60


def test_export(reviewed, tmp_path):
    ui = reviewed.ui
    ui.exportButton.click()
    assert "Choose a folder" in ui.statusLabel.text
    ui.folderEdit.currentPath = str(tmp_path)
    ui.exportButton.click()
    until(reviewed, lambda: ui.statusLabel.text.startswith("Written"))
    names = {path.name for path in (tmp_path / "plax_phantom").iterdir()}
    assert {"report.pdf", "curves.csv", "sr.dcm", "landmarks.seq.mrb"} <= names and "overlay.mp4" not in names


def test_a_curve_is_clicked(reviewed):
    import vtk

    study = reviewed.logic.controller.study
    view = slicer.app.layoutManager()
    ids, rows, both = vtk.vtkStringArray(), vtk.vtkIdTypeArray(), vtk.vtkCollection()
    ids.InsertNextValue(study.get("series LVID").GetID())
    rows.InsertNextValue(44)
    both.AddItem(rows)
    widgets = [view.plotWidget(i) for i in range(view.plotViewCount)]
    ours = next(w for w in widgets if w.mrmlPlotViewNode().GetSingletonTag() == layout.PLOT_VIEW)
    ours.plotView().dataSelected.emit(ids, both)
    assert study.frame == 44


def test_calibration(panel, tmp_path, clip):
    np.savez(tmp_path / "clip.npz", video=clip.pixels, fps=40.0)
    ui, controller = panel.ui, panel.logic.controller
    controller.open_file(tmp_path / "clip.npz")
    until(panel, lambda: controller.study is not None and controller.task is None)
    assert "No millimetres yet" in ui.scaleLabel.text and ui.calibrateButton.enabled
    ui.distanceSpinBox.value = 40
    assert panel._parameterNode.distance == 40
    ui.calibrateButton.checked = True
    (ruler,) = slicer.util.getNodesByClass("vtkMRMLMarkupsLineNode")
    interaction = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLInteractionNode")
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    ruler.AddControlPoint(px_to_ras((10, 10), None))
    ruler.AddControlPoint(px_to_ras((10, 110), None))
    until(panel, lambda: controller.study.header.spacing_mm is not None)
    assert controller.study.header.spacing_mm == pytest.approx((0.4, 0.4))
    assert not ui.calibrateButton.checked and ui.scaleLabel.text == ""
    ui.calibrateButton.checked = True
    ui.calibrateButton.checked = False
    assert not slicer.util.getNodesByClass("vtkMRMLMarkupsLineNode")


def test_the_scene_closes_and_comes_back(reviewed, tmp_path, app):
    ui, controller = reviewed.ui, reviewed.logic.controller
    ui.readerEdit.text = "Dr. B"
    assert app.scene.WriteToMRB(str(tmp_path / "s.mrb"), None)
    ui.analyzeButton.click()
    app.scene.Clear(0)
    ui.readerEdit.text = "Dr. C"
    assert controller.who() == "Dr. C"
    assert controller.study is None and controller.task is None and not ui.analyzeButton.enabled
    slicer.app.processEvents()
    assert app.scene.ReadFromMRB(str(tmp_path / "s.mrb"), True)
    assert controller.study is not None and controller.study.result is not None
    assert ui.readerEdit.text == "Dr. B" and ui.exportButton.enabled
    ui.readerEdit.text = "Dr. D"
    assert controller.who() == "Dr. D"


def test_a_correction_outlives_another_module_and_an_imported_scene(reviewed, app, tmp_path):
    ui, controller = reviewed.ui, reviewed.logic.controller
    other = slicer.vtkMRMLScene()
    other.AddNewNodeByClass("vtkMRMLTextNode", "Note")
    other.SetURL(str(tmp_path / "other.mrml"))
    assert other.Commit()
    controller.study.go_to(15)
    ui.confirmButton.click()
    assert not ui.exportButton.enabled and not ui.submitButton.enabled  # it would be missing
    reviewed.exit()
    reviewed.enter()
    app.scene.SetURL(str(tmp_path / "other.mrml"))
    assert app.scene.Import()
    settled(reviewed)
    assert [a.frame for a in controller.study.result.anchors] == [15] and ui.exportButton.enabled


def test_the_panel_comes_back_after_its_clip_was_deleted(reviewed, app):
    reviewed.exit()
    app.scene.RemoveNode(reviewed.logic.controller.study.browser)
    reviewed.enter()
    assert reviewed.logic.controller.study is None and reviewed.ui.clipLabel.text == "No clip yet."


def test_a_button_too_early_is_told(panel, app):
    ui = panel.ui
    ui.serveButton.click()
    assert ui.statusLabel.text == "Connect to a server and choose a version first."
    ui.sequenceSelector.setCurrentNode(app.scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Empty"))
    ui.openSequenceButton.click()
    assert ui.statusLabel.text.startswith("Empty has no sequence")


def test_the_layout_is_taken_and_given_back(panel):
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert node.GetViewArrangement() == layout.LAYOUT_ID
    panel.exit()
    assert node.GetViewArrangement() != layout.LAYOUT_ID
    panel.enter()


def test_the_file_reader(app, messages, sample, tmp_path):
    import EchoKeypoints

    told = []
    parent = SimpleNamespace(
        loadedNodes=[], userMessages=lambda: SimpleNamespace(AddMessage=lambda event, text: told.append(text))
    )
    reader = EchoKeypoints.EchoKeypointsFileReader(parent)
    assert reader.canLoadFile("A.DCM") and reader.canLoadFile("b.mp4") and not reader.canLoadFile("c.vtk")
    assert reader.load({"fileName": str(sample)})
    browser = slicer.mrmlScene.GetNodeByID(parent.loadedNodes[0])
    assert browser.GetNumberOfItems() == 60
    (tmp_path / "no.dcm").write_bytes(b"no")
    assert not reader.load({"fileName": str(tmp_path / "no.dcm")}) and "no.dcm" in told[0]


def test_the_module_offers_sample_and_layout(app, messages, monkeypatch):
    import sys

    import EchoKeypoints

    offered = []
    logic = SimpleNamespace(registerCustomSampleDataSource=lambda **facts: offered.append(facts))
    monkeypatch.setitem(sys.modules, "SampleData", SimpleNamespace(SampleDataLogic=logic))
    module = EchoKeypoints.EchoKeypoints(SimpleNamespace())
    slicer.app.startupCompleted.emit()
    assert offered[0]["uris"].startswith("file:") and offered[0]["uris"].endswith("plax_phantom.dcm")
    assert offered[0]["loadFileTypes"] == "EchoKeypointsFile"
    assert module.parent.categories == ["Cardiac"]


def test_the_self_test_for_slicer_passes_here(app, messages):
    import EchoKeypoints

    EchoKeypoints.EchoKeypointsTest().runTest()
