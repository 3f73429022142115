"""Which beats to trust. Every rejection has its reason in words, and a person can overrule each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.biomarkers.beats import CLIP_END, Beat
from echo_keypoints.biomarkers.indices import Missing, Quantity
from echo_keypoints.biomarkers.motion import (
    FAIL_ANGLE_DEG,
    WARN_ANGLE_DEG,
    bend_deg,
    common_shift,
    steps_between,
)

PLAUSIBLE_MM = {"IVSd": (3.0, 35.0), "LVPWd": (3.0, 35.0), "LVIDd": (15.0, 95.0)}
"""Lengths outside these are not those of a heart that was measured well."""

WARN_CONFIDENCE, FAIL_CONFIDENCE = 0.5, 0.1
"""Of the worst landmark, on average over the beat. Below the second one a beat is rejected."""

JUMP_MM, JUMP_MM_S = 5.0, 150.0
"""Across its wall a landmark does not move further between two frames (or, at less than 30 a second, faster)."""

SLIP = 2.0
"""Along its wall it may move this many times further before it is warned of."""

WARN_SHIFT_MM, FAIL_SHIFT_MM = 5.0, 10.0
"""Common motion of all landmarks from one end-diastole to the next: the probe or the patient moved."""

ECTOPIC, IRREGULAR_SHARE = 0.20, 0.4
"""A beat so far off the median length is rejected, unless so many of the beats are: then the rhythm is irregular."""

_TRUNCATED = "the clip ends before the next end-diastole"


@dataclass(frozen=True)
class Verdict:
    """Why a beat should not count (empty: it should), what to mind, and how sure its landmarks are."""

    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    confidence: float | None


@dataclass(frozen=True, eq=False)
class Tracks:
    """The tracks of a clip.

    Attributes:
        times_s: ``(T,)``.
        points: ``(T, 4, 2)`` in mm or, where the scale is unknown, px.
        confidence: ``(T, 4)``.
        in_mm: which of the two.
    """

    times_s: NDArray[np.float64]
    points: NDArray[np.float64]
    confidence: NDArray[np.float64]
    in_mm: bool


def judge(tracks: Tracks, beat: Beat, quantities: Mapping[str, Quantity]) -> Verdict:
    """Judge one beat by itself.

    Args:
        tracks: of the clip.
        beat: the beat.
        quantities: of the beat, with its indices.
    """
    reasons: list[str] = []
    warnings: list[str] = []
    _judge_lengths(quantities, reasons)
    _judge_angles(tracks, beat, reasons, warnings)
    confidence = _judge_confidence(tracks, beat, reasons, warnings)
    if tracks.in_mm:
        _judge_motion(tracks, beat, reasons, warnings)
    if beat.es is not None and beat.es.frame < beat.ed.frame:
        warnings.append("the end-systole is of the beat before this end-diastole")
    if beat.es is not None and beat.es.source == CLIP_END:
        warnings.append("the clip ends while the cavity still shrinks: LVIDs may be smaller, FS larger")
    return Verdict(tuple(reasons), tuple(warnings), confidence)


def judge_rhythm(beats: Sequence[Beat]) -> tuple[list[list[str]], str | None]:
    """Find beats that are far off the median length.

    Returns:
        Reasons for each beat, and a note on the rhythm or None.
    """
    reasons: list[list[str]] = [[] for _ in beats]
    lengths = np.array([np.nan if beat.rr_s is None else beat.rr_s for beat in beats])
    known = lengths[np.isfinite(lengths)]
    note = None
    if len(known) >= 3:
        off = np.abs(lengths / np.median(known) - 1) > ECTOPIC
        if off.sum() >= IRREGULAR_SHARE * len(known):
            low, high = known.min() * 1000, known.max() * 1000
            note = (
                f"irregular rhythm (beats of {low:.0f} to {high:.0f} ms): no beat is rejected for its length; "
                "average at least 5 beats"
            )
        else:
            for index in np.flatnonzero(off):
                percent = 100 * (lengths[index] / np.median(known) - 1)
                reasons[int(index)].append(f"its length is {percent:+.0f} % off the median beat")
    elif len(known) == 2 and max(known) / min(known) - 1 > ECTOPIC:
        note = "two beats of different length: the rhythm cannot be judged"
    return reasons, note


def reject_cut(beats: Sequence[Beat], verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Let cut beats not count where a whole one does; where none does, they are better than nothing."""
    if not any(b.next_ed and not verdict.reasons for b, verdict in zip(beats, verdicts, strict=True)):
        return list(verdicts)
    return [
        verdict if beat.next_ed else replace(verdict, reasons=(*verdict.reasons, _TRUNCATED))
        for beat, verdict in zip(beats, verdicts, strict=True)
    ]


def _judge_lengths(quantities: Mapping[str, Quantity], reasons: list[str]) -> None:
    for moment in "ds":
        lacking = [q for q in (quantities[f"{n}{moment}_raw"] for n in ("IVS", "LVID", "LVPW"))
                   if isinstance(q, Missing)]  # fmt: skip
        reasons += [f"{lacking[0].reason}"] if lacking else []
    shortening = quantities["FS"]
    if not isinstance(shortening, Missing) and shortening <= 0:
        reasons.append("the cavity is not smaller at end-systole than at end-diastole")
    for name, (low, high) in PLAUSIBLE_MM.items():
        value = quantities[name]
        if not isinstance(value, Missing) and not low <= value <= high:
            reasons.append(f"{name} of {value:.1f} mm is outside {low:g} to {high:g} mm")


def _judge_angles(tracks: Tracks, beat: Beat, reasons: list[str], warnings: list[str]) -> None:
    frames = [event.frame for event in (beat.ed, beat.es) if event is not None]
    bends = bend_deg(tracks.points[frames])
    worst = float(np.nanmax(bends)) if np.isfinite(bends).any() else 0.0
    text = f"the three segments bend by {worst:.0f}° at end-diastole or end-systole"
    if worst > FAIL_ANGLE_DEG:
        reasons.append(f"{text}, more than {FAIL_ANGLE_DEG:g}°: off axis")
    elif worst > WARN_ANGLE_DEG:
        warnings.append(f"{text}: perhaps off axis")


def _judge_confidence(tracks: Tracks, beat: Beat, reasons: list[str], warnings: list[str]) -> float | None:
    values = tracks.confidence[_run(beat)]
    if not np.isfinite(values).any(axis=0).all():
        return None
    confidence = float(np.nanmean(values, axis=0).min())
    if confidence < FAIL_CONFIDENCE:
        reasons.append(f"a landmark's confidence is {confidence:.2f} on average")
    elif confidence < WARN_CONFIDENCE:
        warnings.append(f"a landmark's confidence is only {confidence:.2f} on average")
    return confidence


def _judge_motion(tracks: Tracks, beat: Beat, reasons: list[str], warnings: list[str]) -> None:
    run = _run(beat)
    across, along = steps_between(tracks.points[run])
    limit = np.maximum(JUMP_MM, JUMP_MM_S * np.diff(tracks.times_s[run]))[:, None]
    if (across > limit).any():
        reasons.append(
            f"a landmark jumps across its wall by {np.nanmax(across):.1f} mm from one frame to the next"
        )
    if (along > SLIP * limit).any():
        warnings.append(
            f"a landmark slips along its wall by {np.nanmax(along):.1f} mm from one frame to the next"
        )
    if beat.next_ed is None:
        return
    shift = common_shift(tracks.points, beat.ed.frame, beat.next_ed.frame)
    text = f"all landmarks together move by {shift:.1f} mm from one end-diastole to the next"
    if shift > FAIL_SHIFT_MM:
        reasons.append(f"{text}: the probe or the patient moved")
    elif shift > WARN_SHIFT_MM:
        warnings.append(text)


def _run(beat: Beat) -> slice:
    """The frames from the first to the last event of a beat."""
    frames = [event.frame for event in (beat.ed, beat.es, beat.next_ed) if event is not None]
    return slice(min(frames), max(frames) + 1)
