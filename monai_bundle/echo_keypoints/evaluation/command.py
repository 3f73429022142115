"""One command, one report: find the test sets, run the trackers, print and write the tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from echo_keypoints.errors import EchoKeypointsError, ModelError
from echo_keypoints.evaluation.cases import Case
from echo_keypoints.evaluation.datasets import find_datasets
from echo_keypoints.evaluation.overlay import save_contact_sheet
from echo_keypoints.evaluation.peers.engine import Engine
from echo_keypoints.evaluation.peers.registry import choose
from echo_keypoints.evaluation.run import Comparison, Run, evaluate
from echo_keypoints.evaluation.tables import make_tables, to_json, to_markdown


def evaluate_and_report(
    *,
    phantoms: int,
    data: Path | None = None,
    trackers: Sequence[str] | None = None,
    backend: str = "onnx",
    models: Path | None = None,
    output: Path | None = None,
    markdown: Path | None = None,
    overlays: Path | None = None,
) -> None:
    """Evaluate, print the tables and write what was asked for.

    Without weights the peers still run, from true points; only trackers of ours that were asked for by name
    need them.

    Args:
        phantoms: number of fresh phantom clips.
        data: folder with ``phantom_physics/`` and ``plax/annotations.json``, or None.
        trackers: names in the registry; None for the default ones.
        backend: ``"onnx"`` or ``"torch"``.
        models: folder of our weights; the shipped ones by default.
        output: JSON file for every number.
        markdown: file for the tables.
        overlays: folder for contact sheets.

    Raises:
        EchoKeypointsError: an option makes no sense.
        ModelError: weights that were asked for are missing.
    """
    if phantoms < 0:
        raise EchoKeypointsError("The number of phantoms cannot be negative.")
    if data is not None and not data.is_dir():
        raise EchoKeypointsError(f"The data folder {data.name} does not exist.")
    if not phantoms and data is None:
        raise EchoKeypointsError("There is nothing to evaluate: give --data, or a number of --phantoms.")
    entries = choose(trackers)
    for file in (output, markdown):  # before hours of work
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
    datasets, notes = find_datasets(phantoms, data)
    engine = Engine(backend, models)
    try:
        digests = dict(engine.backend.models)
    except ModelError as error:
        if trackers and any(entry.ours for entry in entries.values()):
            raise
        entries = {name: entry for name, entry in entries.items() if not entry.ours}
        digests = {}
        notes.append(f"Only peers from true points were evaluated, nothing of ours or end to end: {error}")
    comparison = Comparison(entries, engine, end_to_end=bool(digests))
    with tqdm(total=sum(len(d.cases) for d in datasets), unit="clip", desc="evaluate") as bar:
        runs, skipped = evaluate(datasets, comparison, _sheets(overlays), bar.update)
    engine.close()
    notes += skipped
    tables = make_tables(runs, datasets, {name: entry.title for name, entry in entries.items()})
    text = to_markdown(tables, notes)
    print(text)
    if markdown:
        markdown.write_text(text, encoding="utf-8")
    if output:
        report = to_json(tables, runs, notes, digests)
        output.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


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
