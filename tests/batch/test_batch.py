import csv
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from blobs import write_clip
from PIL import Image

from echo_keypoints.batch.job import Job, Outcome, process
from echo_keypoints.batch.run import review, run_batch
from echo_keypoints.batch.schedulers import LocalScheduler, Started
from echo_keypoints.batch.states import DONE, FAILED, NEEDS_REVIEW, REVIEWED
from echo_keypoints.batch.worklist import Worklist
from echo_keypoints.cli import main
from echo_keypoints.editing import set_view
from echo_keypoints.errors import EchoKeypointsError, QueryError, ResultError
from echo_keypoints.results import AuditEntry, load_result, save_result

GOOD = ("a.npz", "study/IM1.npz", "study/IM2.npz")


class Here:
    """Runs jobs in this process: most of what is tested does not depend on who does the work."""

    def run(self, jobs, options):
        for job in jobs:
            yield Started(job.path)
            yield process(job, options)


def entries(output):
    with Worklist(output) as worklist:
        return {entry.path: entry for entry in worklist.entries()}


def results(output):
    return sorted(path.relative_to(output).as_posix() for path in output.rglob("result.json"))


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out"


def test_a_bad_file_does_not_stop_the_others(clips, output, options):
    told = []
    tally = run_batch(clips, output, LocalScheduler(2), options, progress=lambda *a: told.append(a[:2]))
    assert tally.states == {FAILED: 1, NEEDS_REVIEW: 3} and tally.analysed == 4
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    found = entries(output)
    assert set(found) == {*GOOD, "broken.npz"} and "broken.npz" in found["broken.npz"].reason
    assert results(output) == ["a/result.json", "study/IM1/result.json", "study/IM2/result.json"]
    rows = {row["path"]: row for row in csv.DictReader((output / "summary.csv").open(encoding="utf-8"))}
    assert rows["a.npz"]["frame_count"] == "4" and rows["a.npz"]["spacing_x_mm"] == "0.5"
    assert rows["broken.npz"]["state"] == FAILED and rows["broken.npz"]["frame_count"] == ""
    page = (output / "index.html").read_text(encoding="utf-8")
    assert "research use only" in page and all(path in page for path in found)
    assert 'href="study/IM1/curves.png"' in page  # no report was asked for


def test_the_second_run_has_nothing_to_do(clips, output, options):
    run_batch(clips, output, Here(), options)
    before = {path: (output / path).stat().st_mtime_ns for path in results(output)}
    tally = run_batch(clips, output, Here(), options)
    assert tally.analysed == 0
    assert before == {path: (output / path).stat().st_mtime_ns for path in results(output)}
    write_clip(clips / "late.npz", 9)
    assert run_batch(clips, output, Here(), options).analysed == 1
    (clips / "broken.npz").write_bytes((clips / "a.npz").read_bytes())  # it was mended: that is seen
    tally = run_batch(clips, output, Here(), options)
    assert tally.analysed == 1 and FAILED not in tally.states


def test_overwriting_keeps_the_trail(clips, output, options):
    run_batch(clips, output, Here(), options)
    review(output, ["a.npz"], "reader", "seen")
    assert entries(output)["a.npz"].state == REVIEWED
    tally = run_batch(clips, output, Here(), replace(options, overwrite=True))
    assert tally.analysed == 3  # what failed is not tried again
    assert [entry.what for entry in load_result(output / "a").audit] == ["review", "analysis"]
    assert entries(output)["a.npz"].state == NEEDS_REVIEW  # the review was of the old analysis


def test_a_review_outlasts_later_changes_and_runs(clips, output, options):
    run_batch(clips, output, Here(), options)
    (entry,) = review(output, ["a.npz"], "reader", "seen")
    assert (entry.state, entry.reason) == (REVIEWED, "by reader")
    result = load_result(output / "a")
    (mark,) = result.audit
    assert (mark.who, mark.reason, mark.new) == ("reader", "seen", True) and mark.when.endswith("Z")
    changed = result.amended(
        AuditEntry("other", "2026-01-01T00:00:00Z", "beat 0", 1, 2), quality={"grade": "poor"}
    )
    save_result(changed, output / "a" / "result.json")
    assert run_batch(clips, output, Here(), options).states[REVIEWED] == 1
    assert entries(output)["a.npz"].summary["quality_grade"] == "poor"  # the change is in the table


def test_what_cannot_be_reviewed_is_said(clips, output, options, tmp_path):
    run_batch(clips, output, Here(), options)
    for clip, text in (("absent.npz", "not in the work-list"), ("broken.npz", "has no result")):
        with pytest.raises(ResultError, match=text):
            review(output, ["a.npz", clip], "reader")
    with pytest.raises(QueryError):
        review(output, ["a.npz"], "  ")
    assert not load_result(output / "a").audit  # all or none
    with pytest.raises(ResultError, match="holds no batch"):
        review(tmp_path, ["a.npz"], "reader")


def test_a_result_that_is_there_is_kept(clips, output, options):
    """As a run leaves it that was killed between the result and the files that follow from it."""
    job = Job("a.npz", str(clips / "a.npz"), str(output), "a")
    assert process(job, options).state == NEEDS_REVIEW
    kept = load_result(output / "a").amended(AuditEntry("x", "2026-01-01T00:00:00Z", "beat 0", 1, 2))
    save_result(kept, output / "a" / "result.json")
    (output / "a" / "curves.csv").unlink()
    run_batch(clips, output, Here(), options)
    assert load_result(output / "a").audit == kept.audit and (output / "a" / "curves.csv").exists()


def test_a_process_keeps_to_its_threads(clips, output, options):
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(4)
        process(Job("a.npz", str(clips / "a.npz"), str(output), "a"), replace(options, threads=2))
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


def test_a_plain_installation_without_opencv_is_enough(tmp_path):
    code = (
        "import sys; sys.modules['cv2'] = None\n"
        "import echo_keypoints.batch.run\n"
        "from echo_keypoints.batch.job import Job, Options, process\n"
        f"job = Job('no.dcm', {str(tmp_path / 'no.dcm')!r}, {str(tmp_path / 'out')!r}, 'no')\n"
        "print(process(job, Options()).reason)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "no.dcm" in done.stdout and "fault of the software" not in done.stdout


def test_a_lost_result_is_told_and_made_again(clips, output, options):
    run_batch(clips, output, Here(), options)
    (output / "a" / "result.json").unlink()
    (output / "a" / "curves.csv").unlink()
    assert run_batch(clips, output, Here(), options).states[FAILED] == 2
    for file in (output / "a").iterdir():
        file.unlink()
    assert run_batch(clips, output, Here(), options, retry_failed=True).states[FAILED] == 1


def test_a_process_that_dies_fails_its_clip_only(clips, output, options):
    jobs = [Job(path, str(clips / path), str(output), path.split(".")[0]) for path in GOOD]
    outcomes, killed = [], False
    for event in LocalScheduler(1).run(jobs, options):
        if isinstance(event, Started) and not killed:
            (child,) = multiprocessing.active_children()
            child.kill()
            killed = True
        if isinstance(event, Outcome):
            outcomes.append(event)
    assert [outcome.state for outcome in outcomes] == [FAILED, NEEDS_REVIEW, NEEDS_REVIEW]
    assert "died" in outcomes[0].reason and not multiprocessing.active_children()


def test_a_clip_that_takes_for_ever_is_given_up(clips, output, options):
    job = Job("a.npz", str(clips / "a.npz"), str(output), "a")
    (_, outcome) = LocalScheduler(1, timeout_s=0.0).run([job], options)
    assert outcome.state == FAILED and "given up" in outcome.reason


def test_an_early_end_leaves_no_process_behind(clips, output, options):
    jobs = [Job(path, str(clips / path), str(output), path.split(".")[0]) for path in GOOD]
    events = LocalScheduler(2).run(jobs, options)
    next(events)
    events.close()
    assert not multiprocessing.active_children()


def test_a_fault_of_the_software_is_a_reason_too(clips, output, options, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("secret of a patient")

    monkeypatch.setattr("echo_keypoints.batch.job.analyze_into", broken)
    outcome = process(Job("a.npz", str(clips / "a.npz"), str(output), "a"), options)
    assert (
        outcome.state == FAILED and "ZeroDivisionError" in outcome.reason and "secret" not in outcome.reason
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 here")
def test_nothing_finished_is_lost_by_kill_9(clips, output):
    for number in range(8):
        write_clip(clips / f"long{number}.npz", 20 + number, frames=8)
    command = [sys.executable, "-m", "echo_keypoints", "batch", str(clips), "-o", str(output), "--jobs", "2"]
    command += ["--no-video", "--no-report"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (output.exists() and len(results(output)) >= 2):
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    finished = {path for path, entry in entries(output).items() if entry.state in (DONE, NEEDS_REVIEW)}
    assert len(finished) < 11  # it was in the midst of it
    before = {path: (output / path).stat().st_mtime_ns for path in results(output)}
    time.sleep(0.5)  # the children end with their parent
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 2, again.stderr  # of the broken file
    after = entries(output)
    assert len(after) == 12 and all(entry.state in (NEEDS_REVIEW, DONE, FAILED) for entry in after.values())
    assert [path for path, entry in after.items() if entry.state == FAILED] == ["broken.npz"]
    for path, changed in before.items():
        assert (output / path).stat().st_mtime_ns == changed or not load_result(output / path).audit
    for path in finished:
        assert f"{path}: " not in again.stdout  # not done twice


def test_the_command_line(clips, output, capsys):
    arguments = ["batch", str(clips), "-o", str(output), "--jobs", "1", "--no-video", "--no-report"]
    assert main(arguments) == 2
    said = capsys.readouterr().out
    assert "broken.npz: failed: " in said and "3 needs review, 1 failed (4 in this run)" in said
    (clips / "broken.npz").unlink()
    assert main(["batch", "-o", str(output), "--mark-reviewed", "a.npz", "--who", "me"]) == 0
    assert "a.npz: reviewed by me" in capsys.readouterr().out
    assert main(["batch", "-o", str(output)]) == 2 and "needs a folder" in capsys.readouterr().err
    assert main(["batch", str(clips / "a.npz"), "-o", str(output)]) == 2
    assert "is not a folder" in capsys.readouterr().err
    assert main([*arguments, "--models", str(clips)]) == 2
    assert "detector.onnx" in capsys.readouterr().err


def test_a_folder_is_needed(tmp_path, output, options):
    with pytest.raises(EchoKeypointsError, match="absent is not a folder"):
        run_batch(tmp_path / "absent", output, Here(), options)
    (tmp_path / "empty").mkdir()
    assert run_batch(tmp_path / "empty", output, Here(), options).states == {}
    assert "0 clips" in (output / "index.html").read_text()


def test_a_changed_clip_is_analysed_again_and_its_old_result_kept(clips, output, options):
    run_batch(clips, output, Here(), options)
    review(output, ["a.npz"], "reader", "seen")
    write_clip(clips / "a.npz", seed=9, frames=6)
    tally = run_batch(clips, output, Here(), options)
    assert tally.analysed == 1 and entries(output)["a.npz"].state == NEEDS_REVIEW
    assert load_result(output / "a").clip.frame_count == 6
    (aside,) = output.glob("a.until-*")
    assert load_result(aside).audit[-1].what == "review"


def test_a_changed_folder_of_frames_is_analysed_again(tmp_path, output, options):
    frames = tmp_path / "in" / "frames"
    frames.mkdir(parents=True)
    for count in (4, 5):
        video = np.load(write_clip(tmp_path / "clip.npz", count, count))["video"]
        for number, picture in enumerate(video):
            Image.fromarray(picture).save(frames / f"{number}.png")
        assert run_batch(tmp_path / "in", output, Here(), options).analysed == 1
        assert load_result(output / "frames").clip.frame_count == count
    assert len(list(output.glob("frames.until-*"))) == 1


def test_a_damaged_result_is_made_again_on_request(clips, output, options):
    run_batch(clips, output, Here(), options)
    (output / "a" / "result.json").write_text("{")
    run_batch(clips, output, Here(), options)
    assert "--retry-failed" in entries(output)["a.npz"].reason
    run_batch(clips, output, Here(), options, retry_failed=True)
    assert entries(output)["a.npz"].state == NEEDS_REVIEW and load_result(output / "a")


def test_a_clip_may_be_called_like_a_folder_of_others(clips, output, options):
    run_batch(clips, output, Here(), options)
    write_clip(clips / "study.npz", 5)
    run_batch(clips, output, Here(), options)
    assert entries(output)["study.npz"].state == NEEDS_REVIEW
    assert results(output)[-3:] == ["study/IM1/result.json", "study/IM2/result.json", "study/result.json"]


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 there")
def test_a_name_that_is_no_text_fails_alone(clips, output, options):
    (clips / os.fsdecode(b"M\xfcller.npz")).write_bytes((clips / "a.npz").read_bytes())
    tally = run_batch(clips, output, Here(), options)
    assert tally.states == {FAILED: 2, NEEDS_REVIEW: 3}
    assert "UTF-8" in entries(output)["M\\xfcller.npz"].reason


def test_a_persons_word_on_the_view_counts(clips, output, options):
    run_batch(clips, output, Here(), options)
    file = output / "a" / "result.json"
    said = {}
    for plax in (True, False):
        save_result(set_view(load_result(file), plax, who="reader", reason=""), file)
        run_batch(clips, output, Here(), options)
        said[plax] = entries(output)["a.npz"].reason
    assert "parasternal" not in said[True] and "parasternal" in said[False]
