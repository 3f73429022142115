"""The whole story with mouse and buttons: open, analyse, review, correct, measure and export, save and come back."""

import numpy as np
import pytest

from driving import settled, until
from EchoKeypointsLib.geometry import px_to_ras
from EchoKeypointsLib.tables import column
from slice_view import SliceView


@pytest.fixture(params=["sample", "toshiba"])
def file(request, sample):
    """The phantom, and a real clip where there is one."""
    if request.param == "sample":
        return sample
    return request.getfixturevalue("shared_data") / "plax" / "toshiba_xario_plax.dcm"


def test_from_opening_to_a_restored_scene(panel, app, messages, file, tmp_path):
    ui, controller = panel.ui, panel.logic.controller
    ui.readerEdit.text = "Dr. C"
    messages.file = str(file)
    ui.openFileButton.click()
    until(panel, lambda: controller.study is not None and controller.task is None)
    assert "mm per pixel" in ui.clipLabel.text and not ui.calibrateButton.enabled
    ui.analyzeButton.click()
    settled(panel)
    study = controller.study
    automatic = study.result
    assert np.isfinite(automatic.points_px).all() and ui.beatList.count == len(automatic.beats) > 0
    assert ui.measurementTable.model().rowCount() == study.get("measurements").GetNumberOfRows() > 5

    view = SliceView(app, 800, 600)
    frame = automatic.clip.frame_count // 2
    ui.seekWidget.slider().setValue(frame)
    view.fit()
    with_landmarks = view.picture().astype(int)
    study.points.GetDisplayNode().SetVisibility(False)
    assert np.abs(with_landmarks - view.picture()).max() > 100
    study.points.GetDisplayNode().SetVisibility(True)
    ui.nextButton.click()
    ui.previousButton.click()
    assert study.frame == frame and str(frame) in ui.frameLabel.text

    start = px_to_ras(automatic.points_px[frame, 2], automatic.clip.spacing_mm)
    view.drag(start, start + np.array([0.0, -4.0, 0.0]))  # 4 mm down
    settled(panel)
    edited = study.result
    assert [anchor.frame for anchor in edited.anchors] == [frame]
    change = edited.lengths["LVID"].mm - automatic.lengths["LVID"].mm
    moved = (edited.points_px - automatic.points_px)[frame, 2] * automatic.clip.spacing_mm
    assert moved == pytest.approx([0, 4], abs=0.8)  # to about a pixel of the view
    septum, posterior = edited.points_px[frame, 1:3] * automatic.clip.spacing_mm
    assert edited.lengths["LVID"].mm[frame] == pytest.approx(np.hypot(*(posterior - septum)), abs=1e-6)
    assert change[frame] > 2.5 and change[frame - 1] > 1.5  # the line is tilted; neighbours follow
    assert column(study.get("table"), "corrected")[frame] == column(study.get("table"), "LVID")[frame]
    assert study.points_px == pytest.approx(edited.points_px[frame], abs=1e-3)
    ui.undoButton.click()
    assert study.result.lengths["LVID"].mm == pytest.approx(automatic.lengths["LVID"].mm, abs=1e-2)
    ui.redoButton.click()
    assert study.result.lengths["LVID"].mm == pytest.approx(edited.lengths["LVID"].mm, abs=1e-2)

    row = next(i for i, beat in enumerate(edited.beats) if beat["es_frame"] is not None)
    study.go_to(edited.beats[row]["es_frame"] + 1)
    ui.beatList.currentRow = row
    ui.esButton.click()
    settled(panel)
    assert study.result.beats[row]["es_source"] == "user"

    ui.folderEdit.currentPath = str(tmp_path)
    ui.videoCheckBox.checked = True
    ui.exportButton.click()
    until(panel, lambda: ui.statusLabel.text.startswith("Written"))
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    written = {path.name for path in folder.iterdir()}
    assert {"result.json", "curves.csv", "report.html", "report.pdf", "sr.dcm", "overlay.mp4"} <= written

    before = study.result
    assert app.scene.WriteToMRB(str(tmp_path / "scene.mrb"), None)
    app.scene.Clear(0)
    assert controller.study is None and ui.clipLabel.text == "No clip yet."
    assert app.scene.ReadFromMRB(str(tmp_path / "scene.mrb"), True)
    study = controller.study
    assert study.result.audit == before.audit and study.result.beats == before.beats
    study.go_to(frame + 3)
    ui.confirmButton.click()
    settled(panel)
    assert [anchor.frame for anchor in study.result.anchors] == [frame, frame + 3]
    assert study.result.audit[-1].who == "Dr. C"
