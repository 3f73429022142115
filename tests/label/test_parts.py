"""Parts of the server on their own, against what must hold by definition."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest
from serving import APP, SAMPLE

sys.path.insert(0, str(APP))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from echo_keypoints.cli.simulate import write_clip
from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.data.sources import clips, labelled_frames
from echo_keypoints.results import to_document
from echo_keypoints.tracking import Anchor
from example_results import make_header, make_result
from lib import catalogue as catalogue_module
from lib.catalogue import FolderCatalogue
from lib.inference import Inference
from lib.jobs import Jobs
from lib.labels import LabelStore, check_annotator
from lib.locks import Locks
from lib.models import ModelRegistry
from lib.orders import OPTIONS, checked
from lib.refusal import Refusal
from lib.scoring import score_labels
from lib.sessions import SessionCache
from lib.settings import Settings, SettingsError, read_tokens
from lib.survey import Survey
from lib.versions import pins, problem
from start import command


@dataclass(eq=False)
class FakeSession:
    memory_bytes: int = 40
    closed: bool = False

    def close(self) -> None:
        self.closed = True


def test_sessions_are_bounded_and_never_closed_in_use() -> None:
    cache = SessionCache(100)
    made: dict[str, Any] = {}

    def open_(key: str) -> Any:
        made[key] = FakeSession()
        return made[key]

    with cache.use("a", lambda: open_("a")):
        for key in "bcd":
            with cache.use(key, lambda key=key: open_(key)):
                assert not made["a"].closed
    assert cache.bytes <= 100 and made["b"].closed and not made["d"].closed
    with pytest.raises(ValueError, match="no clip"), cache.use("x", lambda: _raise(ValueError("no clip"))):
        pass
    assert not cache.holds("x") and cache.holds("d")


def test_one_session_is_opened_once_and_used_by_one_at_a_time() -> None:
    cache, opened, inside = SessionCache(100), [], []

    def work() -> None:
        with cache.use("a", lambda: opened.append(1) or FakeSession()):  # type: ignore[func-returns-value,return-value]
            inside.append(1)
            assert len(inside) == 1
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1


def test_locks_expire_and_survive_a_restart(tmp_path: Path) -> None:
    now = [1000.0]
    path = tmp_path / "locks.json"
    locks = Locks(path, lambda: now[0])
    locks.take("a", "anna", 10)
    locks.take("a", "anna", 20)  # longer
    again = Locks(path, lambda: now[0])
    with pytest.raises(Refusal, match="anna works") as caught:
        again.check("a", "bo")
    assert caught.value.status == 423 and caught.value.facts["until_utc"] == "1970-01-01T00:36:40Z"
    now[0] += 20 * 60 + 1
    again.take("a", "bo", 1)
    path.write_text("{broken")
    assert Locks(path, lambda: now[0]).holder("a") is None
    with pytest.raises(Refusal, match="1 to 720"):
        again.take("b", "bo", 0)


def test_jobs_tell_progress_cancel_and_failures() -> None:
    jobs = Jobs(1)
    gate = threading.Event()

    def slow(progress: Any) -> dict[str, Any]:
        progress("detect", 1, 2)
        gate.wait(10)
        progress("detect", 2, 2)
        return {"answer": 42}

    first, second = jobs.submit(slow), jobs.submit(slow)
    quick = jobs.submit(lambda progress: {"answer": 1}, quick=True)
    assert jobs.get(quick.id, 5).state == "done"  # not behind the others
    assert not jobs.idle() and second.state == "queued"
    jobs.cancel(second.id)
    gate.set()
    assert jobs.get(first.id, 5).to_document()["result"] == {"answer": 42}
    assert jobs.get(second.id, 5).state == "cancelled"
    broken = jobs.submit(lambda progress: {}[0])  # type: ignore[index]
    assert jobs.get(broken.id, 5).state == "failed" and broken.id in broken.message
    with pytest.raises(Refusal) as caught:
        jobs.get("nothing")
    assert caught.value.status == 404


def test_copies_are_made_anew_from_the_versions(tmp_path: Path) -> None:
    store = LabelStore(tmp_path)
    document = to_document(make_result())
    for tag, who in (("original", "model"), ("final", "anna"), ("final", "bo")):
        store.save("p/a.dcm", document, tag=tag, annotator=who, base_version=None, model_version=0)
    assert [info.version for info in LabelStore(tmp_path).versions("p/a.dcm")] == [1, 2, 3]
    assert store.find("p/a.dcm").annotator == "bo"
    assert store.find("p/a.dcm", annotator="anna").version == 2
    copy = store.copy("p/a.dcm", "final")
    copy.write_text("{half")
    store.copy("p/a.dcm", "original").unlink()
    assert LabelStore(tmp_path).repair(["p/a.dcm"]) == 2 and json.loads(copy.read_text()) == document
    assert store.repair(["p/a.dcm"]) == 0


def test_scores_of_two_readers_are_what_they_set(tmp_path: Path) -> None:
    """Two readers set frame 2; the second one 3 px further along the measuring line at every landmark."""
    store = LabelStore(tmp_path)
    first = make_result(clip=make_header(spacing_mm=(0.5, 0.5)))
    store.save("a", to_document(first), tag="original", annotator="model", base_version=0, model_version=0)
    for name, shift in (("anna", 0.0), ("bo", 3.0)):
        points = first.points_px.copy()
        points[2, :, 1] += shift
        result = make_result(
            clip=first.clip, points_px=points, anchors=(Anchor(2, points[2]),), automatic_px=first.points_px
        )
        store.save(
            "a",
            to_document(result),
            tag="final",
            annotator=name,
            base_version=1,
            model_version=0,
            independent=True,
        )
    scores = score_labels(store, ["a", "without"])
    anna, bo = scores["labels"]
    assert anna["model_error_px"] == pytest.approx(0) and bo["model_error_px"] == pytest.approx(3)
    assert bo["model_across_px"] == pytest.approx(3) and bo["model_along_px"] == pytest.approx(0)
    assert bo["share"] == {"auto": 0.8, "edited": 0.0, "reader": 0.2}
    (pair,) = scores["agreement"]
    assert pair["point_px"] == pytest.approx(3) and pair["common_frames"] == 1
    assert pair["LVID"] == {"unit": "mm", "bias": 0, "mean_absolute": 0, "limits_of_agreement": 0}


def test_formats_and_capital_endings_are_clips_as_they_are(tmp_path: Path) -> None:
    clip = simulate_clip(0, frame_count=6, fps=24)
    with av.open(str(tmp_path / "a 1.AVI"), "w", format="avi") as stream:
        video = stream.add_stream("mjpeg", rate=24, width=224, height=224, pix_fmt="yuvj420p")
        for frame in clip.video:
            stream.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="gray")))
        stream.mux(video.encode())
    header = (
        "NRRD0004\ntype: unsigned char\ndimension: 3\nsizes: 224 224 6\n"
        "kinds: domain domain list\nencoding: raw\n\n"
    )
    (tmp_path / "b.2.seq.NRRD").write_bytes(header.encode() + clip.video.tobytes())
    entries = FolderCatalogue(tmp_path).entries()
    assert {name: entry.header.frame_count for name, entry in entries.items()} == {
        "a 1.AVI": 6,
        "b.2.seq.NRRD": 6,
    }


def test_links_out_of_the_folder_and_state_are_no_clips(tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    (studies / "labels/final").mkdir(parents=True)
    for place in ("a.dcm", "labels/final/b.dcm", ".echo-keypoints/c.dcm", ".hidden.dcm"):
        target = studies / place
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(SAMPLE.read_bytes())
    (tmp_path / "secret.dcm").write_bytes(SAMPLE.read_bytes())
    (studies / "link.dcm").symlink_to(tmp_path / "secret.dcm")
    catalogue = FolderCatalogue(studies)
    assert list(catalogue.entries()) == ["a.dcm"]
    with pytest.raises(Refusal):
        catalogue.file("../secret.dcm")


@pytest.mark.parametrize("ending", [".txt", ".md", ".lock", ".JSON", ".csv", ".pt"])
def test_a_name_that_no_clip_has_is_refused_before_the_file_is_kept(tmp_path: Path, ending: str) -> None:
    studies, part = tmp_path / "studies", tmp_path / f"part{ending}"
    studies.mkdir()
    part.write_bytes(SAMPLE.read_bytes())
    with pytest.raises(Refusal, match=f"heart{ending} has an ending") as caught:
        FolderCatalogue(studies).add(f"heart{ending}", part)
    assert caught.value.status == 422 and list(studies.iterdir()) == []


def test_a_link_back_to_its_own_folder_makes_no_clip_twice(tmp_path: Path) -> None:
    (tmp_path / "pat1").mkdir()
    (tmp_path / "pat1/a.dcm").write_bytes(SAMPLE.read_bytes())
    (tmp_path / "pat1/again").symlink_to(tmp_path, target_is_directory=True)
    assert list(FolderCatalogue(tmp_path).entries()) == ["pat1/a.dcm"]


def small_clip(path: Path, seed: int, frame_count: int = 4) -> Path:
    write_clip(simulate_clip(seed, frame_count=frame_count, fps=24), path)
    return path


def analyses_of(studies: Path, state: Path) -> tuple[Inference, ModelRegistry]:
    models = ModelRegistry(state / "models", Settings(engine="onnx", threads=1))
    return Inference(FolderCatalogue(studies, state), models, SessionCache(1 << 30)), models


def test_a_replaced_clip_is_the_new_one_and_a_deleted_one_is_gone_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_module, "SETTLE_S", 1e9)  # no look at the folder comes to the rescue
    studies = tmp_path / "studies"
    studies.mkdir()
    path = small_clip(studies / "a.npz", 1)
    inference, _ = analyses_of(studies, tmp_path / "state")
    old = inference.run("sknet", "a.npz", lambda *_: None)
    small_clip(path, 2, frame_count=5)
    new = inference.run("sknet", "a.npz", lambda *_: None)
    assert (old.clip.frame_count, new.clip.frame_count) == (4, 5) and old.clip_sha256 != new.clip_sha256
    assert inference.entry("a.npz").bytes == path.stat().st_size

    def replace(stage: str, done: int, total: int) -> None:
        shutil.copyfile(other, path)

    other, before = small_clip(tmp_path / "b.npz", 3), small_clip(path, 4)
    assert before.is_file()
    with pytest.raises(Refusal, match="replaced during the analysis"):
        inference.run("sknet", "a.npz", replace)
    path.unlink()
    for ask in (inference.entry, inference.fetch, lambda _: inference.digests.of(path)):
        with pytest.raises(Refusal) as caught:
            ask("a.npz")
        assert caught.value.status == 404


def test_the_survey_lives_on_when_a_clip_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_module, "SETTLE_S", 0.0)
    studies, free = tmp_path / "studies", threading.Event()
    studies.mkdir()
    for number, name in enumerate("abc"):
        small_clip(studies / f"{name}.npz", number)
    inference, models = analyses_of(studies, tmp_path / "state")
    survey = Survey(tmp_path / "signals", inference, models, free.is_set)
    assert not any(survey.signals(["a.npz", "b.npz"]).values())  # the first one waits, the second one is next
    (studies / "b.npz").unlink()
    inference._catalogue.entries()
    free.set()
    assert survey.signals(["c.npz"], wait_s=120)["c.npz"] is not None
    found = survey.signals(["a.npz", "b.npz", "c.npz"], wait_s=120)
    assert found["b.npz"] is None and found["a.npz"] is not None


def test_each_network_has_its_own_defaults() -> None:
    assert set(checked("placenet", {})) == set(OPTIONS) == set(checked("trnet", {}))
    assert checked("placenet", {})["learning_rate"] == 5e-4 and checked("sknet", {})["learning_rate"] == 2e-4
    assert checked("placenet", {"learning_rate": 1e-5})["learning_rate"] == 1e-5


def test_every_seed_that_is_accepted_gives_hearts_to_train_on() -> None:
    highest = int(OPTIONS["seed"].high)
    assert checked("sknet", {"seed": highest})["seed"] == highest
    assert all(len(source("train", seed=highest)) > 0 for source in (labelled_frames, clips))
    with pytest.raises(Refusal, match=f"from 0 to {highest}"):
        checked("sknet", {"seed": highest + 1})


def test_settings_and_tokens(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    tokens.write_text(json.dumps({"anna": "a" * 16, "bo": "b" * 16}))
    tokens.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_tokens(tokens)
    tokens.chmod(0o600)
    settings = Settings.read({"tokens": str(tokens), "cache-mb": "10"}, {"ECHO_LABEL_THREADS": "3"})
    assert settings.tokens == {"a" * 16: "anna", "b" * 16: "bo"} and "aaaa" not in repr(settings)
    assert settings.cache_bytes == 10 << 20 and settings.threads == 3
    for text in ('{"anna": "short"}', "[]", "{}", '{{"a": "{}", "b": "{}"}}'.format("x" * 16, "x" * 16)):
        tokens.write_text(text)
        with pytest.raises(SettingsError):
            read_tokens(tokens)
    with pytest.raises(SettingsError, match="whole number"):
        Settings.read({"threads": "-1"}, {})
    with pytest.raises(SettingsError, match="auto, onnx or torch"):
        Settings.read({"engine": "magic"}, {})


def test_versions_that_do_not_fit_are_told_in_one_sentence(tmp_path: Path) -> None:
    assert problem() is None
    other = tmp_path / "requirements.txt"
    for line, words in (
        ("pydicom<2", "pydicom 2"),
        ("monailabel==9.9", "needs monailabel==9.9"),
        ("no-such-package==1.0", "no-such-package is missing"),
    ):
        other.write_text(f"# comment\n.[train]\n{line}  # why\n")
        assert words in (problem(other) or "")
    assert ("pydicom", "<", "3") in pins((APP / "requirements.txt").read_text())


def test_the_server_starts_only_with_packages_that_fit(tmp_path: Path) -> None:
    """Another version goes before the installed one on the path, as pip would have left it."""
    other = tmp_path / "pydicom-3.0.2.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: pydicom\nVersion: 3.0.2\n")
    done = subprocess.run(
        [sys.executable, str(APP / "start.py"), "--studies", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "pydicom 3.0.2 is installed, but the Label server needs pydicom<3" in done.stderr


def test_the_server_listens_on_this_machine_unless_told_otherwise() -> None:
    assert command(["--studies", "x"])[-4:] == ["--host", "127.0.0.1", "--studies", "x"]
    assert "127.0.0.1" not in command(["--host=0.0.0.0"]) and "127.0.0.1" not in command(["-i", "::1"])


@pytest.mark.parametrize("name", ["anna", "Ünal Ö.", "b.o@clinic", "O'Neill"])
def test_names_that_people_have(name: str) -> None:
    assert check_annotator(name) == name


def _raise(error: Exception) -> Any:
    raise error
