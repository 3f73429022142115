"""From one beat to the quantities that indices are made of, each a number or the reason why it is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping

from echo_keypoints.anatomy import SEGMENT_NAMES
from echo_keypoints.biomarkers.beats import CLIP_END, Beat
from echo_keypoints.biomarkers.indices import Missing, Quantity
from echo_keypoints.biomarkers.kinetics import UNKNOWN_SCALE, UNKNOWN_TIMES, Curves, kinetics
from echo_keypoints.biomarkers.lengths import SegmentLength
from echo_keypoints.biomarkers.patient import Patient

TIMING_RATE_HZ = 20.0
"""Frames a second below which no time is given at all."""


def beat_quantities(
    lengths: Mapping[str, SegmentLength], curves: Curves, beat: Beat, patient: Patient
) -> dict[str, Quantity]:
    """Collect the quantities of one beat.

    Lengths are the raw ones of the real frames at ED and ES, so that each is the length of a calliper that can be
    drawn; times and velocities are of the smoothed curves.
    """
    found = _lengths(lengths, beat)
    found |= _intervals(curves, beat)
    found |= kinetics(curves, beat)
    found |= patient_quantities(patient)
    return found


def patient_quantities(patient: Patient) -> dict[str, Quantity]:
    """Body size, or what of it is not known."""
    unknown = " and ".join(
        name
        for name, value in (("height", patient.height_cm), ("weight", patient.weight_kg))
        if value is None
    )
    size = Missing(f"the patient's {unknown} {'are' if ' and ' in unknown else 'is'} not known")
    height = patient.height_cm
    return {
        "bsa_dubois": patient.bsa_dubois_m2 or size,
        "bsa_mosteller": patient.bsa_mosteller_m2 or size,
        "height_m": Missing("the patient's height is not known") if height is None else height / 100,
    }


def timing_gate(curves: Curves) -> Missing | None:
    """Tell why no time may be given, or None if it may."""
    if not curves.times_known:
        return UNKNOWN_TIMES
    if curves.rate_hz < TIMING_RATE_HZ - 0.5:
        return Missing(
            f"times need {TIMING_RATE_HZ:g} frames a second, and the clip has {curves.rate_hz:.1f}"
        )
    return None


def _lengths(lengths: Mapping[str, SegmentLength], beat: Beat) -> dict[str, Quantity]:
    found: dict[str, Quantity] = {}
    for name in SEGMENT_NAMES:
        for moment, event, title in (("d", beat.ed, "end-diastole"), ("s", beat.es, "end-systole")):
            key, length = f"{name}{moment}", lengths[name]
            if event is None:
                found[f"{key}_raw"] = found[f"{key}_mm"] = Missing(f"the beat has no {title}")
                continue
            raw = float((length.px if length.mm is None else length.mm)[event.frame])
            value: Quantity = raw if math.isfinite(raw) else Missing(f"{name} is not measurable at {title}")
            found[f"{key}_raw"] = value
            found[f"{key}_mm"] = UNKNOWN_SCALE if length.mm is None else value
    return found


def _intervals(curves: Curves, beat: Beat) -> dict[str, Quantity]:
    gate = timing_gate(curves)
    rr: Quantity = Missing("the beat does not end within the clip")
    systole: Quantity = Missing("the beat has no end-systole")
    if beat.rr_s is not None:
        rr = gate or 1000 * beat.rr_s
    if beat.es is not None:
        systole = gate or 1000 * (beat.es.time_s - beat.ed.time_s)
        if not isinstance(systole, Missing) and systole <= 0:
            systole = Missing("the end-systole is of the beat before")
        if beat.es.source == CLIP_END:
            systole = Missing("the clip ends before end-systole")
    return {"RR_ms": rr, "ED_ES_ms": systole}
