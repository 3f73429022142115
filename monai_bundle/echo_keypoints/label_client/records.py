"""What the server tells, as typed records. Times are ISO 8601 in UTC; frames count from 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from echo_keypoints.results import AnalysisResult

Record = TypeVar("Record")


def record(kind: type[Record], data: Mapping[str, Any], **given: Any) -> Record:
    """Make a flat record of the keys that it knows: a newer server may tell more.

    Args:
        kind: the dataclass.
        data: JSON object of the server.
        **given: fields that are records themselves.

    Raises:
        KeyError: a field is missing.
    """
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: given[name] if name in given else data[name] for name in names})


@dataclass(frozen=True)
class Lock:
    """Who works on a clip, and until when nobody else may save it."""

    annotator: str
    until_utc: str


@dataclass(frozen=True)
class LabelVersion:
    """One saved state of the label of a clip; versions are never changed or deleted.

    Attributes:
        version: number, from 1, over all tags and annotators of a clip.
        base_version: the version that it was made from; 0 for none.
        tag: ``"original"`` (by the model) or ``"final"`` (by a person).
        annotator: who saved it; ``"model"`` for an original.
        saved_utc: when.
        model_version: version of the models that served then.
        independent: whether the reader worked without sight of other readers' labels.
    """

    version: int
    base_version: int
    tag: str
    annotator: str
    saved_utc: str
    model_version: int
    independent: bool


@dataclass(frozen=True)
class ClipRecord:
    """A clip of the server.

    Attributes:
        id: its name in all requests: the path inside of the studies folder, or a SOP instance UID.
        source: name of its file.
        frame_count, height, width: size.
        spacing_mm: ``(sx, sy)`` mm per pixel, or None.
        bytes: size of the file.
        state: ``"new"``, ``"original"`` or ``"final"``: the best label that it has.
        version: newest version of its label, 0 for none; what a save must be based on.
        versions: all of them, oldest first.
        lock: who works on it, or None.
    """

    id: str
    source: str
    frame_count: int
    height: int
    width: int
    spacing_mm: tuple[float, float] | None
    bytes: int
    state: str
    version: int
    versions: tuple[LabelVersion, ...]
    lock: Lock | None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> ClipRecord:
        """Read the server's JSON object."""
        return record(
            cls,
            data,
            spacing_mm=tuple(data["spacing_mm"]) if data["spacing_mm"] else None,
            versions=tuple(record(LabelVersion, version) for version in data["versions"]),
            lock=record(Lock, data["lock"]) if data["lock"] else None,
        )


@dataclass(frozen=True)
class FrameHint:
    """A frame that is worth a person's look: how much (higher is more), and why."""

    frame: int
    score: float
    reason: str


@dataclass(frozen=True)
class NextSample:
    """What to annotate next.

    Attributes:
        clip: the clip, or None if nothing is left.
        strategy: how it was chosen.
        score: what the strategy makes of it; higher comes first. None for ``first`` and ``random``.
        explanation: why, in a sentence or two.
        frames: frames of it to look at, best first.
        remaining: clips that could have been chosen.
    """

    clip: ClipRecord | None
    strategy: str
    score: float | None
    explanation: str
    frames: tuple[FrameHint, ...]
    remaining: int

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> NextSample:
        """Read the server's JSON object."""
        clip = ClipRecord.of(data["clip"]) if data["clip"] else None
        return record(cls, data, clip=clip, frames=tuple(record(FrameHint, hint) for hint in data["frames"]))


@dataclass(frozen=True)
class SavedLabel:
    """A label with its version.

    Attributes:
        info: the version.
        result: the landmarks and all else.
        origin: for each frame the four words ``"auto"``, ``"edited"`` or ``"reader"``: from the model, moved by
            a person's landmark on another frame, or set by a person on this one.
    """

    info: LabelVersion
    result: AnalysisResult
    origin: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class TrainingStatus:
    """How a training does.

    Attributes:
        state: ``"idle"``, ``"running"``, ``"done"``, ``"failed"``, ``"stopped"`` or ``"interrupted"`` (the
            server went down; it can be resumed).
        model: ``"sknet"``, ``"placenet"`` or ``"trnet"``; None when idle.
        run: name of the run; None when idle.
        epoch, epochs: done, and to do.
        message: a sentence on what happens or went wrong.
        metrics: of the validation, by name; lower is better.
        version: the model version that came of it, or None.
        log: the last lines of its log.
    """

    state: str
    model: str | None
    run: str | None
    epoch: int
    epochs: int
    message: str
    metrics: Mapping[str, float]
    version: int | None
    log: tuple[str, ...]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> TrainingStatus:
        """Read the server's JSON object."""
        return record(cls, data, log=tuple(data["log"]))

    @property
    def running(self) -> bool:
        """Whether it still works."""
        return self.state == "running"


@dataclass(frozen=True)
class ModelVersion:
    """A set of weights on the server.

    Attributes:
        version: number; 0 is what came with the software.
        parent: the version that it was trained from; None for version 0.
        state: ``"serving"``, ``"available"`` (it passed its validation) or ``"rejected"`` (it did not).
        model: the network that was trained; None for version 0.
        created_utc: when.
        metrics: of its validation, beside those of its parent (``parent_…``).
        reason: why it is served or rejected, in a sentence.
        files: file name → SHA-256.
    """

    version: int
    parent: int | None
    state: str
    model: str | None
    created_utc: str
    metrics: Mapping[str, float]
    reason: str
    files: Mapping[str, str]
