"""A training's own process: ``python -m lib.worker FOLDER`` from the bundle's folder.

Bundle config → best weights → ONNX files → validation of the whole tracker against the version it started from.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigWorkflow

from echo_keypoints.data.points import read_labels
from echo_keypoints.errors import EchoKeypointsError
from echo_keypoints.readers import open_clip
from echo_keypoints.tracking import load_backend, open_session
from echo_keypoints.tracking.backends import models_directory
from echo_keypoints.training.export import export_models
from lib.models import OPTIONAL, PLACENET, WEIGHTS
from lib.runs import Run

CONFIGS = {
    "sknet": ["configs/train_sknet.json", "configs/fine_tune.json"],
    "placenet": ["configs/train_placenet.json", "configs/teach_placenet.json"],
    "trnet": ["configs/train_trnet.json", "configs/dis_teacher.json"],
}
LOG_EVERY = 5
"""Steps of the training."""
MOST_LESSONS = 600
"""A lesson of TR-net costs seconds once; later epochs look at the same ones from other angles."""
SLACK = 1.02
"""A version may be worse than its parent by this factor, which is noise on a handful of clips."""


def main(run: Run) -> int:
    """Do what the order of a run says.

    Returns:
        0, or 1 after a failure that has been written to its status.
    """
    _end_with_parent()
    order = run.read("order")
    try:
        if not (run.candidate / "refiner.onnx").is_file():
            train(order, run)
            _tell(run, order["options"]["epochs"], "The weights are exported.")
            export(order, run)
        _tell(run, order["options"]["epochs"], "The new weights are validated.")
        verdict = validate(order["model"], order["validate"], Path(order["parent_folder"]), run.candidate)
        logging.info("Verdict: %s", verdict["reason"])
        if not verdict["placement"]:
            for name in reversed(PLACENET):  # its weights last: a run that is killed here decides again
                (run.candidate / name).unlink(missing_ok=True)
        run.write("verdict", verdict)
    except Exception as error:
        logging.exception("the training failed")
        cause = _users_error(error)
        _tell(run, run.read("status").get("epoch", 0), "", **({"error": str(cause)} if cause else {}))
        return 1
    return 0


def train(order: Mapping[str, Any], run: Run) -> None:
    """Run the bundle's training; it goes on from the last checkpoint of the run, if there is one."""
    model, parent = order["model"], Path(order["parent_folder"])
    overrides: dict[str, Any] = {
        **order["options"],
        "bundle_root": ".",
        "output_dir": str(run.work),
        "weights": str(_start(model, parent)),
        "train::data": order["train"],
        "validate::data": order["validate"],
        "warmup": 0,
        "resume": True,
        "progress": False,
        "workers": 0,
        "log_every": LOG_EVERY,
    }
    if not torch.cuda.is_available():
        overrides["precision"] = "float32"
    if model == "trnet":
        overrides["sknet_weights"] = str(parent / "sknet.pt")
        overrides["lessons"] = min(MOST_LESSONS, max(order["options"]["epoch_items"], len(order["train"])))
    _tell(run, run.read("status").get("epoch", 0), "The training is prepared.")
    workflow = ConfigWorkflow(
        config_file=CONFIGS[model], workflow_type="train", run_id="training", **overrides
    )
    workflow.initialize()
    trainer = workflow.parser.get_parsed_content("train::trainer")
    evaluator = workflow.parser.get_parsed_content("validate::evaluator")
    # When it starts all else is attached: an epoch is told of after its checkpoint was written.
    trainer.add_event_handler(Events.STARTED, _report, evaluator, run)
    workflow.run()
    workflow.finalize()


def _start(model: str, parent: Path) -> Path:
    """Weights to go on from: the software's, if the parent was better without a PlaceNet and has none."""
    file = f"{model}.pt"
    return next(folder for folder in (parent, models_directory()) if (folder / file).is_file()) / file


def _report(trainer: Engine, evaluator: Engine, run: Run) -> None:
    """Write after every step how far the training is, and after every epoch how its validation went."""

    def tell(done: int) -> None:
        state = trainer.state
        steps = state.epoch_length or 1
        step = (state.iteration - 1) % steps + 1
        message = f"The network learns: step {step} of {steps} of an epoch."
        metrics = _finite(evaluator.state.metrics)
        _tell(run, done, message, **({"metrics": metrics} if metrics else {}))

    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: tell(engine.state.epoch - 1))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: tell(engine.state.epoch))


def export(order: Mapping[str, Any], run: Run) -> None:
    """Put the new weights beside the parent's files, and write the ONNX files of the trained network anew."""
    for talkative in ("onnx_ir", "onnxscript"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    made = run.folder / "candidate.part"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    model, parent = order["model"], Path(order["parent_folder"])
    for name in (*WEIGHTS, *OPTIONAL):
        if (parent / name).is_file():
            shutil.copyfile(parent / name, made / name)
    shutil.copyfile(run.work / f"{model}.pt", made / f"{model}.pt")
    export_models(made, model)
    os.replace(made, run.candidate)


def validate(model: str, items: Sequence[Mapping[str, str]], parent: Path, candidate: Path) -> dict[str, Any]:
    """Track the clips that were held out by both sets of weights, and compare with what people set.

    Args:
        model: what was trained: of ``sknet`` the tracks from end to end count, of ``trnet`` those from a person's
            points on another frame, if there are any.
        items: clips with labels.
        parent, candidate: folders of the weights.

    Returns:
        ``{"metrics", "accepted", "reason", "placement"}``; distances are in px of model space. An SK-net that has
        learnt where people set the points may do better without PlaceNet: then ``placement`` is False.
    """
    new, old = (errors_px(folder, items) for folder in (candidate, parent))
    placement = True
    if model == "sknet" and (candidate / PLACENET[0]).is_file():
        alone = errors_px(candidate, items, placement=False)
        placement = new["end_to_end_px"] <= alone["end_to_end_px"]
        new = new if placement else alone
    metrics = {**_finite(new), **{f"parent_{name}": value for name, value in _finite(old).items()}}
    key = "tracking_px" if model == "trnet" and math.isfinite(old["tracking_px"]) else "end_to_end_px"
    accepted = bool(new[key] <= old[key] * SLACK)
    verdict = "passed" if accepted else "did not pass"
    reason = (
        f"it {verdict} its validation: mean error {new[key]:.2f} px against {old[key]:.2f} px of its parent "
        f"on {len(items)} held-out clip{'s' if len(items) > 1 else ''}."
    )
    return {"metrics": metrics, "accepted": accepted, "reason": reason, "placement": placement}


def errors_px(folder: Path, items: Sequence[Mapping[str, str]], placement: bool = True) -> dict[str, float]:
    """Mean distances from people's points, in model px: of detector, tracker, and tracker from a person's frame."""
    backend = load_backend("torch", folder)
    found: dict[str, list[float]] = {"detector_px": [], "end_to_end_px": [], "tracking_px": []}
    for item in items:
        labels = read_labels(Path(item["label"]))
        with open_session(open_clip(item["image"]), backend) as session:
            box = session.letterbox

            def add(
                name: str,
                points: np.ndarray,
                skip: int = -1,
                labels: Mapping[int, np.ndarray] = labels,
                to_model: Any = box.to_model,
            ) -> None:
                for frame, truth in labels.items():
                    if frame != skip:
                        distance = np.linalg.norm(to_model(points[frame]) - to_model(truth), axis=-1)
                        found[name] += list(distance[np.isfinite(distance)])

            add("detector_px", session.detect().points_px)
            add("end_to_end_px", session.track(placement=placement).points_px)
            whole = [frame for frame, points in sorted(labels.items()) if np.isfinite(points).all()]
            if len(labels) > 1 and whole:
                query = (whole[0], labels[whole[0]])
                add("tracking_px", session.track(query=query).points_px, skip=whole[0])
    return {name: float(np.mean(values)) if values else math.nan for name, values in found.items()}


def _users_error(error: BaseException | None) -> EchoKeypointsError | None:
    """Find the sentence for the user: the bundle wraps what is raised while it builds a training's parts."""
    while error is not None and not isinstance(error, EchoKeypointsError):
        error = error.__cause__ or error.__context__
    return error


def _end_with_parent() -> None:
    """End this process when the server that started it is gone, even by kill -9."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(3)

    threading.Thread(target=watch, daemon=True).start()


def _tell(run: Run, epoch: int, message: str, **facts: Any) -> None:
    known = {"metrics": run.read("status").get("metrics", {})}  # until there are newer ones
    run.write("status", {"epoch": epoch, "message": message, **known, **facts})


def _finite(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if math.isfinite(float(value))}


if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s: %(message)s", stream=sys.stdout
    )
    sys.exit(main(Run(Path(sys.argv[1]))))
