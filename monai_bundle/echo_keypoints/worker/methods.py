"""What the worker can do: read, analyse, edit, export; each from plain JSON data to plain JSON data.

Results travel as text (the content of ``result.json``), so that a caller can keep them without reading them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from echo_keypoints.analysis import result_of
from echo_keypoints.biomarkers import Patient
from echo_keypoints.errors import ClipError
from echo_keypoints.readers.limits import MAX_CLIP_BYTES
from echo_keypoints.results import AnalysisResult, file_digest, header_to_document, to_document
from echo_keypoints.worker import batches, server
from echo_keypoints.worker.clips import Clips, digest
from echo_keypoints.worker.edits import Edit, apply_edit
from echo_keypoints.worker.exports import Job, export
from echo_keypoints.worker.protocol import Method, Progress
from echo_keypoints.worker.texts import result_from_text


class Methods:
    """The methods and the clip that they keep open.

    Attributes:
        table: name → method, for `protocol.serve`.
    """

    def __init__(self) -> None:
        self._clips = Clips()
        self.table: Mapping[str, Method] = {
            "warm_up": self.warm_up,
            "read": self.read,
            "analyze": self.analyze,
            "edit": self.edit,
            "export": self.export,
            "worklist": batches.look,
            "worklist_load": batches.load,
            "worklist_save": batches.save,
            "server_info": server.info,
            "server_model": server.serve_model,
            "server_next": server.next_sample,
            "server_upload": self.server_upload,
            "server_submit": self.server_submit,
        }

    def warm_up(self, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Do before it is needed what takes long: load the networks, and open ``{"clip": spec}`` if one is given.

        Raises:
            ClipError: the clip cannot be used.
            ModelError: the weights are missing or damaged.
        """
        spec = params.get("clip")
        if spec and not spec.get("server"):
            self._clips.session(spec, progress)
        return {"backend": self._clips.backend.name}

    def read(self, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Decode a clip: ``{"clip": spec, "pixels": .npy file to write}`` → ``{"header", "warnings", "sha256"}``.

        Raises:
            ClipError: the file cannot be used, or is too large to be held in memory.
        """
        source = self._clips.source(params["clip"])
        header = source.header
        shape = (header.frame_count, header.height, header.width)
        if np.prod(shape, dtype=np.int64) > MAX_CLIP_BYTES:
            raise ClipError(
                f"{header.source} is too long to be shown at once ({header.frame_count} frames); "
                "save a shorter clip, or analyse it with echo-keypoints on the command line."
            )
        pixels = np.lib.format.open_memmap(params["pixels"], mode="w+", dtype=np.uint8, shape=shape)
        for index, frame in enumerate(source.frames()):
            pixels[index] = frame
            progress("read", index + 1, header.frame_count)
        pixels.flush()
        facts = header_to_document(header)
        return {"header": facts, "warnings": list(header.warnings), "sha256": digest(params["clip"])}

    def analyze(self, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Track and measure: ``{"clip": spec, "patient": {…} | null}`` → ``{"document": text}``.

        Raises:
            ClipError: the clip cannot be used.
            ModelError: the weights are missing or damaged.
            LabelServerError: the server that was to do it does not.
        """
        spec, facts = params["clip"], params.get("patient")
        patient = Patient(**facts) if facts else None
        if spec.get("server"):
            header, tracked = self._clips.source(spec).header, server.track(spec["server"], progress)
            # The server has looked at the picture, too: R waves of an ECG in it.
            header = replace(header, metadata={**tracked.clip.metadata, **header.metadata})
            return _answer(result_of(header, tracked, sha256=digest(spec), patient=patient))
        session = self._clips.session(spec, progress)
        tracking = session.track(progress=progress)
        return _answer(result_of(session.header, tracking, sha256=self._clips.digest, patient=patient))

    def edit(self, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Change a result: ``{"clip": spec, "document": text, "edit": as `edits.Edit`}`` → ``{"document": text}``.

        Raises:
            EchoKeypointsError: the change does not fit the clip.
        """
        edit, spec = Edit(**params["edit"]), params["clip"]
        result = result_from_text(params["document"])
        if not edit.moves_landmarks:
            return _answer(apply_edit(result, edit, None))
        session = (
            server.session(spec["server"], result)
            if spec.get("server")
            else self._clips.session_of(spec, result.clip_sha256, progress)
        )
        return _answer(apply_edit(result, edit, session))

    def export(self, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Write files: ``{"clip": spec, "document": text, "folder", "kinds": […]}`` → ``{"files": [names]}``.

        Raises:
            EchoKeypointsError: the folder holds other files, or a kind cannot be made of this result.
        """
        spec = params["clip"]
        job = Job(
            result=result_from_text(params["document"]),
            source=lambda: self._clips.source(spec),
            file=Path(spec["path"]) if "path" in spec else None,
            folder=Path(params["folder"]),
        )
        return {"files": [file.name for file in export(job, params["kinds"], progress)]}

    def server_upload(self, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Bring a clip to a Label server: ``{"connection", "clip": spec}`` → ``{"clip_id", "version"}``.

        Raises:
            ClipError: there is no file that could be sent.
            LabelServerError: the server does not take it.
        """
        path = params["clip"].get("path")
        sha256 = file_digest(Path(path)) if path else None
        if path is None or sha256 is None:
            raise ClipError("Only a clip that was opened from a single file can be sent to a server.")
        return server.upload(params, Path(path), sha256)

    def server_submit(self, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Save a label: ``{"connection", "clip_id", "version", "document": text}`` → the new version.

        Raises:
            LabelServerError: the server does not take it, e.g. because somebody saved a newer one.
        """
        return server.submit(params, result_from_text(params["document"]))

    def close(self) -> None:
        """Let the open clip go."""
        self._clips.close()

    def __enter__(self) -> Methods:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _answer(result: AnalysisResult) -> dict[str, Any]:
    return {"document": json.dumps(to_document(result), allow_nan=False, separators=(",", ":"))}
