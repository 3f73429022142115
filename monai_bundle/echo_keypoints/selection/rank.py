"""Strategies: order clips by how much a label of each would teach, and say why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.errors import QueryError
from echo_keypoints.selection.signals import ClipSignals

_WORDS = {
    "disagreement_px": "detector and tracker disagree by {:.1f} px",
    "doubt": "the least certain landmark is {:.0%} likely to be off",
    "implausibility": "a landmark jumps by {:.1f} px",
}
STRATEGIES = {
    "informed": "where the networks are unsure: disagreement and confidence, and a little of diversity",
    "disagreement": "where detector and tracker differ most",
    "confidence": "where the confidence is lowest",
    "implausible": "where the movement is least like a heart's",
    "diversity": "what looks least like the clips that have labels",
    "first": "in the order of their names",
    "random": "by chance, with a seed",
}
"""Name → what it does."""

_UNSURE = ("disagreement_px", "doubt")
_DIVERSITY = 0.25
"""What ``informed`` is made of. On phantoms these two find the most wrong clips, implausibility fewer, and diversity
alone no more than chance does (docs/annotation.md); it keeps from choosing the same kind of clip again and again."""

_SIGNAL = {"disagreement": "disagreement_px", "confidence": "doubt", "implausible": "implausibility"}


@dataclass(frozen=True)
class Choice:
    """A clip in the ranking: higher scores come first (None: the strategy has none), and why."""

    clip: str
    score: float | None
    reason: str


@dataclass(frozen=True)
class FrameHint:
    """A frame worth a look: how much, 0 to 1 within its clip, and why."""

    frame: int
    score: float
    reason: str


def rank(
    strategy: str,
    candidates: Mapping[str, ClipSignals | None],
    labelled: Sequence[ClipSignals] = (),
    seed: int = 0,
) -> list[Choice]:
    """Order clips, the one to annotate next first.

    Args:
        strategy: a name of `STRATEGIES`.
        candidates: clip → its signals; None where they are not known yet: such clips come last, by name.
        labelled: signals of the clips that have labels already.
        seed: of ``random``.

    Raises:
        QueryError: no such strategy.
    """
    if strategy not in STRATEGIES:
        raise QueryError(f"There is no strategy {strategy}; choose one of {', '.join(STRATEGIES)}.")
    names = sorted(candidates)
    if strategy == "first":
        return [Choice(name, None, "It is the first by name.") for name in names]
    if strategy == "random":
        order = np.random.default_rng(seed).permutation(len(names))
        return [Choice(names[i], None, "It was drawn by chance.") for i in order]
    known = {name: signals for name in names if (signals := candidates[name]) is not None}
    scores = _scores(strategy, list(known.values()), labelled)
    order = np.argsort(-scores, kind="stable")
    listed = list(known)
    ranked = [
        Choice(listed[i], float(scores[i]), _clip_reason(strategy, known[listed[i]], bool(labelled)))
        for i in order
    ]
    waiting = [Choice(name, None, "It has not been looked at yet.") for name in names if name not in known]
    return ranked + waiting


def frame_hints(signals: ClipSignals, count: int = 3) -> list[FrameHint]:
    """Choose frames of a clip that are worth correcting: hard ones, apart from each other.

    Args:
        signals: of the clip.
        count: how many, if the clip is long enough.
    """
    length = len(signals.doubt)
    parts = {name: _ranks(getattr(signals, name)) for name in _WORDS}
    total = np.mean(list(parts.values()), axis=0)
    apart = max(1, length // (2 * count))
    hints: list[FrameHint] = []
    for frame in np.argsort(-total, kind="stable"):
        if len(hints) < count and all(abs(int(frame) - hint.frame) >= apart for hint in hints):
            worst = max(parts, key=lambda name: parts[name][frame])
            value = float(getattr(signals, worst)[frame])
            sentence = _WORDS[worst].format(value)
            hints.append(FrameHint(int(frame), float(total[frame]), sentence[0].upper() + sentence[1:] + "."))
    return hints


def _scores(
    strategy: str, signals: Sequence[ClipSignals], labelled: Sequence[ClipSignals]
) -> NDArray[np.float64]:
    if not signals:
        return np.zeros(0)
    if strategy in _SIGNAL:
        return np.array([one.of_clip(_SIGNAL[strategy]) for one in signals])
    novelty = _novelty(signals, labelled)
    if strategy == "diversity":
        return novelty
    hardness = np.mean([_ranks([one.of_clip(name) for one in signals]) for name in _UNSURE], axis=0)
    if not labelled:
        return np.asarray(hardness)
    return (1 - _DIVERSITY) * hardness + _DIVERSITY * _ranks(novelty)


def _novelty(signals: Sequence[ClipSignals], labelled: Sequence[ClipSignals]) -> NDArray[np.float64]:
    """Distance to the nearest labelled clip; without one, to the middle of all (the most typical first)."""
    looks = np.stack([one.appearance for one in signals])
    known = np.stack([one.appearance for one in labelled]) if labelled else looks.mean(axis=0, keepdims=True)
    everything = np.concatenate((looks, known))
    scale = everything.std(axis=0) + 1e-9
    distances = np.linalg.norm((looks[:, None] - known[None]) / scale, axis=-1).min(axis=1)
    distances = distances / np.sqrt(looks.shape[1])
    return distances if labelled else -distances


def _ranks(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank of each value from 0 to 1, equal values alike; 0.5 where there is one value only."""
    array = np.asarray(values, np.float64)
    if len(array) < 2:
        return np.full(len(array), 0.5)
    below = (array[None] < array[:, None]).sum(axis=1)
    equal = (array[None] == array[:, None]).sum(axis=1) - 1
    return np.asarray((below + equal / 2) / (len(array) - 1))


def _clip_reason(strategy: str, signals: ClipSignals, any_labelled: bool) -> str:
    looks = "it looks unlike the labelled clips" if any_labelled else "it looks typical of all clips"
    if strategy == "diversity":
        return f"{looks.capitalize()}."
    names = (_SIGNAL[strategy],) if strategy in _SIGNAL else _UNSURE
    parts = [_WORDS[name].format(signals.of_clip(name)) for name in names]
    if strategy == "informed" and any_labelled:
        parts.append("how unlike the labelled clips it looks counts a little")
    return f"In the harder half of its frames {'; '.join(parts)}."
