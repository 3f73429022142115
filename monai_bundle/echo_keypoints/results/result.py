"""`AnalysisResult`: everything that is known of a clip once it has been analysed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_keypoints._version import __version__
from echo_keypoints.biomarkers.lengths import SegmentLength, measure_lengths
from echo_keypoints.clip import ClipHeader
from echo_keypoints.tracking.anchors import Anchor


def utc_now() -> str:
    """Give the present time as ISO 8601 in UTC, to the second, e.g. ``2026-02-03T04:05:06Z``."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class AuditEntry:
    """One line of the audit trail; the trail only ever grows.

    Attributes:
        who: the person or program that made the change.
        when: ISO 8601 in UTC (`utc_now`).
        what: what was changed, e.g. ``"landmarks of frame 12"``.
        old: its value before, as plain JSON data.
        new: its value after, as plain JSON data.
        reason: why, in words.
    """

    who: str
    when: str
    what: str
    old: Any = None
    new: Any = None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class AnalysisResult:
    """The result of one clip. Lengths follow from the tracks and the scale and are never stored apart.

    Attributes:
        clip: the facts of the clip (no warnings: all of them are in `warnings`).
        points_px: ``(T, 4, 2)`` float64 ``(x, y)`` in original pixels; NaN where it is not measurable.
        confidence: ``(T, 4)`` float64 in 0..1, NaN where unknown; for its meaning see `tracking`.
        reference_frame: the frame from which the tracking started.
        reference_mode: how that frame was chosen, e.g. ``confidence`` or ``query`` (`tracking.reference`).
        iterations: number of refinements of the tracks.
        backend: the inference engine, e.g. ``onnx``.
        models: file name of every model used, to its SHA-256.
        anchors: the frames that a person set, in order.
        automatic_px: ``(T, 4, 2)`` the tracks before any anchor, or None where there is no anchor.
        surroundings: which tissues are seen around the points (`tracking.surroundings`); empty where unknown.
        clip_sha256: SHA-256 of the clip's file, or None where there is no single file.
        beats, measurements, quality: plain JSON data of the later rooms.
        audit: who changed what, oldest first.
        warnings: sentences for the user.
        software: version of EchoKeypoints that made the result.
        created_utc: when the analysis was made.
    """

    clip: ClipHeader
    points_px: NDArray[np.float64]
    confidence: NDArray[np.float64]
    reference_frame: int
    reference_mode: str = "confidence"
    iterations: int = 5
    backend: str = "onnx"
    models: Mapping[str, str] = field(default_factory=dict)
    anchors: tuple[Anchor, ...] = ()
    automatic_px: NDArray[np.float64] | None = None
    surroundings: Mapping[str, float] = field(default_factory=dict)
    clip_sha256: str | None = None
    beats: tuple[Mapping[str, Any], ...] = ()
    measurements: Mapping[str, Any] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)
    audit: tuple[AuditEntry, ...] = ()
    warnings: tuple[str, ...] = ()
    software: str = __version__
    created_utc: str = field(default_factory=utc_now)

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit the clip."""
        count = self.clip.frame_count
        for name, array, shape in (
            ("frame_times_s", self.clip.frame_times_s, (count,)),
            ("points_px", self.points_px, (count, 4, 2)),
            ("confidence", self.confidence, (count, 4)),
            ("automatic_px", self.automatic_px, (count, 4, 2)),
            *(("points_px of an anchor", anchor.points_px, (4, 2)) for anchor in self.anchors),
        ):
            if array is not None and array.shape != shape:
                raise ValueError(f"{name} must have the shape {shape}, not {array.shape}")
        if not 0 <= self.reference_frame < count:
            raise ValueError(f"the reference frame {self.reference_frame} is outside 0..{count - 1}")

    @cached_property
    def lengths(self) -> dict[str, SegmentLength]:
        """The three lengths over time, by the name of the segment."""
        return measure_lengths(self.points_px, self.clip.spacing_mm)

    def amended(self, entry: AuditEntry, **changes: Any) -> AnalysisResult:
        """Give a copy with some fields changed and the change written at the end of the audit trail.

        Args:
            entry: who changed what and why.
            **changes: new values of fields other than `audit`.

        Raises:
            ValueError: `changes` would rewrite the audit trail.
        """
        if "audit" in changes:
            raise ValueError("the audit trail can only grow by one entry at a time")
        return replace(self, audit=(*self.audit, entry), **changes)
