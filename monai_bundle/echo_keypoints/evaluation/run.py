"""Run trackers over data sets and collect their scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.errors import ClipError
from echo_keypoints.evaluation.cases import Case
from echo_keypoints.evaluation.datasets import DataSet
from echo_keypoints.evaluation.peers.engine import Engine
from echo_keypoints.evaluation.peers.protocol import ClipTracker, Query, Tracker
from echo_keypoints.evaluation.peers.registry import Entry
from echo_keypoints.evaluation.scores import Scores, score, score_frames
from echo_keypoints.evaluation.track_store import Kept, TrackStore

TRUE_START = "true points at ED"
DETECTED_START = "end to end"
READERS = {
    "reader": "one reader against the other",
    "reader_mean": "one reader against their mean",
}
"""Rows that no tracker made: how far the readers of real clips differ, the floor of every other row."""


@dataclass(frozen=True, eq=False)
class Run:
    """One tracker on one clip.

    Attributes:
        dataset, case, start, tracker: names; start is `TRUE_START` or `DETECTED_START`.
        query_frame: where the tracker started.
        points: ``(T, 4, 2)`` model pixels; for readers ``(F, 4, 2)``, the frames with truth.
        scores: see `scores.score`.
    """

    dataset: str
    case: str
    start: str
    tracker: str
    query_frame: int
    points: NDArray[np.float64]
    scores: Scores


class Comparison:
    """Trackers on equal terms.

    Args:
        entries: registry entries of the trackers, by name.
        engine: of our own trackers.
        end_to_end: also start every tracker from SK-net's reference, for which the engine needs its weights.
        from_truth: start from true points at end-diastole.
        store: keeps the tracks of end-to-end runs, and has those of earlier ones.

    Raises:
        ModelError: weights that a tracker needs are missing.
    """

    def __init__(
        self,
        entries: Mapping[str, Entry],
        engine: Engine,
        *,
        end_to_end: bool,
        from_truth: bool = True,
        store: TrackStore | None = None,
    ) -> None:
        self._entries = dict(entries)
        self._engine = engine
        self._end_to_end, self._from_truth = end_to_end, from_truth
        self._store = store
        self._trackers: dict[str, Tracker] = {name: entry.make(engine) for name, entry in entries.items()}

    def run(self, dataset: str, case: Case) -> list[Run]:
        """Run every tracker on one clip, from every start; readers come first."""
        return [*_readers(dataset, case), *self._runs(dataset, case)]

    def _runs(self, dataset: str, case: Case) -> Iterator[Run]:
        if self._from_truth:
            for name, entry in self._entries.items():
                if entry.from_query:
                    tracks = self._track(case, name, case.true_query(), given=True)
                    yield _scored(dataset, case, TRUE_START, name, tracks)
        if self._end_to_end:
            reference = cache(partial(self._engine.reference, case.clip))  # not asked if the store has all
            for name in self._entries:
                tracks = self._from_reference(case, name, reference)
                yield _scored(dataset, case, DETECTED_START, name, tracks)

    def _from_reference(self, case: Case, name: str, reference: Callable[[], Query]) -> Kept:
        weights = self._entries[name].weights
        tracks = self._store.find(name, case, weights) if self._store else None
        if tracks is None:
            tracks = self._track(case, name, reference(), given=False)
            if self._store:
                self._store.keep(name, case, tracks, weights)
        return tracks

    def _track(self, case: Case, name: str, query: Query, *, given: bool) -> Kept:
        tracker = self._trackers[name]
        if isinstance(tracker, ClipTracker):  # ours: end to end they find the same reference by themselves
            points = case.box.to_model(tracker.track_clip(case.clip, query if given else None).points)
        else:
            points = tracker.track(case.video, query.frame, case.box.to_model(query.points)).points
        return Kept(query.frame, points)


def _scored(dataset: str, case: Case, start: str, name: str, tracks: Kept) -> Run:
    scores = score(case, tracks.points, tracks.query_frame, given=start == TRUE_START)
    return Run(dataset, case.name, start, name, tracks.query_frame, tracks.points, scores)


def evaluate(
    datasets: Sequence[DataSet],
    comparison: Comparison,
    look: Callable[[Case, list[Run]], None] | None = None,
    progress: Callable[[], None] | None = None,
) -> tuple[list[Run], list[str]]:
    """Run a comparison over data sets, one clip in memory at a time.

    Args:
        datasets: to test on.
        comparison: the trackers.
        look: is given each clip with its runs, for overlays.
        progress: is called after every clip.

    Returns:
        The runs in the order of data sets, clips, starts and trackers; a sentence for every clip left out.
    """
    runs, notes = [], []
    for dataset in datasets:
        for load in dataset.cases:
            try:
                case = load()
                done = comparison.run(dataset.name, case)
            except ClipError as error:
                notes.append(f"{dataset.name}: {error}")
            else:
                if look:
                    look(case, done)
                runs += done
            if progress:
                progress()
    return runs, notes


def _readers(dataset: str, case: Case) -> Iterator[Run]:
    """Score readers as if they were trackers, on the frames that count for trackers."""
    marks = [case.box.to_model(points) for points in case.readers]
    pairs = {
        "reader": list(permutations(marks, 2)),
        "reader_mean": [(points, case.model_truth) for points in marks],
    }
    for name, scored in pairs.items():
        if len(marks) > 1:
            each = [score_frames(case, a, b, case.end_diastole, given=True) for a, b in scored]
            mean = {key: float(np.mean([scores[key] for scores in each])) for key in each[0]}
            yield Run(dataset, case.name, TRUE_START, name, case.end_diastole, marks[0], mean)
