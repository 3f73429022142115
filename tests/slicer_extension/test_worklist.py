"""The work-list page on a real batch: open what needs a review, save it back as reviewed."""

import shutil

import pytest

from driving import until
from echo_keypoints.batch.states import NEEDS_REVIEW, REVIEWED
from echo_keypoints.batch.worklist import Worklist as Base
from echo_keypoints.results import RESULT_NAME, load_result, save_result
from EchoKeypointsLib.selftest import wait
from EchoKeypointsLib.worklist import Worklist


@pytest.fixture
def batch(tmp_path, sample, result):
    """A folder with one clip, and its batch, whose result a person must look at."""
    from echo_keypoints.batch.discovery import find_clips

    clips, results = tmp_path / "clips", tmp_path / "results"
    clips.mkdir()
    (results / "a").mkdir(parents=True)
    shutil.copy(sample, clips / "plax_phantom.dcm")
    found = find_clips(clips, results)
    folder = results / found[0].folder
    folder.mkdir(exist_ok=True)
    save_result(result, folder / RESULT_NAME)
    with Base(results) as worklist:
        worklist.add(found)
        changed = (folder / RESULT_NAME).stat().st_mtime_ns
        worklist.finish(found[0].path, NEEDS_REVIEW, "It is doubtful.", {}, changed)
    return clips, results, folder


def test_open_next_review_and_save_back(controller, batch):
    clips, results, folder = batch
    page = Worklist(controller)
    said = []
    controller.said.connect(said.append)
    page.look(str(clips), str(results))
    wait(controller, lambda: controller.task is None)
    assert "1 needs review" in page.words and "Waiting for a review: 1" in page.words
    page.open_next()
    wait(controller, lambda: controller.study is not None and controller.task is None)
    assert controller.study.result is not None and "It is doubtful." in said
    controller.editor.submit("reject", {"index": 0}, "beat 1")
    page.mark_reviewed()
    wait(controller, lambda: "1 reviewed" in page.words)
    kept = load_result(folder)
    assert [entry.what for entry in kept.audit[-2:]] == ["beat 0", "review"]
    assert kept.audit[-1].who == "tester"
    with Base(results) as worklist:
        assert [entry.state for entry in worklist.entries()] == [REVIEWED]
    page.open_next()
    assert "No clip" in said[-1]


def test_the_buttons_of_the_work_list(panel, batch):
    clips, results, folder = batch
    ui, controller = panel.ui, panel.logic.controller
    ui.readerEdit.text = "anna"
    ui.refreshButton.click()
    assert "Choose the folder" in ui.statusLabel.text
    ui.openNextButton.click()
    assert "No clip of the work-list" in ui.statusLabel.text
    ui.clipsEdit.currentPath, ui.resultsEdit.currentPath = str(clips), str(results)
    ui.refreshButton.click()
    until(panel, lambda: "Waiting for a review: 1" in ui.worklistLabel.text)
    ui.reviewedButton.click()
    assert "not of the work-list" in ui.statusLabel.text
    ui.openNextButton.click()
    until(panel, lambda: controller.study is not None and controller.task is None)
    assert controller.study.result is not None and ui.exportButton.enabled
    ui.reviewedButton.click()
    until(panel, lambda: "1 reviewed" in ui.worklistLabel.text)
    assert load_result(folder).audit[-1].who == "anna"
    ui.openNextButton.click()
    assert "No clip of the work-list" in ui.statusLabel.text


def test_a_folder_without_work_list_is_refused(controller, tmp_path):
    heard = []
    controller.failed.connect(heard.append)
    Worklist(controller).look(str(tmp_path), str(tmp_path))
    import time

    while not heard:
        controller.poll()
        time.sleep(0.01)
    assert "no work-list" in heard[0]
