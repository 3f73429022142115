"""The worker as a process: its protocol, and the engine's answers through it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from echo_keypoints.results import file_digest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = str(ROOT / "docs" / "sample" / "plax_phantom.dcm")


class Process:
    """Requests in, answers out; progress is kept aside."""

    def __init__(self):
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "monai_bundle"), "OMP_NUM_THREADS": "2"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "echo_keypoints.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.progress = []

    def send(self, line):
        self._process.stdin.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
        self._process.stdin.flush()

    def answer(self):
        while "progress" in (message := json.loads(self._process.stdout.readline())):
            self.progress.append(message["progress"])
        return message

    def ask(self, method, **params):
        self.send({"id": 1, "method": method, "params": params})
        return self.answer()

    def end(self):
        self._process.stdin.close()
        return self._process.wait(timeout=30)


@pytest.fixture
def process():
    made = Process()
    yield made
    assert made.end() == 0


@pytest.fixture(scope="module")
def analysed():
    made = Process()
    text = made.ask("analyze", clip={"path": SAMPLE}, patient={"sex": "M"})["result"]["document"]
    yield made, text
    made.end()


def test_nonsense_is_answered_and_does_no_harm(process):
    for line in ("nonsense", "[1, 2]", '{"a":'):
        process.send(line)
        assert process.answer()["kind"] == "fault"
    assert "no method" in process.ask("dance")["error"]
    refused = process.ask("analyze", clip={"path": "/no/such/clip.dcm"})
    assert refused["kind"] == "refused" and "clip.dcm" in refused["error"] and "/no" not in refused["error"]


def test_reading_gives_frames_and_facts(process, tmp_path):
    from echo_keypoints.readers import read_clip

    answer = process.ask("read", clip={"path": SAMPLE}, pixels=str(tmp_path / "frames.npy"))
    clip = read_clip(SAMPLE)
    assert np.array_equal(np.load(tmp_path / "frames.npy"), clip.pixels)
    assert answer["result"]["header"]["spacing_mm"] == pytest.approx(clip.header.spacing_mm, abs=1e-5)
    assert process.progress[-1] == ["read", 60, 60]


def test_an_analysis_is_cancelled_on_the_way(process):
    process.send({"id": 5, "method": "analyze", "params": {"clip": {"path": SAMPLE}}})
    process.send({"cancel": 5})
    assert process.answer() == {"id": 5, "error": "Cancelled.", "kind": "cancelled"}


def test_the_result_is_the_engine_s_own(analysed):
    from echo_keypoints.analysis import analyze_clip

    _, text = analysed
    expected = analyze_clip(SAMPLE)
    points = np.array(json.loads(text)["tracks"]["points_px"])
    assert points == pytest.approx(expected.points_px, abs=1e-3)
    assert json.loads(text)["measurements"]["patient"]["sex"] == "M"


def test_pixels_of_another_program_give_the_same_tracks(analysed, tmp_path):
    from echo_keypoints.readers import read_clip

    process, text = analysed
    np.save(tmp_path / "frames.npy", read_clip(SAMPLE).pixels)
    header = json.loads(text)["clip"]
    spec = {"pixels": str(tmp_path / "frames.npy"), "header": header, "sha256": header["sha256"]}
    again = json.loads(process.ask("analyze", clip=spec)["result"]["document"])
    assert again["clip"]["sha256"] == header["sha256"]
    assert np.array(again["tracks"]["points_px"]) == pytest.approx(
        np.array(json.loads(text)["tracks"]["points_px"]), abs=1e-3
    )


def test_edits_answer_with_the_whole_result(analysed):
    process, text = analysed
    spec, who = {"path": SAMPLE}, {"who": "A", "reason": "why"}
    points = json.loads(text)["tracks"]["points_px"][30]
    points = [None, [points[1][0], points[1][1] + 4], None, None]
    points = [p or [None, None] for p in points]
    edit = {"kind": "landmarks", "values": {"frame": 30, "points_px": points}, **who}
    changed = process.ask("edit", clip=spec, document=text, edit=edit)["result"]["document"]
    tracks = json.loads(changed)["tracks"]
    assert tracks["points_px"][30][1] == pytest.approx(points[1], abs=1e-4)
    assert json.loads(changed)["audit"][-1]["who"] == "A"
    edit = {"kind": "clear_all", **who}
    back = json.loads(process.ask("edit", clip=spec, document=changed, edit=edit)["result"]["document"])
    assert back["tracks"]["points_px"] == json.loads(text)["tracks"]["points_px"]
    edit = {"kind": "scale", "values": {"spacing_mm": [0.5, 0.5], "source": "test"}, **who}
    scaled = json.loads(process.ask("edit", clip=spec, document=text, edit=edit)["result"]["document"])
    lengths = scaled["lengths"]["LVID"]
    assert np.array(lengths["mm"]) == pytest.approx(0.5 * np.array(lengths["px"]), abs=1e-4)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"kind": "dance"}, "no change of the kind"),
        ({"kind": "scale", "values": {"spacing_mm": [0, 1], "source": ""}}, "positive"),
        ({"kind": "reject", "values": {"index": 99}}, "beat 99"),
    ],
)
def test_impossible_edits_are_refused(analysed, edit, words):
    process, text = analysed
    answer = process.ask("edit", clip={"path": SAMPLE}, document=text, edit=edit)
    assert answer["kind"] == "refused" and words in answer["error"]


def test_exports_replace_only_their_own_clip_s(analysed, tmp_path):
    process, text = analysed
    request = {"clip": {"path": SAMPLE}, "document": text, "folder": str(tmp_path), "kinds": ["csv", "sr"]}
    for _ in range(2):
        assert "sr.dcm" in process.ask("export", **request)["result"]["files"]
    (tmp_path / "plax_phantom" / "result.json").unlink()
    assert "other files" in process.ask("export", **request)["error"]
    assert "no export" in process.ask("export", **{**request, "kinds": ["song"]})["error"]


def write_clip(path, frames, seed=0):
    y, x = np.mgrid[:48, :64]
    shift = np.random.default_rng(seed).uniform(-5, 5)
    video = [200 * np.exp(-((x - 30 - shift - t) ** 2 + (y - 24) ** 2) / 90) for t in range(frames)]
    np.savez(path, video=np.stack(video).astype(np.uint8), fps=20.0)
    return str(path)


def test_a_file_that_was_replaced_is_read_again(process, tmp_path):
    path = write_clip(tmp_path / "clip.npz", 6)
    first = process.ask("analyze", clip={"path": path})["result"]["document"]
    write_clip(path, 5, seed=1)
    edit = {"kind": "clear_all", "who": "A", "reason": ""}
    anchored = {
        "kind": "landmarks",
        "values": {"frame": 2, "points_px": [[9, 9]] * 4},
        "who": "A",
        "reason": "",
    }
    refused = process.ask("edit", clip={"path": path}, document=first, edit=anchored)
    assert refused["kind"] == "refused" and "was changed since" in refused["error"]
    second = json.loads(process.ask("analyze", clip={"path": path})["result"]["document"])
    assert second["clip"]["frame_count"] == 5 and second["clip"]["sha256"] == file_digest(Path(path))
    assert (
        "document"
        in process.ask("edit", clip={"path": path}, document=json.dumps(second), edit=edit)["result"]
    )


def test_a_scale_is_of_the_request_it_comes_with(process, tmp_path):
    spec = {"path": write_clip(tmp_path / "clip.npz", 5)}
    found = []
    for scale in (None, {"spacing_mm": [0.4, 0.4], "source": "two clicks"}, None):
        answer = process.ask("analyze", clip={**spec, "scale": scale})["result"]["document"]
        found.append(json.loads(answer)["clip"]["spacing_mm"])
    assert found == [None, [0.4, 0.4], None]


def test_exports_of_an_earlier_state_do_not_stay(analysed, tmp_path):
    process, text = analysed
    request = {"clip": {"path": SAMPLE}, "folder": str(tmp_path)}
    process.ask("export", **request, document=text, kinds=["csv", "markups"])
    process.ask("export", **request, document=text, kinds=["sr"])
    names = {path.name for path in (tmp_path / "plax_phantom").iterdir()}
    assert {"beats.csv", "landmarks.seq.mrb", "sr.dcm"} <= names  # the same result: files add up
    edit = {"kind": "reject", "values": {"index": 0}, "who": "A", "reason": "short"}
    changed = process.ask("edit", clip={"path": SAMPLE}, document=text, edit=edit)["result"]["document"]
    process.ask("export", **request, document=changed, kinds=["csv"])
    names = {path.name for path in (tmp_path / "plax_phantom").iterdir()}
    assert names == {"result.json", "curves.csv", "beats.csv", "clip.csv", "curves.png"}


def test_ids_that_are_no_ids_do_no_harm(process):
    for line in ('{"id": [1], "method": "warm_up"}', '{"cancel": [1]}', '{"id": {}, "method": "x"}'):
        process.send(line)
        assert process.answer()["kind"] == "fault"
    assert "no method" in process.ask("dance")["error"]


def test_a_damaged_document_is_refused(process):
    edit = {"kind": "reviewed", "who": "A", "reason": ""}
    for text in ("{", "[]", "null", '{"schema_version": "1.0"}'):
        answer = process.ask("edit", clip={"path": SAMPLE}, document=text, edit=edit)
        assert answer["kind"] == "refused" and "damaged" in answer["error"]
