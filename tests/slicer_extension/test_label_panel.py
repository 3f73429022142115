"""The panel's buttons for a Label server, clicked against the real one, which runs in its own environment.

``ECHO_KEYPOINTS_LABEL_PYTHON`` names the Python of that environment; the nox session takes that of ``label``.
"""

import os

import numpy as np
import pytest
from serving import Server, free_port

from driving import settled, until
from echo_keypoints.writers.dicom_multiframe import write_dicom

PYTHON = os.environ.get("ECHO_KEYPOINTS_LABEL_PYTHON", "")
FRAMES = 24


@pytest.fixture(scope="module")
def server(tmp_path_factory, clip):
    """The server on two short clips."""
    if not os.path.isfile(PYTHON):
        pytest.skip("ECHO_KEYPOINTS_LABEL_PYTHON does not name a Python with MONAI Label")
    folder = tmp_path_factory.mktemp("studies")
    for name, first in (("one.dcm", 0), ("two.dcm", 24)):
        write_dicom(
            clip.pixels[first : first + FRAMES],
            np.arange(FRAMES) / 40,
            folder / name,
            spacing_mm=clip.header.spacing_mm,
            identity=name,
            description="PLAX phantom",
        )
    served = Server(folder)
    served.python = PYTHON
    served.start()
    yield served
    served.stop()


@pytest.fixture
def connected(panel, server):
    """The panel, after *Connect*."""
    ui = panel.ui
    ui.readerEdit.text = "anna"
    ui.placeComboBox.currentIndex = 1
    ui.urlEdit.text = server.url
    ui.connectButton.click()
    until(panel, lambda: "clips" in ui.serverLabel.text and panel.logic.controller.task is None)
    return panel


def test_the_annotators_round(connected, messages, server):
    ui, controller = connected.ui, connected.logic.controller
    assert connected._parameterNode.serverUrl == server.url
    assert "2 clips, 0 reviewed" in ui.serverLabel.text
    assert ui.modelComboBox.count >= 1 and "serving" in ui.modelComboBox.currentText
    ui.serveButton.click()
    settled(connected)
    assert "serves" in ui.serverLabel.text, ui.statusLabel.text
    strategies = [ui.strategyComboBox.itemText(i) for i in range(ui.strategyComboBox.count)]
    ui.strategyComboBox.currentIndex = strategies.index("first")
    ui.nextSampleButton.click()
    until(connected, lambda: controller.study is not None and controller.task is None)
    study = controller.study
    assert study.header.source in ("one.dcm", "two.dcm") and "to choose from" in ui.serverLabel.text
    assert not ui.submitButton.enabled  # nothing to submit yet
    ui.analyzeButton.click()
    until(connected, lambda: study.result is not None and controller.task is None)
    assert messages.questions == []  # the clip is the server's own
    study.go_to(5)
    ui.confirmButton.click()
    settled(connected)
    assert [a.frame for a in study.result.anchors] == [5] and study.result.audit[-1].who == "anna"
    ui.undoButton.click()
    ui.redoButton.click()
    ui.submitButton.click()
    until(connected, lambda: "Saved on the server as version" in ui.serverLabel.text)
    place = controller.server_place()
    kept = server.client("bob").clip(place["clip_id"])
    assert kept.state == "final" and kept.version == place["version"]
    assert [a.frame for a in server.client("bob").label(place["clip_id"]).result.anchors] == [5]


def test_an_own_clip_is_sent_only_after_a_yes(connected, messages, server):
    ui, controller = connected.ui, connected.logic.controller
    ui.sampleButton.click()
    until(connected, lambda: controller.study is not None and controller.task is None)
    messages.answer = False
    ui.analyzeButton.click()
    assert server.url in messages.questions[0] and controller.task is None
    assert len(server.client().clips()) == 2
    messages.answer = True
    ui.analyzeButton.click()
    until(connected, lambda: ui.progressBar.value > 0)
    ui.cancelButton.click()
    until(connected, lambda: controller.task is None)
    assert controller.study.result is None
    ui.analyzeButton.click()
    until(connected, lambda: controller.study.result is not None and controller.task is None)
    sources = {clip.source for clip in server.client().clips()}
    assert len(sources) == 3 and "plax_phantom.dcm" not in sources


def test_a_wrong_address_and_a_button_too_early_are_told(panel, server):
    ui = panel.ui
    ui.placeComboBox.currentIndex = 1
    ui.nextSampleButton.click()
    assert ui.statusLabel.text == "Connect to a server first."
    ui.urlEdit.text = f"http://127.0.0.1:{free_port()}"
    ui.connectButton.click()
    until(panel, lambda: "No Label server can be reached" in ui.statusLabel.text)
    assert ui.modelComboBox.count == 0
