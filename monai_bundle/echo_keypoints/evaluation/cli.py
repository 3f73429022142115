"""``echo-keypoints evaluate``: one command, one report."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from echo_keypoints.errors import EchoKeypointsError, ModelError
from echo_keypoints.evaluation.cases import Case
from echo_keypoints.evaluation.datasets import find_datasets
from echo_keypoints.evaluation.overlay import save_contact_sheet
from echo_keypoints.evaluation.peers.engine import Engine
from echo_keypoints.evaluation.peers.registry import TRACKERS, choose
from echo_keypoints.evaluation.run import Comparison, Run, evaluate
from echo_keypoints.evaluation.tables import make_tables, to_json, to_markdown
from echo_keypoints.tracking import load_backend

DATA_VARIABLE = "ECHO_KEYPOINTS_DATA"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``evaluate``."""
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get(DATA_VARIABLE),
        metavar="DIR",
        help=f"folder with phantom_physics/ and plax/annotations.json (default: ${DATA_VARIABLE}, else none)",
    )
    parser.add_argument(
        "--phantoms", type=int, default=20, metavar="N", help="fresh phantom clips (default: 20; 0 for none)"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write every number to this JSON file")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the tables to this Markdown file"
    )
    parser.add_argument(
        "--overlays",
        type=Path,
        metavar="DIR",
        help="write a contact sheet of every clip (they show the clips: keep them as safe)",
    )
    parser.add_argument(
        "--trackers", nargs="+", metavar="NAME", help=f"only these, of: {', '.join(TRACKERS)}"
    )
    parser.add_argument("--backend", choices=("onnx", "torch"), default="onnx", help="engine of our networks")
    parser.add_argument(
        "--models", type=Path, metavar="DIR", help="folder of our weights (default: the shipped)"
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate and print the report.

    Args:
        args: the options of `add_arguments`.

    Returns:
        0.

    Raises:
        EchoKeypointsError: an option makes no sense, or weights that were asked for are missing.
    """
    if args.phantoms < 0:
        raise EchoKeypointsError("The number of phantoms cannot be negative.")
    folder = None if args.data is None else Path(args.data)
    if folder is not None and not folder.is_dir():
        raise EchoKeypointsError(f"The data folder {folder.name} does not exist.")
    entries = choose(args.trackers)
    datasets, notes = find_datasets(args.phantoms, folder)
    engine = Engine(lambda: load_backend(args.backend, args.models))
    try:
        models = dict(engine.backend.models)
    except ModelError as error:
        if args.trackers and any(entry.ours for entry in entries.values()):
            raise
        entries = {name: entry for name, entry in entries.items() if not entry.ours}
        models = {}
        notes.append(
            f"Only peers from true points were evaluated, nothing of ours and nothing end to end: {error}"
        )
    comparison = Comparison(entries, engine, end_to_end=bool(models))
    with tqdm(total=sum(len(d.cases) for d in datasets), unit="clip", desc="evaluate") as bar:
        runs, skipped = evaluate(datasets, comparison, _sheets(args.overlays), bar.update)
    engine.close()
    notes += skipped
    tables = make_tables(runs, datasets, {name: entry.title for name, entry in entries.items()})
    markdown = to_markdown(tables, notes)
    print(markdown)
    if args.markdown:
        args.markdown.write_text(markdown, encoding="utf-8")
    if args.output:
        report = to_json(tables, runs, notes, models)
        args.output.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def _sheets(folder: Path | None) -> Callable[[Case, list[Run]], None] | None:
    if folder is None:
        return None

    def look(case: Case, runs: list[Run]) -> None:
        for start in dict.fromkeys(run.start for run in runs):
            tracks = {
                run.tracker: run.points
                for run in runs
                if run.start == start and len(run.points) == len(case.video)
            }
            name = f"{runs[0].dataset}_{case.name}_{start.replace(' ', '_')}.png"
            save_contact_sheet(case, tracks, folder / name)

    return look
