"""One clip as one row: what the summary table and the index page show of it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from echo_keypoints.results import AnalysisResult, atomic_path

Row = Mapping[str, Any]


def summary_of(result: AnalysisResult) -> dict[str, Any]:
    """Give plain facts of a result: clip, quality, heart rate, beats, then the mean of every index.

    Keys of indices are ``NAME [unit]`` and ``NAME sd [unit]``; what was not measured is left out.
    """
    clip, measurements = result.clip, result.measurements
    row: dict[str, Any] = {
        "frames": clip.frame_count,
        "mm_per_px_x": None if clip.spacing_mm is None else clip.spacing_mm[0],
        "mm_per_px_y": None if clip.spacing_mm is None else clip.spacing_mm[1],
        "quality": result.quality.get("grade"),
        "view": result.quality.get("view", {}).get("verdict"),
        "heart_rate_bpm": measurements.get("heart_rate_bpm"),
        "beats_accepted": sum(bool(beat["accepted"]) for beat in result.beats),
        "beats_rejected": sum(not beat["accepted"] for beat in result.beats),
    }
    for name, index in measurements.get("indices", {}).items():
        row[f"{name} [{index['unit']}]"] = index["value"]
        if index.get("sd") is not None:
            row[f"{name} sd [{index['unit']}]"] = index["sd"]
    row["software"] = result.software
    return row


def write_summary(rows: Iterable[Row], path: Path) -> None:
    """Write rows as CSV with all columns that any of them has, in order of appearance.

    Raises:
        OSError: the folder cannot be written to.
    """
    rows = list(rows)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with atomic_path(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)


def _cell(value: Any) -> Any:
    """Give a value as a cell; text that a spreadsheet would take for a formula is disarmed."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t"):
        return f"'{value}"
    return "" if value is None else value
