"""`ModelRegistry`: versions of the weights, which of them serves, and the way back."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from echo_keypoints.errors import ModelError
from echo_keypoints.results import atomic_path, file_digest, utc_now
from echo_keypoints.tracking import load_backend
from echo_keypoints.tracking.backends import Backend, models_directory
from lib.refusal import Refusal, not_found
from lib.settings import Settings

FACTS = "version.json"
WEIGHTS = ("sknet.pt", "trnet.pt", "detector.onnx", "descriptor.onnx", "refiner.onnx", "tissue.onnx")
PLACENET = ("placenet.pt", "beat.onnx", "placer.onnx")
"""A version has them if its tracks are better for them."""
OPTIONAL = ("tissue.pt", *PLACENET)


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a version; ``state`` apart, the fields of `echo_keypoints.label_client.ModelVersion`.

    Attributes:
        accepted: whether it passed its validation and may serve.
        run: name of the training that made it.
    """

    version: int
    parent: int | None
    model: str | None
    created_utc: str
    metrics: Mapping[str, float]
    reason: str
    files: Mapping[str, str]
    accepted: bool = True
    run: str = ""


class ModelRegistry:
    """The versions: 0 is what came with the software, the others lie in folders ``v0001`` … and never change.

    Args:
        folder: of the versions.
        settings: engine, device and threads.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self._settings = settings
        self._lock = threading.RLock()
        self._loaded: tuple[int, Backend] | None = None

    @property
    def serving(self) -> int:
        """Number of the version that serves."""
        try:
            return int(json.loads((self.folder / "serving.json").read_text(encoding="utf-8"))["version"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def backend(self) -> tuple[int, Backend]:
        """The version that serves, and its networks, loaded when first needed.

        Raises:
            ModelError: its weights are missing or damaged.
        """
        with self._lock:
            version = self.serving
            if self._loaded is None or self._loaded[0] != version:
                self._loaded = (version, self._load(self.files(version)))
            return self._loaded

    def versions(self) -> list[ModelFacts]:
        """List all versions, oldest first."""
        shipped = models_directory()
        files = _digests(shipped)
        first = ModelFacts(0, None, None, "", {}, "It came with the software.", files)
        kept = [
            ModelFacts(**json.loads(path.read_text(encoding="utf-8")))
            for path in sorted(self.folder.glob(f"v[0-9]*/{FACTS}"))
        ]
        return [first, *kept]

    def files(self, version: int) -> Path:
        """Folder of a version's weights."""
        return models_directory() if version == 0 else self.folder / f"v{version:04d}"

    def add(
        self,
        made: Path,
        run: str,
        model: str,
        parent: int,
        metrics: Mapping[str, float],
        accepted: bool,
        reason: str,
    ) -> ModelFacts:
        """Take weights as a new version: whole, or not at all. It does not serve yet.

        Args:
            made: folder with all `WEIGHTS`, and any of `OPTIONAL`.
            run: name of the training; what it made is taken once, however often it is offered.
            model: the network that was trained.
            parent: the version that it started from.
            metrics: of its validation.
            accepted: whether it may serve.
            reason: the verdict, in a sentence.
        """
        with self._lock:
            self.folder.mkdir(parents=True, exist_ok=True)
            if known := next((facts for facts in self.versions() if facts.run == run), None):
                return known
            number = max(facts.version for facts in self.versions()) + 1
            part = self.folder / f".part-v{number:04d}"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            for name in (*WEIGHTS, *(name for name in OPTIONAL if (made / name).is_file())):
                shutil.copyfile(made / name, part / name)
            files = _digests(part)
            facts = ModelFacts(number, parent, model, utc_now(), dict(metrics), reason, files, accepted, run)
            (part / FACTS).write_text(json.dumps(asdict(facts), indent=1), encoding="utf-8")
            os.rename(part, self.folder / f"v{number:04d}")
            return facts

    def serve(self, version: int) -> ModelFacts:
        """Let a version serve: it is checked and loaded first, and the old one serves until then.

        Raises:
            Refusal: 404, there is no such version; 422, it did not pass its validation, or is damaged.
        """
        facts = next((facts for facts in self.versions() if facts.version == version), None)
        if facts is None:
            raise not_found("model version")
        if not facts.accepted:
            raise Refusal(422, f"Version {version} did not pass its validation: {facts.reason}")
        folder = self.files(version)
        if any(file_digest(folder / name) != digest for name, digest in facts.files.items()):
            raise Refusal(422, f"The files of version {version} are damaged; another version still serves.")
        try:
            backend = self._load(folder)
        except ModelError as error:
            raise Refusal(422, str(error)) from None
        with self._lock:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(self.folder / "serving.json") as part:
                part.write_text(json.dumps({"version": version}), encoding="utf-8")
            self._loaded = (version, backend)
        return facts

    def state(self, facts: ModelFacts) -> str:
        """``"serving"``, ``"available"`` or ``"rejected"``."""
        if facts.version == self.serving:
            return "serving"
        return "available" if facts.accepted else "rejected"

    def _load(self, folder: Path) -> Backend:
        settings = self._settings
        engine = settings.engine
        if engine == "auto":
            engine = "torch" if _cuda() else "onnx"
        return load_backend(engine, folder, settings.threads, settings.device if engine == "torch" else None)


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the weights that a folder has."""
    return {
        name: file_digest(folder / name) or "" for name in (*WEIGHTS, *OPTIONAL) if (folder / name).is_file()
    }


def _cuda() -> bool:
    import torch  # monailabel has it loaded anyway

    return bool(torch.cuda.is_available())
