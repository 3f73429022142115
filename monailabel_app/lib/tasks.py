"""The tasks as MONAI Label lists them in ``/info/``; the work is done by `Service`."""

from __future__ import annotations

from typing import Any

from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType
from monailabel.interfaces.tasks.scoring import ScoringMethod
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.interfaces.tasks.train import TrainTask

from echo_keypoints.anatomy import LANDMARK_NAMES
from echo_keypoints.selection import STRATEGIES
from lib.inference import TASKS, check_task
from lib.orders import MODELS, OPTIONS, defaults
from lib.service import Service


class EchoInfer(InferTask):
    """One of `inference.TASKS`. The stock Slicer client lists it among the detection models."""

    def __init__(self, service: Service, name: str) -> None:
        super().__init__(InferType.DETECTION, list(LANDMARK_NAMES), 2, TASKS[name])
        self._service, self._name = service, name

    def is_valid(self) -> bool:
        """Tell that it can be used."""
        return True

    def __call__(self, request: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """Analyse the clip that a request of MONAI Label names."""
        check_task(self._name, request.get("anchors") or ())
        job = self._service.analyse(self._name, request["image"])
        job.ended.wait()
        return None, job.to_document()


class EchoTrain(TrainTask):
    """One of `training.MODELS`."""

    def __init__(self, service: Service, name: str) -> None:
        super().__init__(MODELS[name])
        self._service, self._name = service, name

    def config(self) -> dict[str, Any]:
        """Give the options and their defaults."""
        return defaults(self._name)

    def stats(self) -> dict[str, Any]:
        """Give how the last training did."""
        status = self._service.trainings.status()
        return status["metrics"] if status["model"] == self._name else {}

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Start a training."""
        return self._service.trainings.start(
            self._name, {name: value for name, value in request.items() if name in OPTIONS}
        )


class EchoStrategy(Strategy):
    """One of `selection.STRATEGIES`."""

    def __init__(self, service: Service, name: str) -> None:
        super().__init__(STRATEGIES[name])
        self._service, self._name = service, name

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Choose a clip."""
        answer = self._service.next_sample(self._name, str(request.get("client_id") or ""))
        return {"id": answer["clip"]["id"], **answer} if answer["clip"] else {}


class EchoScoring(ScoringMethod):
    """Scores of labels and readers."""

    def __init__(self, service: Service) -> None:
        super().__init__("model error, share of edits and agreement between readers")
        self._service = service

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Score all labels."""
        return self._service.scores()
