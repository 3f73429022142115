"""`Trainings`: fine-tuning in a process of its own, through the bundle's configs. It never touches what serves."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lib.catalogue import Catalogue
from lib.labels import LabelStore
from lib.models import ModelRegistry
from lib.orders import MODELS, Orders, checked
from lib.refusal import Refusal
from lib.runs import Run, list_runs
from lib.settings import Settings

logger = logging.getLogger(__name__)


class Trainings:
    """One training at a time, each with a folder of its own (`Run`). What a finished one learnt becomes a version.

    Args:
        catalogue: of the clips.
        labels: of the clips.
        models: takes the new versions.
        settings: bundle, threads and device.
    """

    def __init__(
        self, catalogue: Catalogue, labels: LabelStore, models: ModelRegistry, settings: Settings
    ) -> None:
        self._models, self._settings = models, settings
        self._orders = Orders(catalogue, labels, models)
        self._folder = catalogue.state / "training"
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        for run in self._runs():
            if run.read("verdict") and not run.read("end"):
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
            raise Refusal(404, f"There is no network {model} to train; choose {', '.join(MODELS)}.")
        with self._lock:
            if self._running():
                raise Refusal(429, "A training runs already; wait for its end or stop it.")
            run = self._to_resume(model) if resume else self._new_run(model, checked(model, options))
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
        order, progress, end = (run.read(name) for name in ("order", "status", "end"))
        state = end.get("state") or ("running" if self._running() else "interrupted")
        messages = {"interrupted": "The server went down meanwhile; the training can be resumed."}
        return {
            "state": state,
            "model": order.get("model"),
            "run": run.name,
            "epoch": progress.get("epoch", 0),
            "epochs": int(order.get("options", {}).get("epochs", 0)),
            "message": end.get("message")
            or messages.get(state)
            or progress.get("message", "The training starts."),
            "metrics": run.read("verdict").get("metrics", progress.get("metrics", {})),
            "version": end.get("version"),
            "log": run.log_tail(),
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

    def _new_run(self, model: str, options: Mapping[str, float]) -> Run:
        number = 1 + max((run.number for run in self._runs()), default=0)
        run = Run(self._folder / f"{number:04d}-{model}")
        self._orders.write(run, model, options)
        return run

    def _to_resume(self, model: str) -> Run:
        runs = [run for run in self._runs() if run.read("order").get("model") == model]
        if not runs or runs[-1].read("end").get("state") == "done":
            raise Refusal(422, f"There is no stopped training of {model} to resume.")
        runs[-1].reopen()
        return runs[-1]

    def _launch(self, run: Run) -> None:
        app = Path(__file__).resolve().parent.parent
        threads = self._settings.threads or max(1, (os.cpu_count() or 1) - 1)
        paths = [str(app), str(self._settings.bundle), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "OMP_NUM_THREADS": str(threads),
            "PYTHONUNBUFFERED": "1",
        }
        with run.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "lib.worker", str(run.folder)],
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

    def _watch(self, run: Run, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        with self._lock:
            self._finish(run, code)

    def _finish(self, run: Run, code: int) -> None:
        """Write how a run ended; what a finished one learnt becomes a version, and serves if it passed."""
        verdict = run.read("verdict")
        if code == 0 and verdict:
            order = run.read("order")
            facts = self._models.add(
                run.candidate,
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
            said = run.read("status").get("error")
            end = {"state": "failed", "message": said or "The training failed; its log says why."}
        if end["state"] == "done":
            run.tidy()  # before its end is told; what it made is kept as a version by now
        run.write("end", end)
        logger.info("training %s: %s", run.name, end["state"])

    def _running(self) -> bool:
        """Whether a training runs, or its end is being written."""
        process = self._process
        return process is not None and (process.poll() is None or self._watcher.is_alive())

    def _runs(self) -> list[Run]:
        return list_runs(self._folder)
