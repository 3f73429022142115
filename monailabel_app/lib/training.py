"""`Trainings`: fine-tuning in a process of its own, through the bundle's configs. It never touches what serves."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from echo_keypoints.data.points import read_labels
from echo_keypoints.results import atomic_path, utc_now
from lib.catalogue import Catalogue
from lib.labels import FINAL, LabelStore
from lib.models import ModelRegistry
from lib.refusal import Refusal
from lib.settings import Settings

logger = logging.getLogger(__name__)

MODELS = {
    "sknet": "fine-tune the detector on the frames that people set",
    "trnet": "fine-tune the tracker on all clips; it needs no labels to learn, some to be validated",
}
VALIDATION_SHARE = 0.2
LOG_LINES = 20


@dataclass(frozen=True)
class Option:
    """A number that a client may choose: its default, and from where to where it may go."""

    default: float
    low: float
    high: float


OPTIONS = {
    "epochs": Option(8, 1, 1000),
    "epoch_items": Option(32, 1, 100_000),
    "batch_size": Option(2, 1, 64),
    "learning_rate": Option(2e-4, 1e-9, 0.1),
    "seed": Option(0, 0, 2**31 - 1),
}


class Trainings:
    """One training at a time; each has a folder that tells all about it, also after a crash.

    ``order.json`` says what is to be done, ``status.json`` how far it is, ``verdict.json`` what came of it,
    ``end.json`` how it ended, and ``log.txt`` the rest. What a finished training learnt becomes a model version.

    Args:
        catalogue: of the clips.
        labels: of the clips.
        models: takes the new versions.
        settings: bundle, threads and device.
    """

    options = OPTIONS

    def __init__(
        self, catalogue: Catalogue, labels: LabelStore, models: ModelRegistry, settings: Settings
    ) -> None:
        self._catalogue, self._labels, self._models, self._settings = catalogue, labels, models, settings
        self._folder = catalogue.state / "training"
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        for run in self._runs():
            if (run / "verdict.json").is_file() and not (run / "end.json").is_file():
                self._finish(run, 0)

    def start(self, model: str, options: Mapping[str, float], *, resume: bool = False) -> dict[str, Any]:
        """Begin a training, or go on with the last one of this network.

        Args:
            model: a name of `MODELS`.
            options: names of `OPTIONS` → values.
            resume: go on where the last run of this network stopped.

        Returns:
            As `status`.

        Raises:
            Refusal: 404, 422 or 429.
        """
        if model not in MODELS:
            raise Refusal(404, f"There is no network {model} to train; choose sknet or trnet.")
        with self._lock:
            if self._running():
                raise Refusal(429, "A training runs already; wait for its end or stop it.")
            run = self._to_resume(model) if resume else self._new_run(model, _checked(options))
            self._launch(run)
        return self.status()

    def status(self) -> dict[str, Any]:
        """Tell how the training does, or how the last one ended; see `TrainingStatus`."""
        run = next(reversed(self._runs()), None)
        if run is None:
            return {
                "state": "idle", "model": None, "run": None, "epoch": 0, "epochs": 0,
                "message": "There was no training yet.", "metrics": {}, "version": None, "log": [],
            }  # fmt: skip
        order, progress, end = (_read(run / f"{name}.json") for name in ("order", "status", "end"))
        state = end.get("state") or ("running" if self._running() else "interrupted")
        messages = {"interrupted": "The server went down meanwhile; the training can be resumed."}
        return {
            "state": state,
            "model": order.get("model"),
            "run": run.name,
            "epoch": progress.get("epoch", 0),
            "epochs": int(order.get("options", {}).get("epochs", 0)),
            "message": end.get("message") or messages.get(state) or progress.get("message", ""),
            "metrics": _read(run / "verdict.json").get("metrics", progress.get("metrics", {})),
            "version": end.get("version"),
            "log": _tail(run / "log.txt"),
        }

    def stop(self) -> dict[str, Any]:
        """Stop the training, if one runs, and wait for its end. Checkpoints are kept."""
        with self._lock:
            process = self._process
            if process and self._running():
                self._stopped = True
                process.terminate()
        if process:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._watcher.join(20)
        return self.status()

    def _new_run(self, model: str, options: Mapping[str, float]) -> Path:
        serving = self._models.serving
        number = 1 + max((int(run.name.split("-")[0]) for run in self._runs()), default=0)
        run = self._folder / f"{number:04d}-{model}"
        labelled, everything = self._data()
        held_out = {patient(clip) for clip in hold_out(list(labelled))}
        train = labelled if model == "sknet" else everything
        if all(patient(clip) in held_out for clip in train):
            raise Refusal(422, "There are no clips to train with beside those that validate.")
        for number, item in enumerate(labelled.values()):  # copies: labels may change meanwhile
            kept = run / "labels" / f"{number:06d}.json"
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(Path(item["label"]).read_bytes())
            item["label"] = str(kept)
        order = {
            "model": model,
            "created_utc": utc_now(),
            "parent": serving,
            "parent_folder": str(self._models.files(serving)),
            "options": dict(options),
            "train": [item for clip, item in train.items() if patient(clip) not in held_out],
            "validate": [item for clip, item in labelled.items() if patient(clip) in held_out],
        }
        _write(run / "order.json", order)
        return run

    def _data(self) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
        """Clips with accepted frames, and all clips: id → item."""
        everything = {clip: {"image": str(self._catalogue.file(clip))} for clip in self._catalogue.entries()}
        labelled = {
            clip_id: {**item, "label": str(path)}
            for clip_id, item in everything.items()
            if (path := self._labels.copy(clip_id, FINAL)).is_file() and read_labels(path)
        }
        if len({patient(clip_id) for clip_id in labelled}) < 2:
            raise Refusal(
                422,
                "Training needs final labels with landmarks set by a person in two clips of different patients "
                f"or more, one of them to validate with; there are {len(labelled)} such clips.",
            )
        return labelled, everything

    def _to_resume(self, model: str) -> Path:
        runs = [run for run in self._runs() if _read(run / "order.json").get("model") == model]
        if not runs or _read(runs[-1] / "end.json").get("state") == "done":
            raise Refusal(422, f"There is no stopped training of {model} to resume.")
        (runs[-1] / "end.json").unlink(missing_ok=True)
        return runs[-1]

    def _launch(self, run: Path) -> None:
        app = Path(__file__).resolve().parent.parent
        threads = self._settings.threads or max(1, (os.cpu_count() or 1) - 1)
        paths = [str(app), str(self._settings.bundle), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "OMP_NUM_THREADS": str(threads),
            "PYTHONUNBUFFERED": "1",
        }
        with (run / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "lib.worker", str(run)],
                cwd=self._settings.bundle,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._process, self._stopped = process, False
        self._watcher = threading.Thread(target=self._watch, args=(run, process), daemon=True)
        self._watcher.start()
        logger.info("training %s started", run.name)

    def _watch(self, run: Path, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        with self._lock:
            self._finish(run, code)

    def _finish(self, run: Path, code: int) -> None:
        """Write how a run ended; what a finished one learnt becomes a version, and serves if it passed."""
        verdict = _read(run / "verdict.json")
        if code == 0 and verdict:
            order = _read(run / "order.json")
            facts = self._models.add(
                run / "candidate",
                run.name,
                order["model"],
                order["parent"],
                verdict["metrics"],
                verdict["accepted"],
                verdict["reason"],
            )
            message = f"Version {facts.version}: {facts.reason}"
            if facts.accepted:
                try:
                    self._models.serve(facts.version)
                    message += " It serves now."
                except Refusal as refusal:
                    message += f" It does not serve: {refusal.sentence}"
            end = {"state": "done", "message": message, "version": facts.version}
        elif self._stopped:
            end = {"state": "stopped", "message": "The training was stopped; it can be resumed."}
        else:
            said = _read(run / "status.json").get("error")
            end = {"state": "failed", "message": said or "The training failed; its log says why."}
        _write(run / "end.json", end)
        logger.info("training %s: %s", run.name, end["state"])

    def _running(self) -> bool:
        """Whether a training runs, or its end is being written."""
        process = self._process
        return process is not None and (process.poll() is None or self._watcher.is_alive())

    def _runs(self) -> list[Path]:
        return [path.parent for path in sorted(self._folder.glob("[0-9]*-*/order.json"))]


def patient(clip_id: str) -> str:
    """What keeps the clips of a patient together: the first folder, else the clip itself."""
    return clip_id.split("/")[0]


def hold_out(clip_ids: list[str], share: float = VALIDATION_SHARE) -> list[str]:
    """Choose clips for validation by a hash of the patient: the same ones as clips are added, at least one.

    Args:
        clip_ids: clips with labels, of two patients or more.
        share: of the patients.
    """

    def place(clip_id: str) -> float:
        return zlib.crc32(patient(clip_id).encode()) / 2**32

    lowest, highest = min(map(place, clip_ids)), max(map(place, clip_ids))
    return [
        clip_id for clip_id in clip_ids if place(clip_id) == lowest or place(clip_id) < min(share, highest)
    ]


def _checked(options: Mapping[str, float]) -> dict[str, float]:
    """Fill in the defaults; refuse unknown names and values out of range."""
    values: dict[str, float] = {name: option.default for name, option in OPTIONS.items()}
    for name, value in options.items():
        option = OPTIONS.get(name)
        if option is None:
            raise Refusal(422, f"There is no option {name}; there are {', '.join(OPTIONS)}.")
        if not isinstance(value, (int, float)) or not option.low <= value <= option.high:
            raise Refusal(422, f"{name} must be a number from {option.low:g} to {option.high:g}.")
        values[name] = value
    return {name: value if name == "learning_rate" else int(value) for name, value in values.items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part:
        part.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 16384))
            return stream.read().decode(errors="replace").splitlines()[-LOG_LINES:]
    except OSError:
        return []
