"""The clip that a request is about, and the tracking session on it that stays open."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from echo_keypoints.clip import Clip, ClipHeader, ClipSource
from echo_keypoints.errors import ClipError
from echo_keypoints.readers import open_clip
from echo_keypoints.results import file_digest, header_from_document
from echo_keypoints.tracking import Session, load_backend, open_session
from echo_keypoints.tracking.backends import Backend

Progress = Callable[[str, int, int], None]

_MAPS_BYTES = 1 << 30
"""Maps of up to some 370 frames stay in memory: a person corrects them without waiting."""


class Clips:
    """Opens what requests name and keeps the session of one clip, the last.

    A request names a clip as ``{"path"}``, or where there is no file as ``{"pixels": .npy file of uint8 (T,H,W),
    "header": as in result.json, "sha256": of the file that once was}``; ``"scale": {"spacing_mm": [sx, sy],
    "source"}`` overrules the file's; ``"server": {"connection", "clip_id"}`` has it tracked there (`server`).
    """

    def __init__(self) -> None:
        self._key = ""
        self._session: Session | None = None

    @cached_property
    def backend(self) -> Backend:
        """The networks, loaded once."""
        return load_backend("onnx")

    def source(self, spec: dict[str, Any]) -> ClipSource:
        """Open a clip.

        Raises:
            ClipError: the file cannot be used.
        """
        source = _from_pixels(spec) if "pixels" in spec else open_clip(spec["path"])
        return ClipSource(_scaled(source.header, spec), source.frames)

    def session(self, spec: dict[str, Any], progress: Progress) -> Session:
        """Give the session on a clip in this process: the open one, or a new one, which takes its place.

        Raises:
            ClipError: the file cannot be used.
            ModelError: the weights are missing or damaged.
        """
        key = json.dumps({name: spec.get(name) for name in ("path", "pixels")}, sort_keys=True)
        if self._session is None or key != self._key:
            self.close()
            self._session = open_session(
                self.source(spec), self.backend, progress=progress, maps_bytes=_MAPS_BYTES
            )
            self._key = key
        self._session.header = _scaled(self._session.header, spec)
        return self._session

    def close(self) -> None:
        """Let the open session go."""
        if self._session is not None:
            self._session.close()
        self._session, self._key = None, ""

    def __enter__(self) -> Clips:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def digest(spec: dict[str, Any]) -> str | None:
    """Give the SHA-256 of the clip's file, if there is or was a single one."""
    return spec.get("sha256") if "pixels" in spec else file_digest(Path(spec["path"]))


def _scaled(header: ClipHeader, spec: dict[str, Any]) -> ClipHeader:
    """Overrule the scale, where a person measured it."""
    scale = spec.get("scale")
    if not scale:
        return header
    spacing = (float(scale["spacing_mm"][0]), float(scale["spacing_mm"][1]))
    return replace(header, spacing_mm=spacing, spacing_source=str(scale["source"]))


def _from_pixels(spec: dict[str, Any]) -> ClipSource:
    """A clip whose pixels another program holds."""
    header = header_from_document(spec["header"])
    try:
        pixels = np.load(spec["pixels"], mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ClipError(f"The frames of {header.source} are gone; open the clip again.") from error
    if pixels.dtype != np.uint8 or pixels.shape != (header.frame_count, header.height, header.width):
        raise ClipError(f"The frames of {header.source} do not fit its facts; open the clip again.")
    return Clip(header, pixels).as_source()
