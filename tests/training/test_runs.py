"""The three stages as a user runs them: losses fall, killed runs go on, processes share the work."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from echo_keypoints.networks import FlowNet, PlaceNet, SKNet, TRNet, load_weights, save_weights
from echo_keypoints.results import file_digest

ROOT = Path(__file__).resolve().parents[2] / "monai_bundle"
TINY = {
    "image_size": 32,
    "batch_size": 2,
    "val_hearts": 2,
    "warmup": 1,
    "workers": 0,
    "progress": False,
    "precision": "float32",
    "device": "cpu",
}

pytestmark = pytest.mark.slow


def curve(folder: Path, tag: str) -> list[float]:
    """Values that a run wrote for TensorBoard, in order."""
    events = []
    for file in sorted((folder / "tensorboard").iterdir()):
        accumulator = EventAccumulator(str(file)).Reload()
        if tag in accumulator.Tags()["scalars"]:
            events += accumulator.Scalars(tag)
    return [event.value for event in sorted(events, key=lambda e: (e.step, e.wall_time))]


def run(configs, **overrides) -> ConfigWorkflow:
    """Run configs in this process, from whatever folder."""
    files = [str(ROOT / "configs" / name) for name in configs]
    workflow = ConfigWorkflow(files, workflow_type="train", bundle_root=str(ROOT), **overrides)
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    return workflow


def command(*arguments: str, launcher: tuple[str, ...] = (sys.executable,)) -> list[str]:
    return [*launcher, "-m", "monai.bundle", "run", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def options(**values) -> list[str]:
    return [part for key, value in values.items() for part in (f"--{key}", str(value))]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("smoke")
    shipped = {path.name: file_digest(path) for path in (ROOT / "models").iterdir()}
    run(["train.json", "smoke.json"], output_dir=str(folder), device="cpu")
    assert {path.name: file_digest(path) for path in (ROOT / "models").iterdir()} == shipped
    return folder


@pytest.mark.parametrize(
    ("stage", "weights", "network"),
    [
        ("sknet", "sknet", SKNet),
        ("flow", "flownet", FlowNet),
        ("trnet", "trnet", TRNet),
        ("placenet", "placenet", PlaceNet),
    ],
)
def test_each_stage_of_the_smoke_run_learns(smoke, stage, weights, network):
    training, validation = curve(smoke / stage, "loss"), curve(smoke / stage, "val_loss")
    if stage == "sknet":
        third = len(training) // 3
        assert third >= 2 and np.mean(training[-third:]) < 0.7 * np.mean(training[:third])
    else:  # batches differ too much here, and the flow's loss changes with its phase
        assert len(validation) >= 2 and validation[-1] < validation[0]
    assert np.isfinite(curve(smoke / stage, "val_point_error")).all()
    load_weights(smoke / stage / f"{weights}.pt", network)
    assert json.loads((smoke / stage / "settings.json").read_text())["image_size"] == 64


def test_the_detector_gets_closer_to_the_landmarks(smoke):
    first, *_, last = curve(smoke / "sknet", "val_point_error")
    assert last < first


def test_a_killed_run_goes_on_where_it_was(tmp_path):
    tiny = options(**TINY, epoch_items=2, epochs=60, output_dir=tmp_path)
    start = command("training", "--config_file", "configs/train_sknet.json", *tiny)
    process = subprocess.Popen(
        start, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        limit = time.monotonic() + 500
        while not list(tmp_path.glob("checkpoint_epoch=*.pt")) and time.monotonic() < limit:
            assert process.poll() is None
            time.sleep(0.2)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    epochs = [int(path.stem.split("=")[1]) for path in tmp_path.glob("checkpoint_epoch=*.pt")]
    done, goal = min(epochs), max(epochs) + 2  # the newest may be cut short
    before = curve(tmp_path, "val_point_error")
    workflow = run(
        ["train_sknet.json"],
        **TINY,
        epoch_items=2,
        epochs=goal,
        output_dir=str(tmp_path),
        resume=True,
        run_id="training",
    )
    trainer = workflow.trainer
    assert trainer.state.epoch == goal and trainer.state.iteration == goal
    after = curve(tmp_path, "val_point_error")
    assert 2 <= len(after) - len(before) <= goal - done + 1
    assert int(workflow.parser.get_parsed_content("average").n_averaged) == goal
    with pytest.raises(RuntimeError) as caught:
        run(["train_sknet.json"], **TINY, epochs=1, output_dir=str(tmp_path))
    assert "resume" in str(caught.value.__cause__)


def test_two_processes_share_the_work(tmp_path):
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    configs = "['configs/train_sknet.json','configs/multi_gpu.json']"
    tiny = options(**TINY, epoch_items=8, epochs=1, output_dir=tmp_path, log_every=1)
    done = subprocess.run(
        command("--config_file", configs, *tiny, launcher=launcher),
        cwd=ROOT,
        env={**environment(), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert len(curve(tmp_path, "loss")) == 2  # eight hearts over two processes, two a batch; one process logs
    state = torch.load(tmp_path / "checkpoint_epoch=1.pt", weights_only=True)
    assert not any(name.startswith("module.") for name in state["objective"])
    load_weights(tmp_path / "sknet.pt", SKNet)


@pytest.fixture(scope="module")
def user_data(tmp_path_factory) -> Path:
    """Ten clips, five of them labelled in two frames."""
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    for i in range(10):
        np.savez(folder / f"{i}.npz", video=rng.integers(0, 255, (6, 40, 48)).astype(np.uint8))
        points = (rng.random((4, 2)) * 20 + 10).tolist()
        (folder / f"{i}.json").write_text(json.dumps({"frames": {"0": points, "5": points}}))
    return folder


def test_users_clips_train_every_stage(user_data, tmp_path):
    tiny = {**TINY, "epoch_items": 2, "epochs": 1, "dataset_dir": str(user_data), "validation_share": 0.3}
    run(["train_sknet.json"], **tiny, output_dir=str(tmp_path / "sknet"))
    assert np.isfinite(curve(tmp_path / "sknet", "val_point_error")).all()
    run(["train_flow.json"], **tiny, frames=4, pairs=2, crop=None, output_dir=str(tmp_path / "flow"))
    assert not np.isfinite(
        curve(tmp_path / "flow", "val_point_error")
    ).any()  # there is nothing to compare with
    weights = {
        "sknet_weights": str(tmp_path / "sknet/sknet.pt"),
        "flownet_weights": str(tmp_path / "flow/flownet.pt"),
    }
    workflow = run(["train_trnet.json"], **tiny, **weights, frames=24, output_dir=str(tmp_path / "trnet"))
    assert set(workflow.train_dataset[0]) == {"frames"}
    load_weights(tmp_path / "trnet/trnet.pt", TRNet)
    shipped = {"weights": str(ROOT / "models/placenet.pt"), "output_dir": str(tmp_path / "placenet")}
    run(["train_placenet.json", "teach_placenet.json"], **tiny, **shipped)
    assert np.isfinite(curve(tmp_path / "placenet", "val_point_error")).all()
    learnt, before = (
        load_weights(path, PlaceNet) for path in (tmp_path / "placenet/placenet.pt", shipped["weights"])
    )
    statistics = [name for name in before.state_dict() if "running" in name]
    assert statistics and all(torch.equal(learnt.state_dict()[n], before.state_dict()[n]) for n in statistics)


def test_evaluating_reports_without_training(tmp_path):
    weights = tmp_path / "sknet.pt"
    save_weights(SKNet.from_preset("small"), weights)
    before = weights.read_bytes()
    workflow = run(["train_sknet.json", "evaluate.json"], **TINY, weights=str(weights), run_id="evaluating")
    assert np.isfinite(workflow.evaluator.state.metrics["val_point_error"])
    assert weights.read_bytes() == before
