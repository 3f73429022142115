"""Label, fine-tune, score, and again: one learning curve; and what a strategy finds without any training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from echo_keypoints.data.clips import LabelledFrames
from echo_keypoints.evaluation.active_learning.clips import LABELLED_FRAMES, Item
from echo_keypoints.networks import SKNet, TRNet, load_weights
from echo_keypoints.readers import open_clip
from echo_keypoints.selection import STRATEGIES, ClipSignals, clip_signals, rank
from echo_keypoints.tracking import open_session
from echo_keypoints.tracking.backends import models_directory
from echo_keypoints.tracking.backends.base import model_file
from echo_keypoints.tracking.backends.torch_backend import SKNET, TRNET, TorchBackend
from echo_keypoints.training.fine_tuning import fine_tuned
from echo_keypoints.training.sknet import SKNetObjective

FIRST_SEED = 9_500_000
"""Of the phantoms; no training sees those from here on."""
REHEARSAL_SEED = FIRST_SEED + 900_000


@dataclass(frozen=True)
class Protocol:
    """What is measured; all of it is fixed before a run, and written into its report.

    Attributes:
        device: of the unfamiliar clips (`clips.DEVICES`).
        pool, test: number of clips to choose from, and to score on.
        unseen_every: every so many clips one comes from the device.
        step, rounds: clips that are labelled in a round, and rounds.
        updates, learning_rate: of the fine-tuning in a round, which goes on from the last one's weights.
        first_repeat: number of the first repeat: others are other clips.
        repeats: pools, each with its own clips.
    """

    device: str = "mirrored"
    pool: int = 16
    test: int = 12
    unseen_every: int = 4
    step: int = 2
    rounds: int = 3
    updates: int = 30
    learning_rate: float = 1e-3
    first_repeat: int = 0
    repeats: int = 8


def shipped(folder: Path | None = None) -> tuple[SKNet, TRNet]:
    """The networks that come with the software, or those of another folder."""
    folder = folder or models_directory()
    sknet = load_weights(model_file(folder, SKNET), SKNet).eval()
    return sknet, load_weights(model_file(folder, TRNET), TRNet).eval()


@torch.no_grad()
def errors_px(network: SKNet, items: Sequence[Item]) -> NDArray[np.float64]:
    """Mean distance ``(N,)`` of the detector from the truth, of each clip, in model px."""
    objective = SKNetObjective(network, precision="float32").eval()
    frames = LabelledFrames([item.of_bundle() for item in items], LABELLED_FRAMES, augment=False)
    errors = []
    for index in range(len(items)):
        batch = {name: value[None] for name, value in frames[index].items()}
        distances = (objective(batch)["points"] - batch["points"]).norm(dim=-1)
        errors.append(float(distances.mean()))
    return np.array(errors)


def signals_of(sknet: SKNet, trnet: TRNet, items: Sequence[Item]) -> dict[str, ClipSignals | None]:
    """Signals of clips as the Label server computes them, by the name of the clip."""
    backend = TorchBackend(sknet, trnet)
    found: dict[str, ClipSignals | None] = {}
    for item in items:
        with open_session(open_clip(item.image), backend) as session:
            found[item.name] = clip_signals(session, session.track())
    return found


def learning_curve(
    strategy: str, pool: Sequence[Item], test: Sequence[Item], protocol: Protocol, seed: int
) -> list[dict[str, Any]]:
    """Follow one strategy.

    Args:
        strategy: a name of `selection.STRATEGIES`.
        pool: clips to choose from.
        test: clips to score on.
        protocol: how much.
        seed: of chance.

    Returns:
        One point for each number of labelled clips: ``{"labelled", "unseen_labelled", "error_px", "familiar_px",
        "unseen_px", "chosen"}``.
    """
    sknet, trnet = shipped()
    chosen: list[Item] = []
    unseen = np.array([item.unseen for item in test])
    curve = []
    for turn in range(protocol.rounds + 1):
        if turn:
            chosen += _choose(strategy, sknet, trnet, pool, chosen, protocol.step, seed * 100 + turn)
            sknet = fine_tuned(
                sknet,
                [item.of_bundle() for item in chosen],
                updates=protocol.updates,
                learning_rate=protocol.learning_rate,
                seed=seed * 100 + turn,
                rehearsal_seed=REHEARSAL_SEED + 1000 * (seed * 100 + turn),
            )
        errors = errors_px(sknet, test)
        curve.append(
            {
                "labelled": len(chosen),
                "unseen_labelled": sum(item.unseen for item in chosen),
                "error_px": float(errors.mean()),
                "familiar_px": float(errors[~unseen].mean()),
                "unseen_px": float(errors[unseen].mean()),
                "chosen": [item.name for item in chosen],
            }
        )
    return curve


def first_choices(pool: Sequence[Item], count: int, seeds: int = 50) -> dict[str, float]:
    """Ask what a strategy finds, without any training: the shipped detector's error on the clips it ranks first.

    Args:
        pool: clips with labels.
        count: how many of the first.
        seeds: draws of ``random``, whose mean counts.

    Returns:
        Strategy → mean error in model px; and ``all``, that of the whole pool.
    """
    sknet, trnet = shipped()
    error = dict(zip((item.name for item in pool), errors_px(sknet, pool), strict=True))
    known = signals_of(sknet, trnet, pool)
    found = {"all": float(np.mean(list(error.values())))}
    for strategy in STRATEGIES:
        draws = range(seeds if strategy == "random" else 1)
        means = [
            np.mean([error[choice.clip] for choice in rank(strategy, known, seed=seed)[:count]])
            for seed in draws
        ]
        found[strategy] = float(np.mean(means))
    return found


def _choose(
    strategy: str,
    sknet: SKNet,
    trnet: TRNet,
    pool: Sequence[Item],
    chosen: Sequence[Item],
    count: int,
    seed: int,
) -> list[Item]:
    """The next clips to label."""
    left = {item.name: item for item in pool if item not in chosen}
    known: dict[str, ClipSignals | None] = dict.fromkeys(left)
    labelled: list[ClipSignals] = []
    if strategy not in ("random", "first"):
        known = signals_of(sknet, trnet, list(left.values()))
        labelled = [signals for signals in signals_of(sknet, trnet, chosen).values() if signals]
    return [left[choice.clip] for choice in rank(strategy, known, labelled, seed)[:count]]
