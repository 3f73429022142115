"""What every experiment is given, and the way from trackers to the lines of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from echo_keypoints.errors import ModelError
from echo_keypoints.evaluation.cases import Case
from echo_keypoints.evaluation.datasets import DataSet, find_datasets
from echo_keypoints.evaluation.peers.engine import Engine
from echo_keypoints.evaluation.peers.external.checkout import find_peer
from echo_keypoints.evaluation.peers.registry import TRACKERS, Entry
from echo_keypoints.evaluation.reproduce.budget import Budget
from echo_keypoints.evaluation.reproduce.report import Line
from echo_keypoints.evaluation.run import Comparison, Run, evaluate
from echo_keypoints.evaluation.tables import estimates
from echo_keypoints.evaluation.track_store import TrackStore


@dataclass(frozen=True)
class Context:
    """One call of ``reproduce``.

    Attributes:
        budget: how much is run.
        engine: our networks.
        data: a folder to test on instead of phantoms (`datasets.find_datasets`), or None.
        training_data: EchoNet-LVH to train EchoNet-LVH's and EchoGLAD's networks on, or None for phantoms.
        output: folder of the reports.
        runs: folder of what was trained.
    """

    budget: Budget
    engine: Engine
    data: Path | None
    training_data: Path | None
    output: Path
    runs: Path

    def datasets(self) -> list[DataSet]:
        """What to test on: the user's data, else fresh phantoms."""
        found, _ = find_datasets(0 if self.data else self.budget.phantoms, self.data)
        return found

    def settings(self) -> dict[str, Any]:
        """How the numbers came about, for the report."""
        return {"budget": asdict(self.budget), "models": dict(self.engine.backend.models)}


def compare(
    context: Context,
    experiment: str,
    dataset: DataSet,
    entries: Mapping[str, Entry],
    look: Callable[[Case, list[Run]], None] | None = None,
) -> tuple[list[Run], list[str]]:
    """Run trackers over a data set, all from SK-net's reference, as a user would: nobody sets a point.

    Tracks are kept in the folder of the runs, under the name of the experiment: a second call only scores them.

    Returns:
        The runs, and a sentence for every clip left out.
    """
    store = TrackStore(context.runs / "tracks" / experiment, context.engine.backend.models)
    comparison = Comparison(entries, context.engine, end_to_end=True, from_truth=False, store=store)
    with tqdm(total=len(dataset.cases), unit="clip", desc=dataset.name) as bar:
        return evaluate([dataset], comparison, look, bar.update)


def lines(
    runs: Sequence[Run], entries: Mapping[str, Entry], paper: Mapping[str, str] | None = None
) -> list[Line]:
    """One line for every tracker that ran; ``paper`` maps trackers to rows of the paper."""
    ran = dict.fromkeys(run.tracker for run in runs)
    return [Line(entries[name].title, estimates(runs, name), (paper or {}).get(name)) for name in ran]


def installed_peers() -> dict[str, Entry]:
    """The trackers of others that this machine has (`external.checkout`)."""
    found = {}
    for name, entry in TRACKERS.items():
        if entry.external:
            try:
                _, weights = find_peer(name)
            except ModelError:
                continue
            found[name] = replace(entry, weights=(weights,))
    return found
