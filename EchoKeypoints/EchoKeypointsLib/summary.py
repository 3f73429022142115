"""What the engine measured, as rows of text for tables: measurements with ranges, beats, doubtful frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from echo_keypoints.anatomy import SEGMENTS
from echo_keypoints.results import AnalysisResult
from EchoKeypointsLib.looks import LOW_CONFIDENCE

MEASUREMENT_COLUMNS = ("Index", "Value", "Reference", "Beats", "Measurement", "Note")
"""What is read first comes first: a panel is narrow."""


def measurement_rows(result: AnalysisResult) -> list[tuple[str, ...]]:
    """Give one row a measurement, `MEASUREMENT_COLUMNS`; what is not measurable comes last, with its reason."""
    measured = result.measurements.get("indices", {})
    rows = [_row(name, index) for name, index in measured.items()]
    missing = result.measurements.get("missing", {})
    return rows + [(name, "–", "", "", "", str(reason)) for name, reason in missing.items()]


def beat_rows(result: AnalysisResult) -> list[str]:
    """Give one line a beat: its number, frames of ED and ES, and whether it counts."""
    rows = []
    for beat in result.beats:
        es = "–" if beat["es_frame"] is None else str(beat["es_frame"])
        state = "counts" if beat["accepted"] else "rejected: " + "; ".join(map(str, beat["reasons"]))
        rows.append(f"Beat {beat['index'] + 1}: ED {beat['ed_frame']}, ES {es}; {state}")
    return rows


@dataclass(frozen=True)
class Marks:
    """Frames to be marked on the curves, each list ascending."""

    ed: tuple[int, ...]
    es: tuple[int, ...]
    corrected: tuple[int, ...]


def marks_of(result: AnalysisResult) -> Marks:
    """Find ED and ES of all beats, and the frames that a person corrected."""
    ed = {beat["ed_frame"] for beat in result.beats} | {
        beat["next_ed_frame"] for beat in result.beats if beat["next_ed_frame"] is not None
    }
    es = {beat["es_frame"] for beat in result.beats if beat["es_frame"] is not None}
    corrected = {anchor.frame for anchor in result.anchors}
    return Marks(tuple(sorted(ed)), tuple(sorted(es)), tuple(sorted(corrected)))


def doubtful_frames(result: AnalysisResult) -> np.ndarray:
    """Give the frames on which any landmark is missing, or more likely wrong than right; ``(N,)`` ascending."""
    low = result.confidence < LOW_CONFIDENCE
    missing = np.isnan(result.points_px).any(axis=2)
    return np.flatnonzero((low | missing).any(axis=1))


def segment_confidence(result: AnalysisResult) -> dict[str, np.ndarray]:
    """Give the confidence ``(T,)`` of each length: that of its less certain end."""
    return {s.name: result.confidence[:, [s.start, s.end]].min(axis=1) for s in SEGMENTS}


def shown_lengths(result: AnalysisResult) -> tuple[dict[str, np.ndarray], str]:
    """Give the three lengths over time as the curves show them, and their unit (mm or px).

    Smoothed by the engine where it did, else as tracked.
    """
    unit = "px" if result.clip.spacing_mm is None else "mm"
    smooth = result.measurements.get("curves") or {}
    lengths = {}
    for name, raw in result.lengths.items():
        values = smooth.get(name)
        lengths[name] = getattr(raw, unit) if values is None else np.array(values, np.float64)
    return lengths, unit


def _row(name: str, index: Mapping[str, Any]) -> tuple[str, ...]:
    flags = index.get("flags") or []
    return (
        name,
        _value(index),
        "; ".join(map(_grade, flags)),
        str(index["n"]),
        str(index["label"]),
        str(index.get("note") or ""),
    )


def _value(index: Mapping[str, Any]) -> str:
    """Value, spread over beats where there are several, and unit."""
    if index["value"] is None:
        return "–"
    value, sd, unit = f"{index['value']:.4g}", index.get("sd"), str(index["unit"])
    return " ".join(filter(None, (value, "" if sd is None else f"± {sd:.2g}", unit)))


def _grade(flag: Mapping[str, Any]) -> str:
    """Grade, the table that it is from, and the range there."""
    low, high = flag.get("low"), flag.get("high")
    if low is not None and high is not None:
        span = f": {low:g} to {high:g}"
    elif high is not None:
        span = f": up to {high:g}"
    else:
        span = "" if low is None else f": from {low:g}"
    return f"{flag['grade']} ({flag['table']}{span})"
