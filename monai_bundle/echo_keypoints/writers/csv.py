"""``curves.csv``, ``beats.csv`` and ``clip.csv``: one row a frame, a beat, a clip, for spreadsheets and scripts.

Every column is always there; what is unknown or not measurable is an empty cell. Lengths are in mm unless the column
says px, times in s or ms as it says.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from echo_keypoints.anatomy import LANDMARK_NAMES, SEGMENT_NAMES
from echo_keypoints.biomarkers.indices import INDICES, Index
from echo_keypoints.results import AnalysisResult, atomic_path

COLUMNS = (
    "frame",
    "time_s",
    *(f"{name}_{axis}_px" for name in LANDMARK_NAMES for axis in "xy"),
    *(f"{name}_confidence" for name in LANDMARK_NAMES),
    *(f"{name}_px" for name in SEGMENT_NAMES),
    *(f"{name}_mm" for name in SEGMENT_NAMES),
    *(f"{name}_smooth" for name in SEGMENT_NAMES),
    "beat",
    "event",
)
"""Of ``curves.csv``. ``_smooth`` is in mm, or px where the scale is unknown; ``event`` is ED or ES."""

_FORMULA = re.compile(r"[=+@\t\r]|-(?![0-9.]+(e[-+]?[0-9]+)?$)")

BEAT_FIELDS = (
    "index",
    *(f"{event}_{what}" for event in ("ed", "es", "next_ed") for what in ("frame", "time_s", "source")),
    *("rr_ms", "complete", "accepted", "decision", "confidence", "reasons", "warnings"),
)
"""Of ``beats.csv``, before the indices."""

_PATIENT_FIELDS = ("sex", "height_cm", "weight_kg", "age_years", "bsa_dubois_m2", "bsa_mosteller_m2")
CLIP_FIELDS = (
    *("source", "sha256", "frame_count", "frames_per_s", "spacing_x_mm", "spacing_y_mm"),
    *("software", "created_utc", "heart_rate_bpm", "rhythm_note"),
    *("beats", "beats_accepted", "quality_grade", "quality_reasons", "view", "view_score"),
    *_PATIENT_FIELDS,
    *("geometry", "geometry_borderline"),
)
"""Of ``clip.csv``, before the indices."""


def write_csv(result: AnalysisResult, path: Path) -> None:
    """Write tracks, confidence, lengths and events of every frame.

    Raises:
        OSError: the folder cannot be written to.
    """
    lengths = [result.lengths[name] for name in SEGMENT_NAMES]
    smooth = result.measurements.get("curves", {})
    events = _events(result)
    rows = []
    for frame, time_s in enumerate(result.clip.frame_times_s):
        values = [
            *result.points_px[frame].ravel(),
            *result.confidence[frame],
            *(length.px[frame] for length in lengths),
            *(None if length.mm is None else length.mm[frame] for length in lengths),
            *((smooth.get(name) or [None] * (frame + 1))[frame] for name in SEGMENT_NAMES),
        ]
        moment = f"{time_s:.6f}" if result.clip.times_known else ""
        rows.append([frame, moment, *map(_decimal, values), *events.get(frame, ("", ""))])
    _write(path, COLUMNS, rows)


def write_beats_csv(result: AnalysisResult, path: Path) -> None:
    """Write the events, decisions and indices of every beat, also of those that do not count.

    Raises:
        OSError: the folder cannot be written to.
    """
    header = [*BEAT_FIELDS, *map(_titled, INDICES)]
    untold = () if result.clip.times_known else [name for name in BEAT_FIELDS if name.endswith("_time_s")]
    rows = [
        [
            *("" if name in untold else _cell(beat[name]) for name in BEAT_FIELDS),
            *(_number(beat["indices"].get(i.name)) for i in INDICES),
        ]
        for beat in result.beats
    ]
    _write(path, header, rows)


def write_clip_csv(result: AnalysisResult, path: Path) -> None:
    """Write one wide row: facts, quality, and of every index the mean, the standard deviation and the beats.

    Raises:
        OSError: the folder cannot be written to.
    """
    write_clips_csv([result], path)


def write_clips_csv(results: Iterable[AnalysisResult], path: Path) -> None:
    """Write one wide row for each of many clips; the columns are those of `write_clip_csv`.

    Raises:
        OSError: the folder cannot be written to.
    """
    _write(path, _clip_header(), map(_clip_row, results))


def clip_facts(result: AnalysisResult) -> dict[str, str]:
    """Give the row of ``clip.csv`` by its columns."""
    return dict(zip(_clip_header(), _clip_row(result), strict=True))


def _clip_header() -> list[str]:
    header = [*CLIP_FIELDS]
    for index in INDICES:
        header += [_titled(index), f"{index.name}_sd", f"{index.name}_n", f"{index.name}_missing"]
    return header


def _clip_row(result: AnalysisResult) -> list[str]:
    found, quality, clip = result.measurements, result.quality, result.clip
    view, shape = quality.get("view", {}), found.get("geometry") or {}
    span = float(clip.frame_times_s[-1] - clip.frame_times_s[0])
    rate = (clip.frame_count - 1) / span if span > 0 and clip.times_known else None
    facts: list[Any] = [
        *(clip.source, result.clip_sha256, clip.frame_count, rate, *(clip.spacing_mm or (None, None))),
        *(result.software, result.created_utc, found.get("heart_rate_bpm"), found.get("rhythm_note")),
        *(len(result.beats), sum(beat["accepted"] for beat in result.beats)),
        *(quality.get("grade"), quality.get("reasons"), view.get("decision") or view.get("verdict")),
        view.get("score"),
        *(found.get("patient", {}).get(name) for name in _PATIENT_FIELDS),
        *(shape.get("class"), shape.get("borderline")),
    ]
    row = [_cell(fact) for fact in facts]
    for index in INDICES:
        entry = found.get("indices", {}).get(index.name, {})
        row += [_number(entry.get("value")), _number(entry.get("sd")), _cell(entry.get("n"))]
        row.append(_cell(found.get("missing", {}).get(index.name)))
    return row


def _events(result: AnalysisResult) -> dict[int, tuple[str, str]]:
    """Give the beat and the event of the frames that have one; a beat's end is named where no other one starts."""
    events: dict[int, tuple[str, str]] = {}
    for name, event in (("ed", "ED"), ("es", "ES"), ("next_ed", "ED")):
        for beat in result.beats:
            if beat[f"{name}_frame"] is not None:
                events.setdefault(int(beat[f"{name}_frame"]), (str(beat["index"]), event))
    return events


def _titled(index: Index) -> str:
    return index.name if index.unit == "1" else f"{index.name} ({index.unit})"


def _decimal(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.4f}"


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.6g}"


def _cell(value: Any) -> str:
    """Give a fact as text; sentences of a list are joined."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _number(value)
    return disarmed("; ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value))


def disarmed(text: str) -> str:
    """Give text that a spreadsheet does not take for a formula, whatever a file is called."""
    return f"'{text}" if _FORMULA.match(text) else text


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with atomic_path(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
