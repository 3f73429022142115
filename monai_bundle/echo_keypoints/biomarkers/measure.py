"""`measure`: from the tracks of a result to its beats, measurements and quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from echo_keypoints.anatomy import SEGMENT_NAMES
from echo_keypoints.biomarkers.beats import Beat, Beats, find_beats
from echo_keypoints.biomarkers.documents import beat_document, beat_of, is_edited
from echo_keypoints.biomarkers.indices import INDICES, Quantity, compute
from echo_keypoints.biomarkers.judgement import Tracks, Verdict, judge, judge_rhythm, reject_cut
from echo_keypoints.biomarkers.kinetics import Curves, inward_motion
from echo_keypoints.biomarkers.patient import Patient
from echo_keypoints.biomarkers.quality import assess
from echo_keypoints.biomarkers.quantities import beat_quantities, timing_gate
from echo_keypoints.biomarkers.references import TABLES, reference_table, why_no_flags
from echo_keypoints.biomarkers.smoothing import smooth
from echo_keypoints.biomarkers.summary import summarise

if TYPE_CHECKING:  # results know lengths; measuring a result needs its type only
    from echo_keypoints.results import AnalysisResult

_POINT_DECIMALS, _TIME_DECIMALS = 5, 7  # of result.json: what is read back gives the same measurements


def measure(
    result: AnalysisResult, patient: Patient | None = None, *, tables: Sequence[str] = TABLES
) -> AnalysisResult:
    """Measure a result: find its beats, compute every index, judge its quality.

    The same result gives the same measurements, however often. Beats that a person changed (`editing`) are kept
    as they are and only measured again; otherwise they are searched anew.

    Args:
        result: tracks and facts of a clip; its `beats`, `measurements` and `quality` are replaced.
        patient: for indexing and grading; by default what the result knows already.
        tables: names of the reference tables (`references.TABLES`).

    Returns:
        The result with `beats`, `measurements` and `quality`; nothing else is changed.
    """
    if patient is None:
        patient = Patient.from_document(result.measurements.get("patient", {}))
    written = _as_written(result)
    tracks, curves = _tracks(written), _curves(written)
    edited = is_edited(result.beats)
    found = Beats(tuple(map(beat_of, result.beats))) if edited else _find(written, curves)
    measured = [compute_beat(written, curves, beat, patient) for beat in found.beats]
    rhythm_reasons, rhythm_note = judge_rhythm(found.beats)
    verdicts = [
        _with(judge(tracks, beat, quantities), reasons)
        for beat, quantities, reasons in zip(found.beats, measured, rhythm_reasons, strict=True)
    ]
    verdicts = reject_cut(found.beats, verdicts)
    earlier: Sequence[Mapping[str, Any]] = result.beats if edited else [{}] * len(measured)
    beats = tuple(
        beat_document(*parts)
        for parts in zip(range(len(measured)), found.beats, verdicts, measured, earlier, strict=True)
    )
    accepted = [quantities for quantities, beat in zip(measured, beats, strict=True) if beat["accepted"]]
    in_mm = result.clip.spacing_mm is not None
    rate = _heart_rate(curves, beats)
    measurements = {
        **summarise(accepted, patient, 1.0 if in_mm else None, tables),
        "heart_rate_bpm": rate,
        "rhythm_note": rhythm_note,
        "beats_note": found.note,
        "flags_note": why_no_flags(patient),
        "patient": patient.to_document(),
        "conventions": _conventions(curves, edited, tables),
        "curves": {
            name: None if np.isnan(curve.values).all() else np.round(curve.values, 4).tolist()
            for name, curve in curves.lengths.items()
        },
    }
    decision = result.quality.get("view", {}).get("decision")
    quality = assess(written, tracks, curves, beats, found.note, rate, decision)
    return replace(result, beats=beats, measurements=measurements, quality=quality)


def compute_beat(result: AnalysisResult, curves: Curves, beat: Beat, patient: Patient) -> dict[str, Quantity]:
    """Give the quantities of a beat together with its indices."""
    quantities = beat_quantities(result.lengths, curves, beat, patient)
    return {**quantities, **compute(quantities)}


def _as_written(result: AnalysisResult) -> AnalysisResult:
    """Round as the file does."""
    times = np.asarray(np.round(result.clip.frame_times_s, _TIME_DECIMALS), np.float64)
    return replace(
        result,
        clip=replace(result.clip, frame_times_s=times),
        points_px=np.round(result.points_px, _POINT_DECIMALS),
        confidence=np.round(result.confidence, _POINT_DECIMALS),
    )


def _curves(result: AnalysisResult) -> Curves:
    header = result.clip
    times = header.frame_times_s
    in_mm = header.spacing_mm is not None
    raw = {name: result.lengths[name].mm if in_mm else result.lengths[name].px for name in SEGMENT_NAMES}
    points = result.points_px * np.asarray(header.spacing_mm or (1.0, 1.0))
    return Curves(
        times_s=times,
        times_known=header.times_known,
        repeated_frames=int(header.metadata.get("repeated_frames", 0)),
        lengths={name: smooth(times, np.asarray(values)) for name, values in raw.items()},
        in_mm=in_mm,
        inward=inward_motion(times, points),
    )


def _tracks(result: AnalysisResult) -> Tracks:
    spacing = result.clip.spacing_mm
    points = result.points_px * np.asarray(spacing or (1.0, 1.0))
    return Tracks(
        np.asarray(result.clip.frame_times_s, np.float64), points, result.confidence, spacing is not None
    )


def _find(result: AnalysisResult, curves: Curves) -> Beats:
    facts = result.clip.metadata
    length = result.lengths["LVID"]
    return find_beats(
        curves.times_s,
        length.px if length.mm is None else length.mm,
        curves.lengths["LVID"],
        r_waves_s=facts.get("r_wave_times_s", ()) if curves.times_known else (),
        rate_hint_bpm=facts.get("heart_rate_bpm") if curves.times_known else None,
    )


def _with(verdict: Verdict, reasons: list[str]) -> Verdict:
    return replace(verdict, reasons=(*verdict.reasons, *reasons))


def _heart_rate(curves: Curves, beats: Sequence[Mapping[str, Any]]) -> float | None:
    """Heart rate by the median length of all whole beats; None where there is none, or no time may be given."""
    lengths = [beat["rr_ms"] for beat in beats if beat["rr_ms"] is not None]
    return None if timing_gate(curves) or not lengths else round(60000 / float(np.median(lengths)), 1)


def _conventions(curves: Curves, edited: bool, tables: Sequence[str]) -> dict[str, Any]:
    return {
        "image_mode": "2D",
        "curve_unit": "mm" if curves.in_mm else "px",
        "length_unit": "mm",
        "smoothing": "local quadratic regression, Gaussian weights of 20 ms or 0.75 frames, whichever is more",
        "lengths": "raw, on the real frames of end-diastole and end-systole",
        "average": "computed per beat, then averaged over accepted beats; sd with n - 1",
        "interval": "value ± 1 standard deviation, from that of single readings "
        "(Howard 2021: IVS 1.8, LVID 3.5, LVPW 1.4 mm)",
        "beats": "set by a person" if edited else "found by the software",
        "reference_tables": [f"{t['id']} (version {t['version']})" for t in map(reference_table, tables)],
        "indices": [index.name for index in INDICES],
    }
