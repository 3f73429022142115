"""How far the measurements of a clip can be trusted: single checks, and one grade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from echo_keypoints.biomarkers.beats import CLIP_END
from echo_keypoints.biomarkers.judgement import FAIL_CONFIDENCE, WARN_CONFIDENCE, Tracks
from echo_keypoints.biomarkers.kinetics import DIMENSION_RATE_HZ, Curves
from echo_keypoints.biomarkers.motion import FAIL_ANGLE_DEG, WARN_ANGLE_DEG, bend_deg
from echo_keypoints.biomarkers.quantities import TIMING_RATE_HZ
from echo_keypoints.biomarkers.view import judge_view
from echo_keypoints.clip import ClipHeader

if TYPE_CHECKING:
    from echo_keypoints.results import AnalysisResult

GOOD_BEATS = 3
"""Accepted beats from which a mean is one (Lang 2015: at least 3 in sinus rhythm, 5 in atrial fibrillation)."""

_WARN_LOST, _FAIL_LOST = 0.02, 0.25
_WARN_RATE, _FAIL_RATE = 0.10, 0.40  # between the file's heart rate and that of the cavity
_GRADES = {"ok": "good", "warn": "adequate", "fail": "poor"}


def assess(
    result: AnalysisResult,
    tracks: Tracks,
    curves: Curves,
    beats: Sequence[Mapping[str, Any]],
    beats_note: str | None,
    heart_rate_bpm: float | None,
    view_decision: str | None = None,
) -> dict[str, Any]:
    """Check a clip.

    Args:
        result: for its facts and what its picture looks like.
        tracks: its tracks.
        curves: its curves.
        beats: its beats, as in the result.
        beats_note: why none was found, or None.
        heart_rate_bpm: by the beats, or None.
        view_decision: ``plax`` or ``other`` where a person said so, else None.

    Returns:
        The result's ``quality``: the grade is that of the worst check, and ``not measurable`` where no beat was
        accepted.
    """
    view = {**judge_view(curves, result.surroundings), "decision": view_decision}
    checks = [
        _view_check(view),
        _scale_check(result.clip),
        _rate_check(curves),
        _confidence_check(tracks),
        _lost_check(tracks),
        _angle_check(tracks),
        _beats_check(beats, beats_note),
        *_systole_check(beats),
        *_rejected_check(beats),
        *_heart_rate_check(heart_rate_bpm, result.clip.metadata.get("heart_rate_bpm")),
    ]
    if result.clip.metadata.get("colour"):
        checks.append(check("colour", "warn", "The clip has colour Doppler, which hides tissue borders."))
    measurable = any(beat["accepted"] for beat in beats)
    worst = max((c["level"] for c in checks), key=("ok", "warn", "fail").index)
    return {
        "grade": _GRADES[worst] if measurable else "not measurable",
        "measurable": measurable,
        "view": view,
        "reasons": [c["text"] for level in ("fail", "warn") for c in checks if c["level"] == level],
        "checks": checks,
    }


def check(
    name: str,
    level: str,
    text: str,
    value: float | None = None,
    unit: str | None = None,
    limit: float | None = None,
) -> dict[str, Any]:
    """Give one check as plain data; `text` is a sentence."""
    rounded = None if value is None or not np.isfinite(value) else round(float(value), 4)
    return {"name": name, "level": level, "value": rounded, "unit": unit, "limit": limit, "text": text}


def _view_check(view: Mapping[str, Any]) -> dict[str, Any]:
    if view["decision"] is not None:
        level, what = ("ok", "is") if view["decision"] == "plax" else ("fail", "is not")
        return check(
            "view", level, f"A person says that the view {what} parasternal long axis.", view["score"], "1"
        )
    if view["verdict"] == "plax":
        return check("view", "ok", "The view looks parasternal long axis.", view["score"], "1")
    return check(
        "view",
        "fail",
        "The view may not be parasternal long axis: look before using any number.",
        view["score"],
        "1",
    )


def _scale_check(clip: ClipHeader) -> dict[str, Any]:
    if clip.spacing_mm is None:
        return check("scale", "warn", "The scale is unknown: ratios only, no length in mm and no mass.")
    return check("scale", "ok", f"The scale is known ({clip.spacing_source}).", max(clip.spacing_mm), "mm/px")


def _rate_check(curves: Curves) -> dict[str, Any]:
    name, rate = "frame rate", curves.rate_hz
    if not curves.times_known:
        return check(name, "warn", "The frame times are unknown: no heart rate, times or velocities.")
    if rate < TIMING_RATE_HZ - 0.5:
        text = f"{rate:.1f} frames a second are too few for times, and end-systole may be missed."
        return check(name, "fail", text, rate, "Hz", TIMING_RATE_HZ)
    if rate < DIMENSION_RATE_HZ - 0.5:
        text = f"At {rate:.1f} frames a second end-diastole and end-systole may be {500 / rate:.0f} ms off."
        return check(name, "warn", text, rate, "Hz", DIMENSION_RATE_HZ)
    return check(name, "ok", f"{rate:.1f} frames a second.", rate, "Hz", DIMENSION_RATE_HZ)


def _confidence_check(tracks: Tracks) -> dict[str, Any]:
    seen = np.isfinite(tracks.confidence).any(axis=0)
    if not seen.all():
        return check("confidence", "warn", "The confidence of a landmark is not known.")
    worst = float(np.nanmean(tracks.confidence, axis=0).min())
    level = "fail" if worst < FAIL_CONFIDENCE else "warn" if worst < WARN_CONFIDENCE else "ok"
    limit = FAIL_CONFIDENCE if level == "fail" else WARN_CONFIDENCE
    return check(
        "confidence",
        level,
        f"The least sure landmark has a mean confidence of {worst:.2f}.",
        worst,
        "1",
        limit,
    )


def _lost_check(tracks: Tracks) -> dict[str, Any]:
    lost = float(np.isnan(tracks.points).any(axis=(1, 2)).mean())
    level = "fail" if lost > _FAIL_LOST else "warn" if lost > _WARN_LOST else "ok"
    return check(
        "lost frames", level, f"A landmark is missing on {lost:.0%} of the frames.", lost, "1", _WARN_LOST
    )


def _angle_check(tracks: Tracks) -> dict[str, Any]:
    bends = bend_deg(tracks.points)
    if np.isnan(bends).all():
        return check(
            "angle", "fail", "The angle between the segments is not measurable.", None, "deg", FAIL_ANGLE_DEG
        )
    bend = float(np.nanmedian(bends))
    level = "fail" if bend > FAIL_ANGLE_DEG else "warn" if bend > WARN_ANGLE_DEG else "ok"
    text = f"The three segments bend by {bend:.0f}° (median)"
    text += "." if level == "ok" else ": the cut is off axis, or a landmark lies wrong."
    return check("angle", level, text, bend, "deg", WARN_ANGLE_DEG if level == "warn" else FAIL_ANGLE_DEG)


def _beats_check(beats: Sequence[Mapping[str, Any]], note: str | None) -> dict[str, Any]:
    accepted = sum(beat["accepted"] for beat in beats)
    name, unit = "beats", "1"
    if not beats:
        return check(name, "fail", f"No beat was found: {note}.", 0, unit, GOOD_BEATS)
    if not accepted:
        return check(name, "fail", f"None of {len(beats)} beats was accepted.", 0, unit, GOOD_BEATS)
    if not any(beat["accepted"] and beat["complete"] for beat in beats):
        return check(
            name, "warn", "No whole beat: lengths of one part of a beat only.", accepted, unit, GOOD_BEATS
        )
    if accepted < GOOD_BEATS:
        plural = "beat was" if accepted == 1 else "beats were"
        return check(name, "warn", f"Only {accepted} {plural} averaged.", accepted, unit, GOOD_BEATS)
    return check(name, "ok", f"{accepted} beats were averaged.", accepted, unit, GOOD_BEATS)


def _systole_check(beats: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Say that end-systole lies beyond the clip; nothing where it does not."""
    if not any(beat["accepted"] and beat["es_source"] == CLIP_END for beat in beats):
        return []
    text = "The clip ends while the cavity still shrinks: LVIDs may be smaller, and FS and EF larger, than given."
    return [check("end-systole", "fail", text)]


def _rejected_check(beats: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Name what was wrong with whole beats that do not count: size, speed, angle, motion of the probe."""
    rejected = [beat for beat in beats if beat["complete"] and not beat["accepted"]]
    if not rejected:
        return []
    reasons = list(dict.fromkeys(reason for beat in rejected for reason in beat["reasons"]))
    text = f"Whole beats that do not count: {len(rejected)} ({'; '.join(reasons) or 'rejected by a person'})."
    return [check("rejected beats", "warn", text, len(rejected), "1", 0)]


def _heart_rate_check(measured: float | None, stated: float | None) -> list[dict[str, Any]]:
    """Compare with the heart rate that the file gives; nothing where either is not known."""
    if measured is None or not stated:
        return []
    off = abs(measured / stated - 1)
    text = f"The cavity beats {measured:g} times a minute; the file gives a heart rate of {stated:g}."
    level = "fail" if off > _FAIL_RATE else "warn" if off > _WARN_RATE else "ok"
    return [check("heart rate", level, text, off, "1", _FAIL_RATE if level == "fail" else _WARN_RATE)]
