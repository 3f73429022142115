"""The annotators' round on a MONAI Label server: what is there, the next clip, submit.

``connection`` in requests is ``{"url", "annotator", "token" | null}``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from echo_keypoints.label_client import LabelClient, RemoteSession
from echo_keypoints.readers.sniff import sniff
from echo_keypoints.results import AnalysisResult

Progress = Callable[[str, int, int], None]

_NAME_DIGITS = 16


def connect(connection: dict[str, Any]) -> LabelClient:
    """Make the client; nothing is sent yet."""
    return LabelClient(
        str(connection["url"]), annotator=str(connection["annotator"]), token=connection.get("token") or None
    )


def info(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """``{"connection"}`` → what the server is (`LabelClient.info`) and its ``models``, newest first."""
    client = connect(params["connection"])
    models = [asdict(model) for model in reversed(client.models())]
    return {**client.info(), "models": models}


def serve_model(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """``{"connection", "version"}`` → the model version that serves from now on."""
    return asdict(connect(params["connection"]).serve_model(int(params["version"])))


def next_sample(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Take the next clip: ``{"connection", "strategy", "folder"}``.

    Returns:
        ``{"clip_id", "version", "path", "explanation", "frames": [{"frame", "score", "reason"}], "remaining"}``;
        ``clip_id`` is null when nothing is left.
    """
    client = connect(params["connection"])
    sample = client.next_sample(str(params["strategy"]))
    told = {"explanation": sample.explanation, "remaining": sample.remaining}
    if sample.clip is None:
        return {**told, "clip_id": None}
    client.lock(sample.clip.id)
    path = client.download_clip(sample.clip.id, Path(params["folder"]), progress=progress)
    return {
        **told,
        "clip_id": sample.clip.id,
        "version": sample.clip.version,
        "path": str(path),
        "frames": [asdict(hint) for hint in sample.frames],
    }


def track(server: dict[str, Any], progress: Progress) -> AnalysisResult:
    """Have a clip tracked anew: ``{"connection", "clip_id"}``.

    Raises:
        LabelServerError: the server cannot be reached, or its job failed.
    """
    return connect(server["connection"]).infer("trnet", str(server["clip_id"]), progress=progress)


def session(server: dict[str, Any], result: AnalysisResult) -> RemoteSession:
    """Give what an edit needs of a clip that a server holds: ``{"connection", "clip_id"}``."""
    return connect(server["connection"]).session(str(server["clip_id"]), result)


def upload(params: dict[str, Any], path: Path, sha256: str) -> dict[str, Any]:
    """Bring a clip to the server under a name that says nothing of the patient: ``{"connection"}``.

    Returns:
        ``{"clip_id", "version"}``; of the clip that is there already, where it is.
    """
    client = connect(params["connection"])
    name = f"clip-{sha256[:_NAME_DIGITS]}"
    known = next((clip for clip in client.clips() if Path(clip.source).stem == name), None)
    clip = known or client.upload_clip(path, name=name + _ending(path))
    return {"clip_id": clip.id, "version": clip.version}


def _ending(path: Path) -> str:
    """An ending for the server. What follows a dot in the name of a DICOM file may be anything, or missing."""
    return ".dcm" if sniff(path) == "dicom" else path.suffix.lower() or ".clip"


def submit(params: dict[str, Any], result: AnalysisResult) -> dict[str, Any]:
    """Save a reviewed result as the clip's final label: ``{"connection", "clip_id", "version"}`` → new version.

    Raises:
        ConflictError: somebody saved a newer one meanwhile.
        LockedError: another annotator holds the clip.
    """
    client = connect(params["connection"])
    saved = client.save_label(str(params["clip_id"]), result, base_version=int(params["version"]))
    client.unlock(str(params["clip_id"]))
    return asdict(saved)
