"""What a person may change in a result: landmarks, beats, the view, the scale, the patient.

Every change gives a new result that is measured anew, with one more entry in its audit trail (who, when, what it
was, what it is, why). Originals are kept: the tracks before any anchor in `automatic_px`, the frames of a beat as
found in its ``automatic``, everything else in the trail. Once a person has touched a beat, beats are no longer
searched but kept as they are, so that numbers and decisions stay with their beats (`find_beats_again` ends that).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from echo_keypoints.biomarkers import Patient, measure
from echo_keypoints.biomarkers.documents import unmeasured_beat
from echo_keypoints.errors import QueryError, ResultError
from echo_keypoints.results import AnalysisResult, AuditEntry, plain, utc_now
from echo_keypoints.tracking.anchors import Anchor, checked_anchor, merged
from echo_keypoints.tracking.reference import REFERENCE_MODES
from echo_keypoints.tracking.track import Retrackable

_REVIEW = "review"
ANALYSIS = "analysis"
"""What the audit trail calls a new analysis of the clip."""
_EVENTS = ("ed", "es", "next_ed")
_RANDOM = "random"  # the one way to choose a reference frame that does not give the same frame again


def set_landmarks(
    result: AnalysisResult, session: Retrackable, frame: int, points_px: ArrayLike, *, who: str, reason: str
) -> AnalysisResult:
    """Set landmarks on a frame: it becomes an anchor, and the tracks around it are refined again.

    Args:
        result: of the clip.
        session: the same clip, open, with the same weights (`tracking.open_session`).
        frame: its number, from 0.
        points_px: ``(4, 2)`` original pixels; NaN for a landmark that is not set. Landmarks that were set on this
            frame before and are NaN now stay set.
        who, reason: for the audit trail.

    Raises:
        QueryError: the frame or a point is outside of the clip, no landmark is set, or nobody is named.
        ResultError: the session is of another clip or has other weights.
    """
    anchor = checked_anchor(result.clip, frame, points_px)
    earlier = next((a for a in result.anchors if a.frame == frame), None)
    if earlier is not None:
        anchor = Anchor(frame, np.where(np.isnan(anchor.points_px), earlier.points_px, anchor.points_px))
    others = [a for a in result.anchors if a.frame != frame]
    return _tracked_again(result, session, merged([*others, anchor]), frame, who, reason)


def clear_landmarks(
    result: AnalysisResult, session: Retrackable, frame: int, *, who: str, reason: str
) -> AnalysisResult:
    """Take back what was set on a frame; without any anchor the tracks are the automatic ones again.

    Raises:
        QueryError: no landmark is set on this frame, or nobody is named.
        ResultError: the session is of another clip or has other weights.
    """
    others = tuple(a for a in result.anchors if a.frame != frame)
    if len(others) == len(result.anchors):
        raise QueryError(f"No landmark is set on frame {frame} of {result.clip.source}.")
    return _tracked_again(result, session, others, frame, who, reason)


def set_beat(
    result: AnalysisResult,
    index: int,
    *,
    ed_frame: int | None = None,
    es_frame: int | None = None,
    next_ed_frame: int | None = None,
    es_is_avc: bool = False,
    who: str,
    reason: str,
) -> AnalysisResult:
    """Move the end-diastole, the end-systole or the end of a beat; what is None stays.

    Where two beats share an end-diastole, it moves for both.

    Args:
        result: of the clip.
        index: number of the beat, from 0.
        ed_frame, es_frame, next_ed_frame: new frames.
        es_is_avc: the end-systole was set by the closure of the aortic valve.
        who, reason: for the audit trail.

    Raises:
        QueryError: there is no such beat or frame, the frames are not in order, a neighbour would overlap, or
            nobody is named.
    """
    old = _beat(result, index)
    beats = [dict(beat) for beat in result.beats]
    wanted = {"ed": ed_frame, "es": es_frame, "next_ed": next_ed_frame}
    if not any(frame is not None for frame in wanted.values()):
        raise QueryError(f"Nothing was given to change in beat {index} of {result.clip.source}.")
    for name, frame in wanted.items():
        if frame is not None:
            source = "avc_user" if name == "es" and es_is_avc else "user"
            _move(result, beats[index], name, frame, source)
    if ed_frame is not None and index and beats[index - 1]["next_ed_frame"] == old["ed_frame"]:
        _move(result, beats[index - 1], "next_ed", ed_frame, "user")
    if (
        next_ed_frame is not None
        and index + 1 < len(beats)
        and beats[index + 1]["ed_frame"] == old["next_ed_frame"]
    ):
        _move(result, beats[index + 1], "ed", next_ed_frame, "user")
    _check_order(result, beats)
    return _with_beats(result, beats, f"beat {index}", _frames(old), _frames(beats[index]), who, reason)


def add_beat(
    result: AnalysisResult,
    ed_frame: int,
    es_frame: int | None = None,
    next_ed_frame: int | None = None,
    *,
    es_is_avc: bool = False,
    who: str,
    reason: str,
) -> AnalysisResult:
    """Add a beat that the software did not find.

    Raises:
        QueryError: there is no such frame, the frames are not in order, another beat overlaps, or nobody is named.
    """
    new = unmeasured_beat()
    for name, frame in (("ed", ed_frame), ("es", es_frame), ("next_ed", next_ed_frame)):
        if frame is not None:
            source = "avc_user" if name == "es" and es_is_avc else "user"
            _move(result, new, name, frame, source)
    new["automatic"] = None
    beats = sorted([*(dict(beat) for beat in result.beats), new], key=lambda beat: beat["ed_frame"])
    _check_order(result, beats)
    return _with_beats(result, beats, f"beat {beats.index(new)}", None, _frames(new), who, reason)


def accept_beat(result: AnalysisResult, index: int, *, who: str, reason: str) -> AnalysisResult:
    """Let a beat count, whatever speaks against it.

    Raises:
        QueryError: there is no such beat, or nobody is named.
    """
    return _decided(result, index, "accepted", who, reason)


def reject_beat(result: AnalysisResult, index: int, *, who: str, reason: str) -> AnalysisResult:
    """Let a beat not count.

    Raises:
        QueryError: there is no such beat, or nobody is named.
    """
    return _decided(result, index, "rejected", who, reason)


def find_beats_again(result: AnalysisResult, *, who: str, reason: str) -> AnalysisResult:
    """Forget all changes to the beats and search them in the tracks as they are now.

    Raises:
        QueryError: nobody is named.
    """
    old = [{**_frames(beat), "decision": beat.get("decision")} for beat in result.beats]
    return _with_beats(result, [], "beats", old, "searched again", who, reason)


def set_patient(result: AnalysisResult, patient: Patient, *, who: str, reason: str) -> AnalysisResult:
    """Say what is known of the patient.

    Raises:
        QueryError: nobody is named.
    """
    entry = _entry("patient", result.measurements.get("patient"), patient.to_document(), who, reason)
    return measure(result.amended(entry), patient)


def set_view(result: AnalysisResult, plax: bool, *, who: str, reason: str) -> AnalysisResult:
    """Say whether the clip is a parasternal long axis, which overrules the software's doubt.

    Raises:
        QueryError: nobody is named.
    """
    view = dict(result.quality.get("view", {}))
    decision = "plax" if plax else "other"
    entry = _entry("view", view.get("decision"), decision, who, reason)
    quality = {**result.quality, "view": {**view, "decision": decision}}
    return measure(result.amended(entry, quality=quality))


def set_scale(
    result: AnalysisResult, spacing_mm: tuple[float, float], source: str, *, who: str, reason: str
) -> AnalysisResult:
    """Give the clip a scale that a person measured; lengths and indices follow.

    Args:
        result: before.
        spacing_mm: ``(sx, sy)`` mm per pixel along x and y.
        source: how it was measured, in words.
        who, reason: for the audit trail.

    Raises:
        QueryError: the scale is not two positive numbers, or nobody is named.
    """
    spacing = (float(spacing_mm[0]), float(spacing_mm[1]))
    if not all(np.isfinite(spacing)) or min(spacing) <= 0:
        raise QueryError("The scale must be two positive numbers, in mm per pixel.")
    entry = _entry("scale", result.clip.spacing_mm, spacing, who, reason)
    clip = replace(result.clip, spacing_mm=spacing, spacing_source=source)
    return measure(result.amended(entry, clip=clip))


def mark_reviewed(result: AnalysisResult, *, who: str, reason: str = "") -> AnalysisResult:
    """Write into the audit trail that a person has looked at the result and stands for it.

    Later changes keep it; a new analysis of the clip ends it.

    Raises:
        QueryError: nobody is named.
    """
    return result.amended(_entry(_REVIEW, is_reviewed(result), True, who, reason))


def is_reviewed(result: AnalysisResult) -> bool:
    """Tell whether a person has reviewed the result since the clip was last analysed."""
    what = [entry.what for entry in result.audit]
    return _REVIEW in what and ANALYSIS not in what[len(what) - what[::-1].index(_REVIEW) :]


def _tracked_again(
    result: AnalysisResult,
    session: Retrackable,
    anchors: tuple[Anchor, ...],
    frame: int,
    who: str,
    reason: str,
) -> AnalysisResult:
    if session.header.source != result.clip.source or session.header.frame_count != result.clip.frame_count:
        raise ResultError(f"{session.header.source} is open, but the result is of {result.clip.source}.")
    if dict(session.backend.models) != dict(result.models):
        raise ResultError(
            f"The result of {result.clip.source} was made with other weights; analyse the clip again."
        )
    mode: str | int = result.reference_mode
    mode = mode if mode in REFERENCE_MODES and mode != _RANDOM else result.reference_frame
    automatic = result.points_px if result.automatic_px is None else result.automatic_px
    query = None
    if result.reference_mode == "query":
        query = (result.reference_frame, automatic[result.reference_frame])
    tracking = session.track(anchors, query=query, reference=mode, iterations=result.iterations)
    what = f"landmarks of frame {frame}"
    entry = _entry(what, _landmarks(result, frame), None, who, reason)
    moved = replace(
        result,
        points_px=tracking.points_px,
        confidence=tracking.confidence,
        anchors=tracking.anchors,
        automatic_px=automatic if anchors else None,
    )
    return measure(moved.amended(replace(entry, new=_landmarks(moved, frame))))


def _landmarks(result: AnalysisResult, frame: int) -> dict[str, Any]:
    """Points of a frame, and those of them that a person set, as plain data."""
    anchor = next((a for a in result.anchors if a.frame == frame), None)
    return {
        "points_px": plain(result.points_px[frame]),
        "set": None if anchor is None else plain(anchor.points_px),
    }


def _beat(result: AnalysisResult, index: int) -> Mapping[str, Any]:
    if not 0 <= index < len(result.beats):
        raise QueryError(f"{result.clip.source} has {len(result.beats)} beats; there is no beat {index}.")
    return result.beats[index]


def _frames(beat: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{name}_{what}": beat[f"{name}_{what}"] for name in _EVENTS for what in ("frame", "source")}


def _move(result: AnalysisResult, beat: dict[str, Any], name: str, frame: int, source: str) -> None:
    """Set one event of `beat` (ours to edit), and keep it as the software found it."""
    if not 0 <= frame < result.clip.frame_count:
        raise QueryError(
            f"{result.clip.source} has frames 0 to {result.clip.frame_count - 1}; "
            f"frame {frame} is not one of them."
        )
    beat["automatic"] = beat["automatic"] or _frames(beat)
    beat[f"{name}_frame"] = int(frame)
    beat[f"{name}_time_s"] = round(float(result.clip.frame_times_s[frame]), 6)
    beat[f"{name}_source"] = source


def _check_order(result: AnalysisResult, beats: Sequence[Mapping[str, Any]]) -> None:
    """Refuse beats whose events are out of order, or that overlap."""
    last = -1
    for beat in beats:
        inner = [beat["ed_frame"], beat["es_frame"], beat["next_ed_frame"]]
        frames = [frame for frame in inner if frame is not None]
        if beat["next_ed_frame"] is None:
            frames.sort()  # of half a beat end-systole may come first
        if frames != sorted(set(frames)):
            raise QueryError(
                f"The frames {', '.join(map(str, frames))} of a beat of {result.clip.source} must be in the order "
                "end-diastole, end-systole, next end-diastole."
            )
        if frames[0] < last:
            raise QueryError(f"A beat of {result.clip.source} would overlap the one before it.")
        last = frames[-1]


def _decided(result: AnalysisResult, index: int, decision: str, who: str, reason: str) -> AnalysisResult:
    old = _beat(result, index)
    beats = [dict(beat) for beat in result.beats]
    beats[index]["decision"] = decision
    before = {"accepted": old["accepted"], "decision": old["decision"]}
    after = {"accepted": decision == "accepted", "decision": decision}
    return _with_beats(result, beats, f"beat {index}", before, after, who, reason)


def _with_beats(
    result: AnalysisResult,
    beats: Sequence[Mapping[str, Any]],
    what: str,
    old: Any,
    new: Any,
    who: str,
    reason: str,
) -> AnalysisResult:
    return measure(result.amended(_entry(what, old, new, who, reason), beats=tuple(beats)))


def _entry(what: str, old: Any, new: Any, who: str, reason: str) -> AuditEntry:
    if not who.strip():
        raise QueryError("A change needs the name of who makes it.")
    return AuditEntry(who=who, when=utc_now(), what=what, old=plain(old), new=plain(new), reason=reason)
