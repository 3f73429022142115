"""Training: held-out patients, verdict, versions; both networks trained, served and rolled back through HTTP."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from edits import corrected
from serving import APP, Server

sys.path.insert(0, str(APP))

from echo_keypoints.cli.simulate import write_clip
from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.label_client import NotFoundError, RefusedError, TrainingStatus
from echo_keypoints.readers import open_clip
from echo_keypoints.tracking import load_backend, open_session
from echo_keypoints.tracking.backends import models_directory
from lib.catalogue import FolderCatalogue
from lib.models import WEIGHTS, ModelRegistry
from lib.orders import hold_out
from lib.refusal import Refusal
from lib.settings import Settings
from lib.worker import validate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def labelled(server: Server) -> Iterator[Server]:
    """A server on whose clips a person set two frames each: tracks from one to the other are validated."""
    client = server.client()
    for clip in ("two.mp4", "three.npz"):
        result = client.infer("trnet", clip)
        for frame in (3, 12):
            result = corrected(client, clip, result, frame, 1.0)
        client.save_label(clip, result, base_version=0)
    yield server


def test_versions_of_models_are_whole_checked_and_can_be_rolled_back(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "models", Settings(engine="onnx", threads=1))
    shipped = models_directory()
    good = registry.add(shipped, "0001-sknet", "sknet", 0, {"end_to_end_px": 1.0}, True, "it passed.")
    bad = registry.add(shipped, "0002-sknet", "sknet", 0, {}, False, "it did not pass.")
    assert (good.version, bad.version) == (1, 2) and registry.serving == 0
    assert {"tissue.pt", "placenet.pt"} < set(good.files)
    assert (
        registry.add(shipped, "0001-sknet", "sknet", 0, {}, True, "") == good
    )  # offered again after a crash
    registry.serve(1)
    assert ModelRegistry(tmp_path / "models", Settings(engine="onnx", threads=1)).serving == 1
    assert registry.backend()[0] == 1
    with pytest.raises(Refusal, match="did not pass"):
        registry.serve(2)
    (registry.files(1) / WEIGHTS[2]).write_bytes(b"cut")
    registry.serve(0)
    with pytest.raises(Refusal, match="damaged"):
        registry.serve(1)
    assert registry.serving == 0 and next(registry.state(f) for f in registry.versions()) == "serving"


def test_the_same_patients_are_held_out_as_clips_are_added(tmp_path: Path) -> None:
    few = {f"patient {n}" for n in range(10)}
    held = hold_out(few)
    assert held and held < few
    assert len(hold_out({"a.dcm", "b.dcm"})) == 1
    lost = held - hold_out(few | {f"patient {n}" for n in range(10, 40)})
    assert len(lost) <= 1  # at most the one that stood in for nobody
    catalogue = FolderCatalogue(tmp_path)
    assert catalogue.patient("patient 1/a.dcm") == catalogue.patient("patient 1/rest/b.dcm") == "patient 1"
    assert catalogue.patient("a.dcm") != catalogue.patient("b.dcm")


def test_a_version_that_tracks_worse_does_not_pass(tmp_path: Path) -> None:
    clip = simulate_clip(1, frame_count=6, fps=24)
    image, label = tmp_path / "a.npz", tmp_path / "a.json"
    write_clip(clip, image)
    shipped = models_directory()
    with open_session(open_clip(image), load_backend("torch", shipped, device="cpu")) as session:
        # People who see the landmarks as the shipped weights do, from end to end or from a person's points.
        seen = {
            "sknet": session.track().points_px,
            "trnet": session.track(query=(0, clip.points[0])).points_px,
        }
    items = [{"image": str(image), "label": str(label)}]
    for model, what in (("sknet", "end_to_end_px"), ("trnet", "tracking_px")):
        frames = {str(frame): seen[model][frame].tolist() for frame in (0, 5)}
        label.write_text(json.dumps({"frames": frames}))
        same = validate(model, items, shipped, shipped)
        assert same["accepted"] and same["metrics"][what] == same["metrics"][f"parent_{what}"]
        verdict = validate(model, items, shipped, spoilt(f"{model}.pt", tmp_path / model))
        assert not verdict["accepted"] and "did not pass" in verdict["reason"]
        assert verdict["metrics"][what] > verdict["metrics"][f"parent_{what}"]


def spoilt(name: str, folder: Path) -> Path:
    """The shipped weights, those of one network out of tune."""
    folder.mkdir()
    torch.manual_seed(0)
    for other in ("sknet.pt", "trnet.pt"):
        kept = torch.load(models_directory() / other, weights_only=True)
        for value in kept["weights"].values() if other == name else ():
            if value.is_floating_point():
                value.mul_(torch.exp(0.5 * torch.randn_like(value)))
        torch.save(kept, folder / other)
    return folder


def test_placenet_stays_only_where_it_helps(tmp_path: Path) -> None:
    clip = simulate_clip(2, frame_count=8, fps=24)
    image, label = tmp_path / "a.npz", tmp_path / "a.json"
    write_clip(clip, image)
    shipped, taught = models_directory(), tmp_path / "taught"
    backend = load_backend("torch", shipped, device="cpu")
    with open_session(open_clip(image), backend) as session:
        found = {placement: session.track(placement=placement).points_px for placement in (True, False)}
    taught.mkdir()
    for name in ("sknet.pt", "trnet.pt", "placenet.pt"):
        shutil.copyfile(shipped / name, taught / name)
    for placement, points in found.items():  # people who see the landmarks as the one or the other does
        label.write_text(json.dumps({"frames": {str(frame): points[frame].tolist() for frame in (0, 6)}}))
        verdict = validate("sknet", [{"image": str(image), "label": str(label)}], shipped, taught)
        assert verdict["placement"] is placement and verdict["metrics"]["end_to_end_px"] < 0.1
        assert verdict["accepted"] and (taught / "placenet.pt").is_file()


def test_train_serve_and_roll_back(labelled: Server) -> None:
    server, client = labelled, labelled.client()
    before = client.infer("trnet", "one.v1 b.DCM")
    with pytest.raises(RefusedError, match="learning_rate must be"):
        client.start_training("sknet", learning_rate=5)
    with pytest.raises(RefusedError, match="no option path"):
        client.start_training("sknet", path=1)
    status = client.start_training("sknet", epochs=1, epoch_items=2, batch_size=1, learning_rate=1e-6, seed=1)
    assert status.running
    with pytest.raises(RefusedError, match="runs already"):
        client.start_training("trnet")
    status = _wait(server)
    assert status.state == "done", "\n".join(status.log)
    assert status.version == 1 and "passed its validation" in status.message
    models = client.models()
    assert [model.state for model in models] == ["available", "serving"]
    assert models[1].metrics["end_to_end_px"] <= models[1].metrics["parent_end_to_end_px"] * 1.02
    after = client.infer("trnet", "one.v1 b.DCM")
    assert after.models != before.models
    assert after.models["tissue.onnx"] == before.models["tissue.onnx"]  # no training touches the view's doubt
    assert np.abs(after.points_px - before.points_px).max() < 20
    assert client.serve_model(0).state == "serving"
    assert client.infer("trnet", "one.v1 b.DCM").models == before.models
    with pytest.raises(NotFoundError):
        client.serve_model(7)
    (weights,) = (Path(server.studies) / ".echo-keypoints/models/v0001").glob("detector.onnx")
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(RefusedError, match="damaged"):
        client.serve_model(1)
    assert client.info()["model_version"] == 0


def test_placenet_is_taught_where_people_measure(labelled: Server) -> None:
    client = labelled.client()
    before = client.infer("trnet", "one.v1 b.DCM")
    client.start_training("placenet", epochs=1, epoch_items=2, batch_size=1, learning_rate=1e-6, seed=1)
    status = _wait(labelled)
    assert status.state == "done" and status.model == "placenet", "\n".join(status.log)
    assert {"end_to_end_px", "parent_end_to_end_px"} <= set(status.metrics)
    taught = client.models()[-1]
    assert taught.model == "placenet" and taught.state in ("serving", "rejected")
    after = client.infer("trnet", "one.v1 b.DCM")
    changed = {name for name in after.models if after.models[name] != before.models[name]}
    assert changed <= {"beat.onnx", "placer.onnx", "placenet.pt"}
    client.serve_model(0)


def test_the_tracker_learns_stops_goes_on_and_is_validated(labelled: Server) -> None:
    server, client = labelled, labelled.client()
    started = client.start_training(
        "trnet", epochs=3, epoch_items=1, batch_size=1, learning_rate=1e-7, seed=1
    )
    seen = _wait(server, lambda status: status.epoch >= 1)
    assert seen.running and "step" in seen.message and seen.metrics
    stopped = client.stop_training()
    assert stopped.state == "stopped" and client.info()["model_version"] == 0
    resumed = client.start_training("trnet", resume=True)
    assert resumed.run == started.run and resumed.epoch >= 1
    status = _wait(server)
    assert status.state == "done" and status.epoch == 3, "\n".join(status.log)
    assert any("Epoch[3] Metrics" in line for line in _log(server, str(status.run)))
    assert "Verdict" in status.log[-1] and "passed" in status.log[-1]
    kept = Path(server.studies) / ".echo-keypoints/training" / str(status.run)
    assert not list(kept.rglob("checkpoint*")) and not (kept / "run/lessons").exists()
    model = client.models()[-1]
    assert (model.version, model.model, model.parent, model.state) == (status.version, "trnet", 0, "serving")
    assert model.metrics["tracking_px"] <= model.metrics["parent_tracking_px"] * 1.02
    after = client.infer("trnet", "two.mp4")
    assert after.models["refiner.onnx"] == model.files["refiner.onnx"]
    assert client.serve_model(0).state == "serving"


def _log(server: Server, run: str) -> list[str]:
    path = Path(server.studies) / ".echo-keypoints/training" / run / "log.txt"
    return path.read_text(encoding="utf-8").splitlines()


def _wait(server: Server, enough: Callable[[TrainingStatus], bool] = lambda _: False) -> TrainingStatus:
    """Wait for the end of a training, or until it is far enough."""
    until = time.monotonic() + 900
    while (status := server.client().training()).running and not enough(status):
        assert time.monotonic() < until, status
        time.sleep(0.5)
    return status
