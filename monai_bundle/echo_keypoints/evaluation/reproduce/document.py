"""Tables inside a document, written from the JSON of the reports: nobody copies numbers by hand.

In the Markdown, a table stands between two comments, of which the first says where it comes from and what it shows::

    <!-- table: table1_phantoms delta_avg_percent mae_sum_px -->
    …
    <!-- /table -->

A ``+`` in a key stands for a space: ``heart+failure+auc``.

``python -m echo_keypoints.evaluation.reproduce.document DOCUMENT FOLDER`` writes all of them anew.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from echo_keypoints.errors import EchoKeypointsError, ResultError
from echo_keypoints.evaluation.reproduce.report import grid
from echo_keypoints.results.files import atomic_path

_BLOCK = re.compile(
    r"(<!-- table: (?P<name>\S+)(?P<keys>[^>]*?) -->\n).*?(?P<end><!-- /table -->)", re.DOTALL
)


def fill_document(document: Path, folder: Path) -> list[str]:
    """Write the tables of a document anew; those whose report is not in the folder stay.

    Args:
        document: Markdown with the comments of this module.
        folder: with ``NAME.json`` of `report.write_report`.

    Returns:
        Names of the tables that were written.

    Raises:
        ResultError: the document or a report cannot be read or written, or has not what is asked for.
    """
    written = []

    def table(block: re.Match[str]) -> str:
        path = folder / f"{block['name']}.json"
        if not path.is_file():
            return block[0]
        written.append(block["name"])
        return f"{block[1]}{_table(_read(path), block['keys'].split())}\n{block['end']}"

    try:
        old = document.read_text(encoding="utf-8")
        new = _BLOCK.sub(table, old)
        if new != old:
            with atomic_path(document) as part:
                part.write_text(new, encoding="utf-8")
    except OSError as error:
        raise ResultError(
            f"{document.name} cannot be read or written ({error.strerror or error})."
        ) from error
    return written


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ResultError(f"{path.name} is not a report.") from error
    return content


def _table(report: dict[str, Any], keys: Sequence[str]) -> str:
    """Title and rows: the mean of every key with its 95 % interval."""
    try:
        headings = {column["key"]: column["heading"] for column in report["columns"]}
        wanted = [key.replace("+", " ") for key in keys] or list(headings)
        rows = [[row["title"], *(_cell(row["metrics"].get(key)) for key in wanted)] for row in report["rows"]]
        return f"*{report['title']}*\n\n{grid(['', *(headings[key] for key in wanted)], rows)}"
    except KeyError as error:
        raise ResultError(f"The report {report.get('name', '')} has no {error.args[0]}.") from error


def _cell(value: dict[str, float | None] | None) -> str:
    if value is None or value["mean"] is None:
        return "–"
    interval = "" if value["low"] is None else f" [{value['low']:.2f}, {value['high']:.2f}]"
    return f"{value['mean']:.2f}{interval}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill a document from the command line."""
    parser = argparse.ArgumentParser(description="Write the tables of a document anew from JSON reports.")
    parser.add_argument("document", type=Path, help="Markdown with <!-- table: NAME KEYS --> comments")
    parser.add_argument("folder", type=Path, help="folder of the reports")
    options = parser.parse_args(arguments)
    try:
        print("\n".join(fill_document(options.document, options.folder)))
    except EchoKeypointsError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
