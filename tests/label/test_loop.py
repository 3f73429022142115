"""The whole loop through HTTP: list, choose, analyse, edit, refine, save, train, serve, score, roll back."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import psutil
import pytest
from edits import corrected
from serving import CLIPS, SAMPLE, Server

from echo_keypoints.analysis import analyze_clip
from echo_keypoints.label_client import (
    ConflictError,
    LockedError,
    NotFoundError,
    RefusedError,
    TaskFailedError,
)
from echo_keypoints.results import load_result
from echo_keypoints.tracking import Anchor, load_backend

SETTLE_S = 2.0
"""The server looks through its folder at most this often."""


def test_clips_are_listed_as_they_are(server: Server, clip_files: Path, tmp_path: Path) -> None:
    client = server.client()
    assert [clip.id for clip in client.clips()] == CLIPS
    assert client.info()["clips"]["total"] == 4
    clip = client.clip("one.v1 b.DCM")
    assert (clip.frame_count, clip.state, clip.version) == (16, "new", 0) and clip.spacing_mm is not None
    path = client.download_clip("patient 4/one.v1.dcm", tmp_path)
    assert path.read_bytes() == (clip_files / "patient 4/one.v1.dcm").read_bytes()
    with pytest.raises(NotFoundError):
        client.clip("notes.txt")


def test_the_server_tracks_as_the_command_line_does(server: Server, clip_files: Path) -> None:
    seen: list[str] = []
    given = server.client().infer(
        "trnet", "one.v1 b.DCM", save=True, progress=lambda stage, *_: seen.append(stage)
    )
    own = analyze_clip(clip_files / "one.v1 b.DCM", backend=load_backend("onnx", threads=1))
    np.testing.assert_allclose(given.points_px, own.points_px, atol=1e-3)
    assert given.clip_sha256 == hashlib.sha256((clip_files / "one.v1 b.DCM").read_bytes()).hexdigest()
    label = server.client().label("one.v1 b.DCM")
    assert (label.info.tag, label.info.annotator) == ("original", "model")
    assert {word for frame in label.origin for word in frame} == {"auto"}
    alone = server.client().infer("sknet", "one.v1 b.DCM")
    assert alone.iterations == 0 and not np.allclose(alone.points_px, given.points_px)


def test_clear_refusals(server: Server) -> None:
    client = server.client()
    with pytest.raises(NotFoundError, match="no such clip"):
        client.infer("trnet", "../../etc/passwd")
    with pytest.raises(NotFoundError, match="choose one of"):
        client.infer("magic", "two.mp4")
    with pytest.raises(RefusedError, match="needs anchors"):
        client.infer("refine", "two.mp4")
    with pytest.raises(TaskFailedError, match="frame 99 is not one of them"):
        client.infer("refine", "two.mp4", anchors=[Anchor(99, np.ones((4, 2)))])
    with pytest.raises(RefusedError, match="no strategy"):
        client.next_sample("best")
    with pytest.raises(NotFoundError):
        client.label("two.mp4")


def test_saving_never_loses_an_update(server: Server, tmp_path: Path) -> None:
    anna, bo = server.client("anna"), server.client("bo")
    original = anna.infer("trnet", "two.mp4", save=True)
    base = anna.clip("two.mp4").version
    results = [corrected(c, "two.mp4", original, f, 2.0) for c, f in ((anna, 3), (bo, 9))]
    start = threading.Barrier(2)

    def save(client, result):  # type: ignore[no-untyped-def]
        start.wait()
        try:
            return client.save_label("two.mp4", result, base_version=base)
        except ConflictError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(save, (anna, bo), results))
    conflicts = [answer for answer in answers if isinstance(answer, ConflictError)]
    (saved,) = [answer for answer in answers if not isinstance(answer, ConflictError)]
    assert len(conflicts) == 1 and conflicts[0].facts["version"] == saved.version == base + 1
    # The other one reads independently, and keeps both.
    other = bo if saved.annotator == "anna" else anna
    again = other.save_label(
        "two.mp4", results[answers.index(conflicts[0])], base_version=base, independent=True
    )
    assert again.version == base + 2 and again.independent
    kept = anna.clip("two.mp4").versions
    assert [(v.tag, v.version) for v in kept] == [
        ("original", base),
        ("final", base + 1),
        ("final", base + 2),
    ]
    label = anna.label("two.mp4", annotator="anna")
    assert label.origin[3] == ("reader",) * 4 and "edited" in label.origin[4]
    copy = load_result(Path(server.studies) / "labels/final/two.mp4.json")
    assert len(copy.audit) == 1 and len(copy.anchors) == 1


def test_a_result_of_another_clip_or_without_its_trail_is_refused(server: Server) -> None:
    client = server.client()
    result = client.infer("trnet", "three.npz")
    with pytest.raises(RefusedError, match="another clip"):
        client.save_label("one.v1 b.DCM", result, base_version=0)
    first = client.save_label("three.npz", corrected(client, "three.npz", result, 2, 1.0), base_version=0)
    with pytest.raises(RefusedError, match="audit trail"):
        client.save_label("three.npz", result, base_version=first.version)
    with pytest.raises(RefusedError, match="does not exist"):
        client.save_label("three.npz", result, base_version=99)
    for name in ("", "model", "../x", "a" * 70, "<b>"):
        with pytest.raises(RefusedError, match="annotator's name"):
            server.client(name).save_label("three.npz", result, base_version=first.version)


def test_locks_hold_others_off(server: Server) -> None:
    anna, bo = server.client("anna"), server.client("bo")
    clip_id = "patient 4/one.v1.dcm"
    lock = anna.lock(clip_id, minutes=5)
    assert anna.clip(clip_id).lock == lock and lock.annotator == "anna"
    with pytest.raises(LockedError, match="anna works on this clip") as caught:
        bo.lock(clip_id)
    assert caught.value.facts["annotator"] == "anna"
    with pytest.raises(LockedError):
        bo.save_label(clip_id, bo.infer("trnet", clip_id), base_version=0)
    assert bo.next_sample("first").clip.id == "one.v1 b.DCM"  # type: ignore[union-attr]
    bo.unlock(clip_id)  # not his
    assert anna.clip(clip_id).lock is not None
    anna.unlock(clip_id)
    assert anna.clip(clip_id).lock is None


def test_strategies_explain_and_pass_over_what_is_final(server: Server) -> None:
    client = server.client()
    for strategy in client.info()["strategies"]:
        sample = client.next_sample(strategy, seed=1)
        assert sample.clip is not None and sample.clip.state != "final", strategy
        assert "2 final and 0 locked clips were passed over" in sample.explanation
        assert sample.remaining == 2
        assert sample.frames and all(hint.reason for hint in sample.frames), strategy
        if strategy not in ("first", "random"):
            assert sample.score is not None and "Chosen from 2 of 2" in sample.explanation


def test_eight_clients_at_once_get_their_own_results_and_info_answers(server: Server) -> None:
    alone = {clip: server.client().infer("trnet", clip).points_px for clip in CLIPS}
    _add_sample(server, "cold.dcm")
    waits: list[float] = []
    took: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            started = time.monotonic()
            urlopen(f"{server.url}/info/", timeout=30).read()
            waits.append(time.monotonic() - started)
            time.sleep(0.1)

    watcher = threading.Thread(target=watch)
    watcher.start()

    def work(number: int) -> tuple[str, int, np.ndarray]:
        clip, frame = CLIPS[number % 4], number
        anchor = Anchor(frame, alone[clip][frame] + number)
        started = time.monotonic()
        result = server.client(f"reader {number}").infer("refine", clip, anchors=[anchor])
        took.append(time.monotonic() - started)
        return clip, number, result.points_px

    with ThreadPoolExecutor(9) as pool:
        cold = pool.submit(server.client().infer, "trnet", "long/cold.dcm")
        answers = list(pool.map(work, range(8)))
        assert cold.result().clip.frame_count == 60
    done.set()
    watcher.join()
    for clip, number, points in answers:
        np.testing.assert_allclose(points[number], alone[clip][number] + number, atol=1e-3)
    # Who only asks never waits for an analysis of somebody else, however slow the machine is.
    assert np.quantile(waits, 0.95) < min(took), (waits, took)


def test_refinement_of_a_ready_clip_is_interactive(server: Server) -> None:
    """A small part of the CPU time of the first analysis, which reads and detects too."""
    client = server.client()
    _add_sample(server, "sample.dcm")
    assert client.clip("long/sample.dcm").frame_count == 60
    process = psutil.Process(server.process.pid)  # type: ignore[union-attr]
    spent = []
    anchors: list[Anchor] = []
    for frame in (10, 20, 30, 40):
        before = sum(process.cpu_times()[:2])
        result = client.infer("refine" if anchors else "trnet", "long/sample.dcm", anchors=anchors)
        spent.append(sum(process.cpu_times()[:2]) - before)
        anchors = [Anchor(frame, result.points_px[frame] + 2)]
    first, *again = spent
    assert min(again) < first / 4, spent


def test_a_clip_that_is_deleted_is_gone_at_once(server: Server) -> None:
    client = server.client()
    _add_sample(server, "gone.dcm")
    assert client.clip("long/gone.dcm").frame_count == 60
    (Path(server.studies) / "long/gone.dcm").unlink()
    for address in ("clip", "clip/digest", "clip/file"):
        with pytest.raises(HTTPError) as caught:
            urlopen(f"{server.url}/echo/{address}?id=long/gone.dcm", timeout=30)
        assert caught.value.code == 404


def test_an_analysis_can_be_cancelled(server: Server) -> None:
    _add_sample(server, "again.dcm")
    with pytest.raises(TaskFailedError, match="cancelled"):
        server.client().infer("trnet", "long/again.dcm", cancelled=lambda: True)


def test_scores_of_labels_readers_and_their_agreement(server: Server) -> None:
    scores = server.client().scores()
    assert {label["clip"] for label in scores["labels"]} == {"two.mp4", "three.npz"}
    by_reader = {label["annotator"]: label for label in scores["labels"] if label["clip"] == "two.mp4"}
    # Both moved every point of their frame by (2, 2) px: the model is off by that length.
    assert by_reader["anna"]["model_error_px"] == pytest.approx(np.hypot(2, 2), abs=0.02)
    assert by_reader["bo"]["share"]["reader"] == pytest.approx(1 / 16)
    (pair,) = scores["agreement"]
    assert pair["readers"] == ["anna", "bo"] and pair["clips"] == 1 and pair["common_frames"] == 0
    assert set(pair["LVID"]) == {"unit", "bias", "mean_absolute", "limits_of_agreement"}
    assert scores["readers"]["anna"]["clips"] == 2


def test_state_and_cache_never_become_clips(server: Server) -> None:
    assert all(clip.id in CLIPS or clip.id.startswith("long/") for clip in server.client().clips())
    log = server.log.read_text()
    assert not any(Path(clip).name in log for clip in CLIPS), "names of files may hold names of patients"
    assert json.loads(urlopen(f"{server.url}/datastore/?output=all").read())["objects"]["two.mp4"]["labels"]


def _add_sample(server: Server, name: str) -> None:
    """Put a long clip into the studies, and wait until the server looks at the folder again."""
    folder = Path(server.studies) / "long"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(SAMPLE.read_bytes())
    time.sleep(SETTLE_S + 0.1)
