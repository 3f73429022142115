"""``summary.csv``: one wide row for every clip of a batch, finished or not."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from echo_keypoints.batch.worklist import Entry
from echo_keypoints.results import atomic_path
from echo_keypoints.writers.csv import disarmed

SUMMARY_NAME = "summary.csv"
_COLUMNS = ("path", "state", "reason", "folder", "seconds", "changed_utc")


def write_summary(entries: Iterable[Entry], path: Path) -> None:
    """Write state and facts of every clip; the columns after the state's are those of ``clip.csv``.

    Raises:
        OSError: the folder cannot be written to.
    """
    rows = [{name: getattr(entry, name) for name in _COLUMNS} | entry.summary for entry in entries]
    columns = list(dict.fromkeys([*_COLUMNS, *(key for row in rows for key in row)]))
    with atomic_path(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.6g}"
    return disarmed(value) if isinstance(value, str) else value
