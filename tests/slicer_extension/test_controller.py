"""The controller with the real engine process: the story of a review, and what happens when it goes wrong."""

import json
import sys
import time
from dataclasses import fields, replace

import numpy as np
import pytest
import slicer

from echo_keypoints.results import from_document
from EchoKeypointsLib import review
from EchoKeypointsLib.controller import Controller
from EchoKeypointsLib.geometry import px_to_ras
from EchoKeypointsLib.history import _STATE, History, as_text, restored
from EchoKeypointsLib.selftest import wait
from EchoKeypointsLib.study import Study
from EchoKeypointsLib.worker import Worker
from slicer_scene import SlicerScene


@pytest.fixture
def opened(controller, sample, document):
    """The sample opened with its result, as from a work-list."""
    controller.open_file(sample, document=document)
    wait(controller, lambda: controller.study is not None and controller.task is None)
    return controller


def move(study, landmark, offset):
    """Move a landmark of the frame shown as another module would."""
    target = study.points_px[landmark] + offset
    study.points.SetNthControlPointPosition(landmark, *px_to_ras(target, study.header.spacing_mm))
    return target


def told(signal):
    heard = []
    signal.connect(heard.append)
    return heard


def until(controller, ready):
    """As `wait`, but failures are expected."""
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end
        controller.poll()
        time.sleep(0.005)


def test_corrections_come_one_on_top_of_the_other_and_go_back(opened, result):
    study, editor = opened.study, opened.editor
    study.go_to(10)
    first = move(study, 1, (0, 5))
    study.go_to(40)  # before the answer has come
    second = move(study, 3, (4, 0))
    study.go_to(10)
    wait(opened, lambda: not editor.busy)
    now = study.result
    assert [a.frame for a in now.anchors] == [10, 40]
    assert now.points_px[10, 1] == pytest.approx(first, abs=1e-3)
    assert now.points_px[40, 3] == pytest.approx(second, abs=1e-3)
    assert [entry.who for entry in now.audit[-2:]] == ["tester", "tester"]
    editor.undo()
    assert [a.frame for a in study.result.anchors] == [10]
    editor.undo()
    assert study.result.points_px == pytest.approx(result.points_px, abs=1e-4)
    assert study.result.lengths["LVID"].mm == pytest.approx(result.lengths["LVID"].mm, abs=1e-3)
    editor.redo()
    assert [a.frame for a in study.result.anchors] == [10]
    assert len(study.result.audit) == len(result.audit) + 5  # the trail only grows


def test_revert_gives_the_automatic_track_back(opened, result):
    study = opened.study
    study.go_to(25)
    opened.editor.confirm_frame()
    wait(opened, lambda: not opened.editor.busy)
    assert not np.isnan(study.result.anchors[0].points_px).any()
    move(study, 0, (3, 3))
    wait(opened, lambda: not opened.editor.busy)
    opened.editor.revert_all()
    wait(opened, lambda: not opened.editor.busy)
    assert not study.result.anchors
    assert study.result.points_px == pytest.approx(result.points_px, abs=1e-4)


def test_beats_patient_and_review_are_edits(opened):
    study, editor = opened.study, opened.editor
    es = study.result.beats[0]["es_frame"]
    editor.submit("beat", {"index": 0, "es_frame": es + 1}, "beat 1")
    editor.submit("reject", {"index": 0}, "beat 1")
    editor.submit("patient", {"sex": "F", "height_cm": 170, "weight_kg": 65}, "the patient's facts")
    wait(opened, lambda: not editor.busy)
    beat = study.result.beats[0]
    assert beat["es_frame"] == es + 1 and not beat["accepted"]
    assert study.result.measurements["patient"]["sex"] == "F"
    editor.submit("accept", {"index": 0}, "beat 1")
    wait(opened, lambda: not editor.busy)
    assert study.result.beats[0]["accepted"]


def test_a_refused_change_is_told_and_nothing_moves(opened, result):
    heard, study = told(opened.failed), opened.study
    study.go_to(10)
    move(study, 2, (0, 4000))
    until(opened, lambda: heard)
    assert "outside the image" in heard[0]
    assert study.points_px == pytest.approx(result.points_px[10], abs=1e-3)
    assert not opened.editor.history.can_undo


def test_refused_files_are_told_in_a_sentence(controller, tmp_path):
    heard = told(controller.failed)
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(b"not a clip")
    controller.open_file(broken)
    until(controller, lambda: heard)
    assert "broken.dcm" in heard[0] and controller.task is None and controller.study is None


def test_an_analysis_is_cancelled(controller, sample, clip):
    controller.open_file(sample)
    wait(controller, lambda: controller.study is not None)
    heard = told(controller.failed)
    controller.analyze()
    until(controller, lambda: controller.task.share is not None)
    controller.cancel()
    until(controller, lambda: controller.task is None)
    assert not heard and controller.study.result is None
    controller.analyze()  # the process is as good as new
    wait(controller, lambda: controller.study.result is not None)


def test_the_scene_closes_in_the_middle(controller, sample):
    controller.open_file(sample)
    wait(controller, lambda: controller.study is not None)
    controller.analyze()
    until(controller, lambda: controller.task.share is not None)
    heard = told(controller.failed)
    controller.reset()
    slicer.mrmlScene.Clear(0)
    assert controller.task is None and controller.study is None
    until(controller, lambda: not controller.worker.busy)
    assert not heard and not Study.all(slicer.mrmlScene)
    controller.open_file(sample)
    wait(controller, lambda: controller.study is not None)


def test_the_process_dies_and_another_one_takes_over(opened):
    heard = told(opened.failed)
    opened.worker._process.kill()
    opened.editor.submit("reject", {"index": 0}, "beat 1")
    until(opened, lambda: heard)
    assert "ended unexpectedly" in heard[0] or "cannot be reached" in heard[0]
    until(opened, lambda: not opened.editor.busy)
    opened.editor.submit("reject", {"index": 0}, "beat 1")
    wait(opened, lambda: not opened.editor.busy)
    assert not opened.study.result.beats[0]["accepted"]


def test_all_callers_of_a_process_that_died_are_told():
    """Also where a request was written that it never read, which breaks the pipe once more when it is closed."""
    worker, heard = Worker([sys.executable, "-c", "input()"]), []
    for number in range(2):
        worker.call("one", {}, heard.append, lambda kind, sentence, n=number: heard.append(n))
    worker._process.wait()
    worker.call("three", {}, heard.append, lambda kind, sentence: heard.append(2))
    end = time.monotonic() + 60
    while worker.busy and time.monotonic() < end:
        worker.poll()
    assert sorted(heard) == [0, 1, 2]
    worker.close()


def test_answers_go_to_the_study_that_asked(opened, app, clip, result, tmp_path):
    """Whatever is at hand by then: a correction and an analysis, with another study and another scene beside it."""
    first = opened.study
    *_, second = Study.steps(app.scene, clip.header, clip.pixels, {"warnings": [], "sha256": None})
    first.go_to(10)
    move(first, 1, (0, 5))
    opened.select(second)
    wait(opened, lambda: not opened.editor.busy)
    assert [a.frame for a in first.result.anchors] == [10] and second.result is None
    assert not opened.editor.history.can_undo  # of the second
    opened.select(first)
    assert opened.editor.history.can_undo == "landmarks of frame 10"
    opened.analyze()
    opened.select(second)
    wait(opened, lambda: opened.task is None)
    assert first.result.audit[-1].what == "analysed again" and second.result is None
    assert opened.study is second


def test_what_is_imported_beside_a_study_leaves_it_at_hand(opened, app, clip):
    first, frame = opened.study, opened.study.frame
    *_, later = Study.steps(app.scene, clip.header, clip.pixels, {"warnings": [], "sha256": None})
    move(first, 1, (0, 5))
    opened.restore()
    assert opened.study is first and opened.editor.busy
    wait(opened, lambda: not opened.editor.busy)
    assert [a.frame for a in first.result.anchors] == [frame]
    app.scene.RemoveNode(first.browser)
    opened.restore()
    assert opened.study.node is later.node


def test_a_correction_during_an_analysis_comes_after_it(opened):
    study = opened.study
    study.go_to(10)
    opened.editor.submit("reject", {"index": 0}, "beat 1")
    opened.analyze()
    target = move(study, 1, (0, 5))
    wait(opened, lambda: opened.task is None and not opened.editor.busy)
    trail = [entry.what for entry in study.result.audit]
    assert trail[-3:-1] == ["beat 0", "analysed again"] and "10" in trail[-1]
    assert study.points_px[1] == pytest.approx(target, abs=1e-3)
    assert np.isnan(study.result.anchors[0].points_px).all(axis=1).tolist() == [True, False, True, True]
    opened.analyze()
    opened.editor.submit("reject", {"index": 0}, "beat 1")
    opened.cancel()
    wait(opened, lambda: opened.task is None and not opened.editor.busy)
    assert not study.result.beats[0]["accepted"]


def test_landmarks_that_wait_for_their_answer_stay_where_they_were_put(opened):
    """Two are moved on one frame, faster than the first is answered, and then a third."""
    study = opened.study
    study.go_to(10)
    targets = [move(study, 1, (0, 5)), move(study, 2, (3, 0))]
    remaining = []
    opened.changed.connect(lambda: remaining.append(len(opened.editor._changes)))
    wait(opened, lambda: 1 in remaining)
    assert study.points_px[2] == pytest.approx(targets[1], abs=1e-3)
    targets.append(move(study, 3, (0, 4)))
    wait(opened, lambda: not opened.editor.busy)
    (anchor,) = study.result.anchors
    assert anchor.points_px[1:] == pytest.approx(np.array(targets), abs=1e-3)
    assert np.isnan(anchor.points_px[0]).all()


def test_nothing_is_written_without_a_correction(opened, tmp_path):
    said = told(opened.said)
    opened.editor.submit("reject", {"index": 0}, "beat 1")
    opened.export(tmp_path, ["csv"])
    assert "try again in a moment" in said[0] and opened.task is None and not list(tmp_path.iterdir())
    wait(opened, lambda: not opened.editor.busy)
    opened.export(tmp_path, ["csv"])
    wait(opened, lambda: len(said) > 1)


@pytest.mark.parametrize("ending", ["answer", "cancel"])
def test_a_study_is_deleted_while_it_is_analysed(opened, app, sample, ending):
    opened.analyze()
    opened.editor.submit("reject", {"index": 0}, "beat 1")
    app.scene.RemoveNode(opened.study.browser)
    if ending == "cancel":
        opened.cancel()
    wait(opened, lambda: opened.task is None and not opened.editor.busy)
    opened.restore()
    assert opened.study is None
    opened.open_file(sample)
    wait(opened, lambda: opened.study is not None and opened.task is None)


def sequences(scene):
    return scene.GetNumberOfNodesByClass("vtkMRMLSequenceNode")


def being_brought_in(controller, sample):
    """With a part of the frames in the scene."""
    controller.open_file(sample)
    wait(controller, lambda: sequences(slicer.mrmlScene) == 2)
    assert controller.study is None and controller.task is not None


def test_a_clip_comes_in_wholly_or_not_at_all(controller, app, sample, monkeypatch):
    monkeypatch.setattr("EchoKeypointsLib.controller._SLICE_S", 1e-4)  # a frame or so each time
    heard = told(controller.failed)
    being_brought_in(controller, sample)
    controller.cancel()
    assert not sequences(app.scene) and controller.task is None
    being_brought_in(controller, sample)
    app.scene.RemoveNode(app.scene.GetFirstNodeByClass("vtkMRMLSequenceNode"))
    for _ in range(3):
        controller.poll()
    assert len(heard) == 1 and "was deleted" in heard[0]
    assert not sequences(app.scene) and controller.task is None


def test_a_process_that_cannot_start_is_told(app, sample, tmp_path):
    controller = Controller(Worker([str(tmp_path / "no-such-python")]))
    heard = told(controller.failed)
    controller.open_file(sample)
    until(controller, lambda: heard)
    assert "cannot be reached" in heard[0]
    controller.close()


def test_work_goes_on_in_a_restored_scene_without_the_file(opened, app, tmp_path, sample):
    """The clip's frames come from the scene; the result is corrected as before."""
    opened.study.go_to(10)
    move(opened.study, 1, (0, 5))
    wait(opened, lambda: not opened.editor.busy)
    assert app.scene.WriteToMRB(str(tmp_path / "s.mrb"), None)
    other = SlicerScene()
    other.install()
    assert other.scene.ReadFromMRB(str(tmp_path / "s.mrb"), True)
    later = Controller(who=lambda: "tester")
    later.restore()
    study = later.study
    assert [a.frame for a in study.result.anchors] == [10] and study.frame == 10
    study.go_to(30)
    target = move(study, 2, (0, 3))
    wait(later, lambda: not later.editor.busy)
    assert [a.frame for a in study.result.anchors] == [10, 30]
    assert study.result.points_px[30, 2] == pytest.approx(target, abs=1e-3)
    later.close()
    other.scene.Clear(0)


def test_exports_lie_in_the_clip_s_folder(opened, tmp_path):
    said = told(opened.said)
    opened.export(tmp_path, ["csv", "report", "sr", "markups", "video"])
    wait(opened, lambda: said)
    names = {path.name for path in (tmp_path / "plax_phantom").iterdir()}
    assert {"result.json", "curves.csv", "report.html", "report.pdf", "sr.dcm", "overlay.mp4"} <= names
    assert "landmarks.seq.mrb" in names
    assert json.loads((tmp_path / "plax_phantom" / "result.json").read_text()) == json.loads(
        opened.study.document
    )


def test_the_scale_can_be_clicked(controller, tmp_path, clip):
    path = tmp_path / "clip.npz"
    np.savez(path, video=clip.pixels, fps=40.0)
    controller.open_file(path)
    wait(controller, lambda: controller.study is not None)
    study = controller.study
    assert study.header.spacing_mm is None
    from EchoKeypointsLib import calibration

    for length_mm in (50, 60):  # before the analysis, and again after it
        ruler = calibration.place_ruler(slicer.mrmlScene)
        for point in ((10, 10), (10, 135)):
            ruler.AddControlPoint(px_to_ras(point, study.header.spacing_mm))
        controller.calibrate(ruler, length_mm)
        wait(controller, lambda: not controller.editor.busy)
        assert study.header.spacing_mm == pytest.approx((length_mm / 125,) * 2)
        assert study.volume.GetSpacing()[:2] == pytest.approx((length_mm / 125,) * 2)
        if study.result is None:
            controller.analyze()
            wait(controller, lambda: study.result is not None)
            assert study.result.clip.spacing_mm == pytest.approx((0.4, 0.4))
    assert study.result.lengths["LVID"].mm == pytest.approx(study.result.lengths["LVID"].px * 0.48)
    assert study.points_px == pytest.approx(study.result.points_px[study.frame], abs=1e-3)


def test_doubtful_frames_are_visited_in_turn(opened):
    from EchoKeypointsLib.summary import doubtful_frames

    frames = doubtful_frames(opened.study.result).tolist()
    visited = [review.next_doubtful(opened.study) for _ in frames]
    assert sorted(visited) == frames
    if not frames:
        assert review.next_doubtful(opened.study) is None


def test_a_restored_state_is_whole(result):
    """Of all that a result holds, only the clip's file and the trail are not the state's."""
    names = {field.name for field in fields(result)} - {"clip_sha256", "audit"}
    later = replace(
        result, surroundings={"blood": 0.5}, software="9.9", created_utc="2030-01-01T00:00:00Z", iterations=7
    )
    back = from_document(json.loads(restored(as_text(result), as_text(later), "anna", "analysed again")))
    assert set(_STATE) == names
    assert (back.surroundings, back.software, back.created_utc) == ({"blood": 0.5}, "9.9", later.created_utc)
    assert [entry.what for entry in back.audit] == [*(e.what for e in result.audit), "analysed again"]


def test_undo_without_anything_does_nothing(opened, document):
    before = opened.study.document
    opened.editor.undo()
    assert opened.study.document == before
    assert not History().can_undo and not History().can_redo
