"""`LabelClient`: everything that an annotator's program asks of the Label server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from echo_keypoints.errors import ResultError
from echo_keypoints.label_client.errors import TaskFailedError, UnreachableError
from echo_keypoints.label_client.records import (
    ClipRecord,
    LabelVersion,
    Lock,
    ModelVersion,
    NextSample,
    SavedLabel,
    TrainingStatus,
    record,
)
from echo_keypoints.label_client.remote import RemoteSession
from echo_keypoints.label_client.transport import Transport
from echo_keypoints.results import AnalysisResult, atomic_path, file_digest, from_document, plain, to_document
from echo_keypoints.tracking.anchors import Anchor

Progress = Callable[[str, int, int], None]
"""``progress(stage, done, total)``: stages ``queue``, ``read``, ``detect``, ``refine`` in frames, ``download``
in bytes; a total of 0 means unknown."""

_POLL_S = 0.4


class LabelClient:
    """A connection to one server for one annotator. Calls block; they may come from any thread.

    Every call raises a `LabelServerError` (see `errors`), one sentence fit to be shown.

    Args:
        url: of the server, e.g. ``http://127.0.0.1:8000``.
        annotator: the name under which labels are saved and clips are locked.
        token: the annotator's token, if the server asks for one.
        timeout_s: how long the network may stay silent.
    """

    def __init__(
        self, url: str, *, annotator: str = "", token: str | None = None, timeout_s: float = 30.0
    ) -> None:
        self.annotator = annotator
        self._http = Transport(url, token, timeout_s)

    def info(self) -> dict[str, Any]:
        """Tell what the server is.

        Returns:
            ``{"name", "version", "api", "annotator" (that of the token, or null), "backend", "model_version",
            "tasks": [names], "strategies": {name: sentence}, "clips": {"total", "final", "original", "new",
            "locked"}, "training": state}``.
        """
        info = self._http.json("GET", "/echo/info")
        if not isinstance(info, dict) or info.get("api") != 1:
            raise UnreachableError("That server is no Label server of EchoKeypoints, or of another version.")
        return info

    # --- clips

    def clips(self) -> list[ClipRecord]:
        """List all clips with their states, locks and versions."""
        return [ClipRecord.of(clip) for clip in self._http.json("GET", "/echo/clips")["clips"]]

    def clip(self, clip_id: str) -> ClipRecord:
        """Tell about one clip."""
        return ClipRecord.of(self._http.json("GET", "/echo/clip", {"id": clip_id}))

    def next_sample(self, strategy: str = "informed", *, seed: int | None = None) -> NextSample:
        """Ask which clip to annotate next, and which of its frames.

        Args:
            strategy: a name of ``info()["strategies"]``.
            seed: of ``random``.
        """
        body = {"strategy": strategy, "annotator": self.annotator, "seed": seed}
        return NextSample.of(self._http.json("POST", "/echo/next", body=body, extra_wait_s=60))

    def download_clip(self, clip_id: str, folder: str | Path, *, progress: Progress | None = None) -> Path:
        """Fetch the file of a clip, as it is, into a folder of yours.

        A file that is there already is only fetched again when it differs.

        Returns:
            Its path: `folder`, and the name that the file has on the server.

        Raises:
            ResultError: the folder cannot be written to.
        """
        clip = self.clip(clip_id)
        name = Path(clip.source).name
        if not name or name != clip.source or name.startswith("."):
            raise UnreachableError("The server gave a name that is no file name; the clip was not fetched.")
        try:
            return self._download(clip, Path(folder) / name, progress)
        except OSError as error:
            raise ResultError(
                f"{name}: cannot write to the folder {Path(folder).name} ({error.strerror or error})."
            ) from error

    def _download(self, clip: ClipRecord, target: Path, progress: Progress | None) -> Path:
        told = (lambda done, total: progress("download", done, total)) if progress else None
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file() and target.stat().st_size == clip.bytes:
            known = self._http.json("GET", "/echo/clip/digest", {"id": clip.id})["sha256"]
            if known == file_digest(target):
                return target
        with atomic_path(target) as part:
            headers = self._http.download("/echo/clip/file", {"id": clip.id}, part, told)
            if headers.get("etag", "").strip('"') != file_digest(part):
                raise UnreachableError(f"{target.name} was damaged on its way; fetch it again.")
        return target

    def upload_clip(self, path: str | Path, *, name: str | None = None) -> ClipRecord:
        """Add a clip to the server's studies.

        Args:
            path: a file that the readers open (DICOM, AVI, MP4, NRRD …).
            name: under which it is kept, a file name; that of `path` by default. It must be new.
        """
        path = Path(path)
        return ClipRecord.of(self._http.upload("/echo/clip/file", {"name": name or path.name}, path))

    # --- inference

    def infer(
        self,
        task: str,
        clip_id: str,
        *,
        anchors: Sequence[Anchor] = (),
        query: tuple[int, ArrayLike] | None = None,
        reference: str | int = "confidence",
        save: bool = False,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> AnalysisResult:
        """Let the server analyse a clip.

        Args:
            task: ``"sknet"`` (the detector on each frame alone), ``"trnet"`` (full tracking) or ``"refine"``
                (tracking through `anchors`; fast, once the clip has been analysed).
            clip_id: the clip.
            anchors: frames whose landmarks a person set, in original pixels.
            query: ``(frame, (4, 2))`` to start from in place of the detector.
            reference: how to choose the reference frame (`tracking.reference`).
            save: keep the result on the server as the clip's ``original`` (not for ``refine``).
            progress: told how far it is; what it raises stops the job and is raised here.
            cancelled: asked now and then; True stops the job.

        Raises:
            TaskFailedError: the job failed, or was cancelled.
        """
        body = {
            "clip": clip_id,
            "anchors": [_points(anchor.frame, anchor.points_px) for anchor in anchors],
            "query": _points(*query) if query else None,
            "reference": reference,
            "save": save,
        }
        job = self._http.json("POST", f"/echo/infer/{task}", {"wait_s": _POLL_S}, body, extra_wait_s=_POLL_S)
        while job["state"] in ("queued", "running"):
            try:
                if progress:
                    progress(job["stage"], job["done"], job["total"])
                if cancelled and cancelled():
                    raise TaskFailedError("The analysis was cancelled.")
            except BaseException:  # whoever stops, the server is told
                self._http.json("DELETE", "/echo/job", {"id": job["job"]})
                raise
            job = self._http.json(
                "GET", "/echo/job", {"id": job["job"], "wait_s": _POLL_S}, extra_wait_s=_POLL_S
            )
        if job["state"] != "done":
            raise TaskFailedError(job["message"] or "The analysis failed.", job)
        return _result(job["result"])

    def session(self, clip_id: str, result: AnalysisResult) -> RemoteSession:
        """Give what `echo_keypoints.editing` needs to correct a clip, with the server in place of own networks.

        Args:
            clip_id: the clip.
            result: of `infer` or `label`.
        """
        return RemoteSession(self, clip_id, result)

    # --- labels and locks

    def label(
        self,
        clip_id: str,
        *,
        tag: str | None = None,
        annotator: str | None = None,
        version: int | None = None,
    ) -> SavedLabel:
        """Load a label: the newest one that fits.

        Args:
            clip_id: the clip.
            tag: ``"final"`` or ``"original"``; by default final, else original.
            annotator: only labels of this reader.
            version: exactly this one.
        """
        query = {"id": clip_id, "tag": tag, "annotator": annotator, "version": version}
        data = self._http.json("GET", "/echo/label", query)
        return SavedLabel(
            info=record(LabelVersion, data["info"]),
            result=_result(data["result"]),
            origin=tuple(tuple(frame) for frame in data["origin"]),
        )

    def save_label(
        self,
        clip_id: str,
        result: AnalysisResult,
        *,
        base_version: int,
        tag: str = "final",
        independent: bool = False,
    ) -> LabelVersion:
        """Save a label as a new version. Nothing is ever overwritten.

        Args:
            clip_id: the clip.
            result: with the audit trail of all changes since `base_version`.
            base_version: ``ClipRecord.version`` when the work began.
            tag: ``"final"``, or ``"original"`` for a draft that is not to be trained on.
            independent: an independent reading: only your own newer versions count as a conflict, and the
                agreement between readers is computed from such labels.

        Raises:
            ConflictError: there is a newer version by now.
            LockedError: another annotator holds the clip.
        """
        body = {
            "annotator": self.annotator,
            "tag": tag,
            "base_version": base_version,
            "independent": independent,
            "result": to_document(result),
        }
        return record(LabelVersion, self._http.json("PUT", "/echo/label", {"id": clip_id}, body))

    def lock(self, clip_id: str, minutes: int = 30) -> Lock:
        """Take a clip, or hold it longer.

        Raises:
            LockedError: another annotator has it.
        """
        body = {"annotator": self.annotator, "minutes": minutes}
        return record(Lock, self._http.json("PUT", "/echo/lock", {"id": clip_id}, body))

    def unlock(self, clip_id: str) -> None:
        """Give a clip free; nothing happens if you do not hold it."""
        self._http.json("DELETE", "/echo/lock", {"id": clip_id, "annotator": self.annotator})

    # --- training, models, scores

    def start_training(
        self, model: str = "sknet", *, resume: bool = False, **options: int | float
    ) -> TrainingStatus:
        """Fine-tune a network.

        Args:
            model: ``"sknet"`` or ``"placenet"`` (on the frames that people set), or ``"trnet"`` (on all clips).
            resume: go on with the run of this model that was stopped or interrupted.
            **options: ``epochs``, ``epoch_items``, ``batch_size``, ``learning_rate``, ``seed``.

        Raises:
            RefusedError: a training runs already, there is nothing to train on, or an option is out of range.
        """
        body = {"model": model, "resume": resume, "options": options}
        return TrainingStatus.of(self._http.json("POST", "/echo/train", body=body))

    def training(self) -> TrainingStatus:
        """Tell how the training does, or how the last one ended."""
        return TrainingStatus.of(self._http.json("GET", "/echo/train"))

    def stop_training(self) -> TrainingStatus:
        """Stop it; what it learnt up to its last checkpoint is kept and can be resumed."""
        return TrainingStatus.of(self._http.json("DELETE", "/echo/train", extra_wait_s=30))

    def models(self) -> list[ModelVersion]:
        """List the model versions, oldest first."""
        return [record(ModelVersion, model) for model in self._http.json("GET", "/echo/models")["versions"]]

    def serve_model(self, version: int) -> ModelVersion:
        """Let another version serve: roll back, or forward again.

        Raises:
            RefusedError: it did not pass its validation, or its files are damaged.
        """
        answer = self._http.json("PUT", "/echo/models/serving", body={"version": version}, extra_wait_s=60)
        return record(ModelVersion, answer)

    def scores(self) -> dict[str, Any]:
        """Score all labels.

        Returns:
            ``{"labels": [...], "readers": {...}, "agreement": [...]}``; docs/annotation.md explains each figure.
        """
        scores = self._http.json("GET", "/echo/scores", extra_wait_s=60)
        return dict(scores)


def _points(frame: int, points_px: ArrayLike) -> Mapping[str, Any]:
    """A frame with its landmarks as JSON: null for one that was not set."""
    return {"frame": int(frame), "points_px": plain(np.asarray(points_px, np.float64))}


def _result(document: Mapping[str, Any]) -> AnalysisResult:
    try:
        return from_document(document)
    except (ValueError, KeyError, TypeError) as error:
        raise UnreachableError(f"The server's result cannot be read ({error}).") from error
