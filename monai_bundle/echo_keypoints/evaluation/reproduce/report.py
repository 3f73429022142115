"""A table of an experiment: Markdown to read, CSV and JSON to compute with, the paper's numbers beside ours."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from echo_keypoints._version import __version__
from echo_keypoints.evaluation.statistics import Estimate
from echo_keypoints.results.files import atomic_path

RESEARCH_USE = "For research use only."


@dataclass(frozen=True)
class Column:
    """One metric: its key, its heading, and whether more is better."""

    key: str
    heading: str
    higher: bool = False


@dataclass(frozen=True)
class Line:
    """One row: its title, its estimates by key, and the row of the paper that it stands beside (None for none)."""

    title: str
    values: Mapping[str, Estimate]
    paper: str | None = None


@dataclass(frozen=True)
class Report:
    """One table.

    Attributes:
        name: of its files.
        title: heading; says what the clips are.
        columns, lines: the table.
        paper: rows of the paper: title → values in the order of `paper_columns`.
        paper_columns: keys of `columns` that the paper has, too.
        notes: what a reader must know.
        settings: how it was made.
    """

    name: str
    title: str
    columns: Sequence[Column]
    lines: Sequence[Line]
    paper: Mapping[str, Sequence[float]] = field(default_factory=dict)
    paper_columns: Sequence[str] = ()
    notes: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write ``NAME.md``, ``NAME.csv`` and ``NAME.json``.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{report.name}{ending}" for ending in (".md", ".csv", ".json")]
    with atomic_path(paths[0]) as part:
        part.write_text(to_markdown(report), encoding="utf-8")
    with atomic_path(paths[1]) as part, part.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(_csv_rows(report))
    with atomic_path(paths[2]) as part:
        part.write_text(json.dumps(_document(report), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return paths


def to_markdown(report: Report) -> str:
    """The table with 95 % intervals; the best value of a column is bold. Below it, the paper's rows."""
    columns = [c for c in report.columns if any(c.key in line.values for line in report.lines)]
    best = {column.key: _best(report, column) for column in columns}
    rows = [
        [line.title, *(_cell(line.values.get(c.key), best[c.key]) for c in columns)] for line in report.lines
    ]
    parts = [f"# {report.title}", grid(["", *(c.heading for c in columns)], rows)]
    if report.paper:
        headings = {column.key: column.heading for column in report.columns}
        shown = [[title, *(f"{value:g}" for value in values)] for title, values in report.paper.items()]
        parts += [
            "The paper, on real clips of its own:",
            grid(["", *(headings[key] for key in report.paper_columns)], shown),
        ]
    parts.append("\n".join(f"- {note}" for note in [*report.notes, RESEARCH_USE]))
    parts.append("Settings: `" + json.dumps(report.settings, ensure_ascii=False, default=str) + "`")
    return "\n\n".join(parts) + "\n"


def grid(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(headings) + " |", "|---" * len(headings) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _best(report: Report, column: Column) -> str | None:
    means = [line.values[column.key].mean for line in report.lines if column.key in line.values]
    means = [mean for mean in means if math.isfinite(mean)]
    return None if len(means) < 2 else f"{(max if column.higher else min)(means):.2f}"


def _cell(value: Estimate | None, best: str | None) -> str:
    if value is None or not math.isfinite(value.mean):
        return "–"
    text = f"{value.mean:.2f}"
    shown = f"**{text}**" if text == best else text
    return shown if not math.isfinite(value.low) else f"{shown} [{value.low:.2f}, {value.high:.2f}]"


def _csv_rows(report: Report) -> list[list[Any]]:
    rows: list[list[Any]] = [["row", "metric", "mean", "low", "high", "n", "paper"]]
    for line in report.lines:
        known = report.paper.get(line.paper or "", ())
        paper = dict(zip(report.paper_columns, known, strict=False))
        rows += [
            [line.title, key, *(_number(x) for x in (e.mean, e.low, e.high)), e.clips, paper.get(key, "")]
            for key, e in line.values.items()
        ]
    return rows


def _document(report: Report) -> dict[str, Any]:
    return {
        "software": {"name": "echo-keypoints", "version": __version__},
        "name": report.name,
        "title": report.title,
        "notes": [*report.notes, RESEARCH_USE],
        "settings": json.loads(json.dumps(report.settings, default=str)),
        "columns": [{"key": column.key, "heading": column.heading} for column in report.columns],
        "rows": [
            {
                "title": line.title,
                "paper_row": line.paper,
                "metrics": {
                    key: {
                        "mean": _number(e.mean),
                        "low": _number(e.low),
                        "high": _number(e.high),
                        "n": e.clips,
                    }
                    for key, e in line.values.items()
                },
            }
            for line in report.lines
        ],
        "paper": {
            "columns": list(report.paper_columns),
            "rows": {k: list(v) for k, v in report.paper.items()},
        },
    }


def _number(value: float) -> float | None:
    return round(value, 5) if math.isfinite(value) else None
