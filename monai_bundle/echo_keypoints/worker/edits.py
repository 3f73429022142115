"""The changes that a person makes to a result, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from echo_keypoints import editing
from echo_keypoints.biomarkers import Patient
from echo_keypoints.errors import QueryError
from echo_keypoints.results import AnalysisResult
from echo_keypoints.tracking.track import Retrackable

_BEAT_VALUES = ("ed_frame", "es_frame", "next_ed_frame", "es_is_avc")


@dataclass(frozen=True)
class Edit:
    """One change.

    Attributes:
        kind: one of `apply_edit`'s.
        values: what it sets, by the names of that kind.
        who, reason: for the audit trail.
    """

    kind: str
    values: dict[str, Any] = field(default_factory=dict)
    who: str = "reader"
    reason: str = ""

    @property
    def moves_landmarks(self) -> bool:
        """Whether the trajectories follow, so that a session on the clip is needed."""
        return self.kind in ("landmarks", "clear", "clear_all")


def apply_edit(result: AnalysisResult, edit: Edit, session: Retrackable | None) -> AnalysisResult:
    """Give the result after a change, with its entry in the audit trail, measured anew.

    Kinds: ``landmarks`` (frame, points_px ``(4, 2)``, null where not set), ``clear`` (frame), ``clear_all``,
    ``beat`` (index and any of ed_frame, es_frame, next_ed_frame, es_is_avc), ``add_beat`` (ed_frame), ``accept`` and
    ``reject`` (index), ``find_beats``, ``view`` (plax), ``reviewed``, ``patient`` (as `Patient`),
    ``scale`` (spacing_mm, source).

    Args:
        result: before the change.
        edit: the change.
        session: on the clip, where `Edit.moves_landmarks`.

    Raises:
        EchoKeypointsError: the change does not fit the clip.
    """
    values, who, reason = edit.values, edit.who, edit.reason
    if session is not None:
        return _moved(result, edit, session)
    if edit.kind == "beat":
        named = {name: values[name] for name in _BEAT_VALUES if name in values}
        return editing.set_beat(result, int(values["index"]), **named, who=who, reason=reason)
    if edit.kind == "add_beat":
        return editing.add_beat(result, int(values["ed_frame"]), who=who, reason=reason)
    if edit.kind == "accept":
        return editing.accept_beat(result, int(values["index"]), who=who, reason=reason)
    if edit.kind == "reject":
        return editing.reject_beat(result, int(values["index"]), who=who, reason=reason)
    if edit.kind == "find_beats":
        return editing.find_beats_again(result, who=who, reason=reason)
    if edit.kind == "view":
        return editing.set_view(result, bool(values["plax"]), who=who, reason=reason)
    if edit.kind == "reviewed":
        return editing.mark_reviewed(result, who=who, reason=reason)
    if edit.kind == "patient":
        return editing.set_patient(result, Patient(**values), who=who, reason=reason)
    if edit.kind == "scale":
        return editing.set_scale(result, values["spacing_mm"], str(values["source"]), who=who, reason=reason)
    raise QueryError(f"There is no change of the kind {edit.kind!r}.")


def _moved(result: AnalysisResult, edit: Edit, session: Retrackable) -> AnalysisResult:
    """Set or clear landmarks; the trajectories follow."""
    who, reason = edit.who, edit.reason
    if edit.kind == "landmarks":
        points = np.array(edit.values["points_px"], np.float64)
        return editing.set_landmarks(
            result, session, int(edit.values["frame"]), points, who=who, reason=reason
        )
    everything = edit.kind == "clear_all"
    frames = [a.frame for a in result.anchors] if everything else [int(edit.values["frame"])]
    for frame in frames:
        result = editing.clear_landmarks(result, session, frame, who=who, reason=reason)
    return result
