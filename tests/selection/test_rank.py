"""Strategies on signals that were made by hand, and the signals of a real session on a phantom."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from echo_keypoints.errors import QueryError
from echo_keypoints.readers import open_clip
from echo_keypoints.selection import STRATEGIES, ClipSignals, clip_signals, frame_hints, rank
from echo_keypoints.tracking import load_backend, open_session

SAMPLE = Path(__file__).parents[2] / "docs/sample/plax_phantom.dcm"


def signals(level: float, look: float = 0.0, frames: int = 12) -> ClipSignals:
    shape = np.linspace(0.5, 1.5, frames)
    return ClipSignals(
        level * shape, np.minimum(level / 10 * shape, 1), level * shape, np.array([look, -look])
    )


@pytest.mark.parametrize("strategy", ["disagreement", "confidence", "implausible"])
def test_the_harder_clip_comes_first(strategy: str) -> None:
    ranking = rank(strategy, {"easy": signals(1), "hard": signals(5), "middle": signals(3)})
    assert [choice.clip for choice in ranking] == ["hard", "middle", "easy"]
    assert ranking[0].reason.endswith(".")


def test_informed_prefers_what_is_hard_and_new() -> None:
    candidates = {"hard, known": signals(5, 0), "hard, new": signals(5, 9), "easy, new": signals(1, 9)}
    assert rank("informed", candidates, [signals(1, 0)])[0].clip == "hard, new"
    assert rank("diversity", candidates, [signals(1, 9)])[0].clip == "hard, known"


def test_without_labels_the_typical_clip_is_the_first_of_diversity() -> None:
    candidates = {"a": signals(3, 50), "b": signals(3, 1), "c": signals(3, 1.2)}
    assert [choice.clip for choice in rank("diversity", candidates)][-1] == "a"
    assert rank("diversity", candidates)[0].reason == "It looks typical of all clips."


def test_unknown_clips_come_last_and_chance_is_repeatable() -> None:
    names = dict.fromkeys("abcdef")
    assert [choice.clip for choice in rank("informed", {**names, "f": signals(1)})] == list("fabcde")
    assert rank("random", names, seed=3) == rank("random", names, seed=3)
    assert rank("random", names, seed=3) != rank("random", names, seed=4)
    assert [choice.clip for choice in rank("first", names)] == list("abcdef")
    with pytest.raises(QueryError, match="no strategy best"):
        rank("best", names)
    assert rank("informed", {}) == []


def test_hints_are_hard_frames_apart_from_each_other() -> None:
    calm = np.zeros(60)
    jump = calm.copy()
    jump[[20, 21, 45]] = 9, 8, 7
    hints = frame_hints(ClipSignals(calm, calm, jump, np.zeros(2)), 2)
    assert [hint.frame for hint in hints] == [20, 45]
    assert hints[0].reason == "A landmark jumps by 9.0 px."
    assert len(frame_hints(signals(1, frames=2), 3)) <= 2


def test_signals_of_a_real_session_survive_json() -> None:
    with open_session(open_clip(SAMPLE), load_backend("onnx", threads=1)) as session:
        tracking = session.track()
        found = clip_signals(session, tracking)
        alone = session.detect()
        np.testing.assert_allclose(alone.points_px, tracking.detections_px)
        assert alone.confidence.shape == tracking.confidence.shape and session.memory_bytes > 1e6
    assert found.doubt.shape == found.disagreement_px.shape == (len(tracking.points_px),)
    assert np.isfinite(found.appearance).all() and found.appearance.std() > 0
    again = ClipSignals.from_document(json.loads(json.dumps(found.to_document())))
    np.testing.assert_allclose(again.doubt, found.doubt, atol=1e-4)
    assert set(STRATEGIES) >= {"informed", "random", "first"}
    assert rank("informed", {"a": again})[0].score is not None
