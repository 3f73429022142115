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
from echo_keypoints.results import clip_digest, header_from_document
from echo_keypoints.tracking import Session, load_backend, open_session
from echo_keypoints.tracking.backends import Backend

Progress = Callable[[str, int, int], None]

_MAPS_BYTES = 1 << 30
"""Maps of up to a thousand frames stay in memory: a person corrects them without waiting."""


class Clips:
    """Opens what requests name and keeps the session of one clip, the last.

    A request names a clip as ``{"path"}``, or where there is no file as ``{"pixels": .npy file of uint8 (T,H,W),
    "header": as in result.json, "sha256": of the file that once was}``; ``"scale": {"spacing_mm": [sx, sy],
    "source"}`` overrules the file's; ``"server": {"connection", "clip_id"}`` has it tracked there (`server`).
    """

    def __init__(self) -> None:
        self._key = ""
        self._session: Session | None = None
        self._scale: tuple[tuple[float, float] | None, str] = (None, "")  # by the file
        self._digest: str | None = None

    @cached_property
    def backend(self) -> Backend:
        """The networks, loaded once."""
        return load_backend("onnx")

    def source(self, spec: dict[str, Any]) -> ClipSource:
        """Open a clip.

        Raises:
            ClipError: the file cannot be used.
        """
        source = _opened(spec)
        return ClipSource(_scaled(source.header, spec), source.frames)

    def session(self, spec: dict[str, Any], progress: Progress) -> Session:
        """Give the session on a clip in this process: the open one, or a new one, which takes its place.

        Raises:
            ClipError: the file cannot be used.
            ModelError: the weights are missing or damaged.
        """
        key = _identity(spec)
        if self._session is None or key != self._key or self._aspect_changed(spec):
            self.close()
            source = _opened(spec)
            self._digest = digest(spec)
            self._scale = source.header.spacing_mm, source.header.spacing_source
            shown = ClipSource(_scaled(source.header, spec), source.frames)
            self._session = open_session(shown, self.backend, progress=progress, maps_bytes=_MAPS_BYTES)
            self._key = key
        self._session.header = self._scaled_anew(self._session.header, spec)
        return self._session

    def session_of(self, spec: dict[str, Any], sha256: str | None, progress: Progress) -> Session:
        """Give the session on the clip whose digest a result has; see `session`.

        Raises:
            ClipError: the file was changed since.
        """
        session = self.session(spec, progress)
        if None not in (sha256, self._digest) and sha256 != self._digest:
            raise ClipError(f"{session.header.source} was changed since it was analysed; analyse it again.")
        return session

    @property
    def digest(self) -> str | None:
        """SHA-256 of the clip that is open, as it was when it was opened."""
        return self._digest

    def _scaled_anew(self, header: ClipHeader, spec: dict[str, Any]) -> ClipHeader:
        """The file's own scale, or that of this request; none stays from an earlier one."""
        spacing_mm, source = self._scale
        return _scaled(replace(header, spacing_mm=spacing_mm, spacing_source=source), spec)

    def _aspect_changed(self, spec: dict[str, Any]) -> bool:
        """Whether pixels have another shape now, so that networks would see another picture."""
        assert self._session is not None
        now = self._scaled_anew(self._session.header, spec)
        return not np.isclose(_aspect(now), _aspect(self._session.header))

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
    """Give the digest (`clip_digest`) of the clip, or that of the file that its frames once were in."""
    return spec.get("sha256") if "pixels" in spec else clip_digest(Path(spec["path"]))


def _identity(spec: dict[str, Any]) -> str:
    """What tells the clip of a request from others: path, sizes and change times; a file may be replaced."""
    if "pixels" in spec:
        return json.dumps(["pixels", spec["pixels"]])
    path = Path(spec["path"])
    try:
        files = [path] if path.is_file() else sorted(path.iterdir())
        stats = [(file.name, (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files]
    except OSError:
        stats = []  # opening it says what is wrong
    return json.dumps([str(path), stats])


def _aspect(header: ClipHeader) -> float:
    """Height of a pixel by its width; 1 where the scale is unknown."""
    return 1.0 if header.spacing_mm is None else header.spacing_mm[1] / header.spacing_mm[0]


def _opened(spec: dict[str, Any]) -> ClipSource:
    return _from_pixels(spec) if "pixels" in spec else open_clip(spec["path"])


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
