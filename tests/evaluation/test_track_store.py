"""Tracks are kept, found again, and not believed where anything changed that they hang on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from echo_keypoints.clip import Clip
from echo_keypoints.evaluation.cases import Case, exact_case
from echo_keypoints.evaluation.peers.klt import KLT
from echo_keypoints.evaluation.peers.protocol import Query
from echo_keypoints.evaluation.peers.registry import Entry
from echo_keypoints.evaluation.run import Comparison
from echo_keypoints.evaluation.track_store import Kept, TrackStore

MODELS = {"sknet.pt": "1"}


@pytest.fixture
def case() -> Case:
    video = np.random.default_rng(0).integers(0, 255, (4, 224, 224), np.uint8)
    truth = np.tile(np.array([[110.0, 40], [110, 80], [110, 140], [110, 180]]), (4, 1, 1))
    return exact_case("clip", video, truth, np.array([0, 0.5, 1, 0.5]), np.arange(4) / 30, 0.5)


def test_what_is_kept_is_found_until_something_changes(tmp_path: Path, case: Case) -> None:
    weights = tmp_path / "w.pt"
    weights.write_bytes(b"1")
    store = TrackStore(tmp_path / "tracks", MODELS)
    assert store.find("klt", case, [weights]) is None
    store.keep("klt", case, Kept(2, case.truth), [weights])
    found = TrackStore(tmp_path / "tracks", MODELS).find("klt", case, [weights])
    assert found is not None and found.query_frame == 2 and np.array_equal(found.points, case.truth)
    assert store.find("dis", case, [weights]) is None and store.find("klt", case) is None
    assert TrackStore(tmp_path / "tracks", {"sknet.pt": "2"}).find("klt", case, [weights]) is None
    other = replace(case, clip=Clip(case.clip.header, case.clip.pixels ^ 1))
    assert store.find("klt", other, [weights]) is None
    weights.write_bytes(b"2")
    assert store.find("klt", case, [weights]) is None


def test_a_damaged_file_is_made_anew(tmp_path: Path, case: Case) -> None:
    store = TrackStore(tmp_path, MODELS)
    store.keep("klt", case, Kept(0, case.truth))
    (tmp_path / "klt" / "clip.npz").write_bytes(b"PK\x03\x04 no")
    assert store.find("klt", case) is None


class Start:
    """An engine that knows where to start, and counts how often it is asked."""

    asked = 0

    def reference(self, clip: Clip) -> Query:
        self.asked += 1
        return Query(0, np.array([[110.0, 40], [110, 80], [110, 140], [110, 180]]))


def test_a_comparison_tracks_only_what_is_not_there(tmp_path: Path, case: Case) -> None:
    engine, store = Start(), TrackStore(tmp_path, MODELS)
    entries = {"one": Entry("one", lambda _: KLT())}

    def runs(entries: dict[str, Entry]) -> list[np.ndarray]:
        compared = Comparison(entries, engine, end_to_end=True, from_truth=False, store=store)  # type: ignore[arg-type]
        return [run.points for run in compared.run("set", case)]

    first = runs(entries)
    assert engine.asked == 1
    assert np.array_equal(runs(entries)[0], first[0]) and engine.asked == 1
    both = runs({**entries, "two": Entry("two", lambda _: KLT())})
    assert engine.asked == 2 and np.array_equal(both[0], both[1])
