"""`ClipSpecs`: which clip is meant, in the words of the worker; and the folder for files on the way."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from echo_keypoints.results import header_to_document
from EchoKeypointsLib import cine
from EchoKeypointsLib.study import Study


class ClipSpecs:
    """Remembers where the clips of the scene come from, and where they are tracked."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="EchoKeypoints-", ignore_cleanup_errors=True)
        self._known: dict[str, dict[str, Any]] = {}  # id of a study's hub → its clip

    @property
    def folder(self) -> str:
        """For files on the way; gone after `close`."""
        return self._folder.name

    def new_pixels(self) -> Path:
        """Give a new path for the frames of a clip."""
        return Path(self.folder) / f"frames-{time.monotonic_ns()}.npy"

    def remember(self, study: Study, spec: dict[str, Any]) -> None:
        """Remember a clip: ``{"path"}``, and ``"place"`` where it is one of a Label server."""
        self._known[study.node.GetID()] = spec

    def track_on(self, study: Study, server: dict[str, Any] | None) -> None:
        """Have a clip tracked on a Label server, ``{"connection", "clip_id"}``, or here (None)."""
        spec = self._of(study)
        spec.pop("server", None)
        if server:
            spec["server"] = server

    def place(self, study: Study) -> dict[str, Any] | None:
        """Which clip of a Label server a clip is: ``{"clip_id", "version"}``, or None."""
        return self._of(study).get("place")

    def set_place(self, study: Study, place: dict[str, Any]) -> None:
        """Remember which clip of a Label server a clip is."""
        self._of(study)["place"] = place

    def spec(self, study: Study) -> dict[str, Any]:
        """Say which clip it is: its file, or its frames where there is none (any more)."""
        spec = self._of(study)
        if "pixels" not in spec and not Path(spec.get("path", "")).is_file():
            spec.pop("path", None)
            pixels = self.new_pixels()
            np.save(pixels, cine.pixels_of(study.get("cine")))
            header = {**study.facts["header"], **header_to_document(study.header)}
            spec |= {"pixels": str(pixels), "header": header, "sha256": study.facts["sha256"]}
        known, header = {name: value for name, value in spec.items() if name != "place"}, study.header
        if not header.spacing_mm:
            return {**known, "scale": None}
        return {**known, "scale": {"spacing_mm": header.spacing_mm, "source": header.spacing_source}}

    def forget(self) -> None:
        """The scene goes, and its nodes' ids with it."""
        self._known.clear()

    def close(self) -> None:
        """Remove what was written on the way."""
        self.forget()
        self._folder.cleanup()

    def _of(self, study: Study) -> dict[str, Any]:
        return self._known.setdefault(study.node.GetID(), {})
