"""`AnalyzeClips`: ``configs/inference.json`` runs it on each clip, as ``echo-keypoints analyze`` would."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from echo_keypoints.analysis import analyze_source
from echo_keypoints.errors import ClipError, EchoKeypointsError
from echo_keypoints.readers import open_clip
from echo_keypoints.results import claim_folder, clip_digest
from echo_keypoints.tracking import load_backend
from echo_keypoints.tracking.backends import Backend
from echo_keypoints.writers.outputs import write_outputs

logger = logging.getLogger(__name__)


class AnalyzeClips:
    """Iteration of a MONAI evaluator whose batches are single clips.

    What is wrong with one clip is logged and does not stop the others; `finish` says how many were refused.

    Args:
        output_dir: each clip gets a folder in it.
        engine: ``"onnx"`` or ``"torch"``.
        models_dir: folder of the weights; None for those that came with the software.
        device: torch only.
        reference: see `analysis.analyze_clip`.
        query: ``(frame, (4, 2) original pixels)`` to start from, or None.
        video: write ``overlay.mp4``, too.
        overwrite: analyse again what has been analysed before.
    """

    def __init__(
        self,
        output_dir: str,
        engine: str = "onnx",
        models_dir: str | None = None,
        device: str | None = None,
        reference: str | int = "confidence",
        query: tuple[int, ArrayLike] | None = None,
        video: bool = True,
        overwrite: bool = False,
    ) -> None:
        self.output_dir = Path(output_dir)
        self._load = (engine, models_dir, None, device if engine == "torch" else None)
        self.reference, self.query, self.video, self.overwrite = reference, query, video, overwrite
        self.refused: list[str] = []

    @cached_property
    def backend(self) -> Backend:
        """The networks, loaded with the first clip."""
        return load_backend(*self._load)

    def __call__(self, engine: Any, batch: Mapping[str, str]) -> dict[str, str]:
        """Analyse the clip ``batch["image"]``; give its base name and its folder, empty if it was refused."""
        path = Path(batch["image"])
        backend = self.backend  # without weights no clip can be analysed: that does stop the run
        try:
            folder = self._analyze(path, backend)
        except EchoKeypointsError as error:
            logger.error("%s", error)
            self.refused.append(path.name)
            return {"clip": path.name, "folder": ""}
        logger.info("%s: results are in %s", path.name, folder)
        return {"clip": path.name, "folder": str(folder)}

    def _analyze(self, path: Path, backend: Backend) -> Path:
        source = open_clip(path)
        digest = clip_digest(path)
        folder, _ = claim_folder(self.output_dir, source.header.source, digest, overwrite=self.overwrite)
        result = analyze_source(
            source, backend=backend, query=self.query, reference=self.reference, sha256=digest
        )
        write_outputs(result, source, folder, video=self.video)
        return folder

    def finish(self, clips: Sequence[Any]) -> None:
        """Close a run over these clips.

        Raises:
            ClipError: a clip was refused.
        """
        if self.refused:
            raise ClipError(f"{len(self.refused)} of {len(clips)} clips were refused; the log says why.")


def require(clips: Sequence[Any]) -> None:
    """Refuse to start without clips.

    Raises:
        ClipError: there are none.
    """
    if not clips:
        raise ClipError("There is no clip to analyse: give a clip or a folder of clips as --dataset_dir.")
