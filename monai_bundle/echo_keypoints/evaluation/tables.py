"""From runs to the report: JSON with every number, Markdown tables with those that matter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from echo_keypoints._version import __version__
from echo_keypoints.evaluation.datasets import DataSet
from echo_keypoints.evaluation.run import DETECTED_START, READERS, TRUE_START, Run
from echo_keypoints.evaluation.statistics import Estimate, bootstrap_mean

COLUMNS = {
    "delta_avg_percent": "δ_avg % ↑",
    "mpe_px": "error px",
    "median_px": "median px",
    "across_percent": "across %",
    "along_percent": "along %",
    "lvid_percent": "LVID %",
    "mae_IVS_px": "MAE IVS px",
    "mae_LVID_px": "MAE LVID px",
    "mae_LVPW_px": "MAE LVPW px",
    "mae_sum_px": "MAE sum px",
    "mae_edes_LVID_px": "LVID ED/ES px",
    "sigma_LVID_px": "σ_t LVID px",
    "ave_px": "AVE px",
    "failure_percent": "> 40 px %",
    "mpe_mm": "error mm",
    "mae_LVID_mm": "MAE LVID mm",
}
"""Metrics of the Markdown tables and their headings; JSON has all."""

LEGEND = (
    "px are pixels at 224 × 224; ↑ higher is better, elsewhere lower. Means over clips; 95 % bootstrap "
    "intervals over clips are in the JSON. across/along: part of the error along the measuring line "
    "(SEpP → PEpP) and at right angles to it, in % of the true LVID. σ_t: standard deviation over time of "
    "the length error. AVE: error of the frame-to-frame displacement. From true points at ED that frame is "
    "not scored; end to end every frame is, except in δ_avg, which leaves the reference frame out. End to "
    "end the other trackers start from the software's points in SK-net's reference frame."
)


@dataclass(frozen=True)
class Row:
    """One tracker in one table: an estimate for every metric that all its clips define."""

    tracker: str
    title: str
    metrics: dict[str, Estimate]


@dataclass(frozen=True)
class Table:
    """One data set and one way to start."""

    dataset: str
    title: str
    phantom: bool
    start: str
    rows: tuple[Row, ...]


def make_tables(
    runs: Sequence[Run], datasets: Sequence[DataSet], titles: Mapping[str, str], seed: int = 0
) -> list[Table]:
    """Aggregate runs.

    Args:
        runs: of `run.evaluate`.
        datasets: that were run, in the order wanted.
        titles: tracker → title.
        seed: of the bootstrap.

    Returns:
        The tables that have rows.
    """
    titles = {**titles, **READERS}
    tables = []
    for dataset in datasets:
        for start in (TRUE_START, DETECTED_START):
            mine = [run for run in runs if run.dataset == dataset.name and run.start == start]
            names = dict.fromkeys(run.tracker for run in mine)
            rows = tuple(Row(name, titles[name], estimates(mine, name, seed)) for name in names)
            if rows:
                tables.append(Table(dataset.name, dataset.title, dataset.phantom, start, rows))
    return tables


def estimates(runs: Sequence[Run], tracker: str, seed: int = 0) -> dict[str, Estimate]:
    """Estimate every metric that all clips of a tracker define."""
    scores = [run.scores for run in runs if run.tracker == tracker]
    shared = [name for name in scores[0] if all(name in other for other in scores)]
    return {name: bootstrap_mean([s[name] for s in scores], seed=seed) for name in shared}


def to_markdown(tables: Sequence[Table], notes: Sequence[str]) -> str:
    """Write the report as Markdown; the best value of every column is bold."""
    parts = ["# How good", LEGEND]
    parts += [_table(table) for table in tables]
    if notes:
        parts.append("## Notes\n\n" + "\n".join(f"- {note}" for note in notes))
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    columns = [name for name in COLUMNS if any(name in row.metrics for row in table.rows)]
    lines = [
        f"## {table.title}: {table.start}",
        "",
        "| tracker | " + " | ".join(COLUMNS[name] for name in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    best = {name: _best(table, name) for name in columns}
    for row in table.rows:
        cells = [_cell(row, name, best[name]) for name in columns]
        lines.append(f"| {row.title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _best(table: Table, name: str) -> str | None:
    """The best value as it is printed, if there is a competition; readers do not take part."""
    values = [
        row.metrics[name].mean for row in table.rows if row.tracker not in READERS and name in row.metrics
    ]
    values = [value for value in values if not math.isnan(value)]
    if len(values) < 2:
        return None
    return f"{max(values) if name.startswith('delta') else min(values):.2f}"


def _cell(row: Row, name: str, best: str | None) -> str:
    if name not in row.metrics:
        return "–"
    text = f"{row.metrics[name].mean:.2f}"
    return f"**{text}**" if text == best and row.tracker not in READERS else text


def to_json(
    tables: Sequence[Table], runs: Sequence[Run], notes: Sequence[str], models: Mapping[str, str]
) -> dict[str, Any]:
    """Everything as plain JSON values; numbers that do not exist are null.

    Args:
        tables: aggregated, with intervals.
        runs: one by one, without their points.
        notes: what was left out.
        models: file → sha256 of our weights in use.
    """
    return {
        "software": {"name": "echo-keypoints", "version": __version__},
        "models": {name: {"sha256": digest} for name, digest in models.items()},
        "legend": LEGEND,
        "notes": list(notes),
        "tables": [
            {
                "dataset": table.dataset,
                "title": table.title,
                "phantom": table.phantom,
                "start": table.start,
                "rows": [
                    {"tracker": row.tracker, "title": row.title, "metrics": _plain(row.metrics)}
                    for row in table.rows
                ],
            }
            for table in tables
        ],
        "clips": [
            {
                "dataset": run.dataset,
                "clip": run.case,
                "start": run.start,
                "tracker": run.tracker,
                "query_frame": run.query_frame,
                "metrics": {name: _number(value) for name, value in run.scores.items()},
            }
            for run in runs
        ],
    }


def _plain(metrics: Mapping[str, Estimate]) -> dict[str, dict[str, float | int | None]]:
    return {
        name: {"mean": _number(e.mean), "low": _number(e.low), "high": _number(e.high), "clips": e.clips}
        for name, e in metrics.items()
    }


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
