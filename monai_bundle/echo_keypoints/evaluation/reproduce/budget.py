"""How much work a reproduction may do, and the training of detectors within it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import echo_keypoints
from echo_keypoints.errors import EchoKeypointsError

CONFIGS = Path(echo_keypoints.__file__).resolve().parents[1]
"""The bundle, whose ``configs/`` say how detectors are trained; there in a clone only."""


@dataclass(frozen=True)
class Budget:
    """What is run. All counts are of items, never of seconds, so that a run can be repeated.

    Attributes:
        name: of the budget.
        phantoms: fresh phantom clips to test on.
        detector: overrides of the bundle's training of EchoNet-LVH and EchoGLAD; none for its own values.
        steps: optimisation steps of every TR-net variant (`variants`).
        clips: different phantom clips in these steps, one in each.
        hyperparameters: values of α and of β in Figure 6.
        healthy, ill: patients of the cohort of Table 6: healthy ones, and of each disease.
        beat_frames: of a clip of that cohort, which is one beat.
        cohort_trackers: of Table 6, by name in the registry; EchoNet-LVH and what is installed come on top.
    """

    name: str
    phantoms: int
    detector: dict[str, Any]
    steps: int
    clips: int
    hyperparameters: tuple[float, ...]
    healthy: int
    ill: int
    beat_frames: int = 32
    cohort_trackers: tuple[str, ...] = ("trnet", "sknet", "klt", "speckle", "dis_fine")


_TINY = {
    "image_size": 80, "epochs": 1, "epoch_items": 4, "batch_size": 2, "val_hearts": 2, "frames": 2, "warmup": 1,
}  # fmt: skip
_SMALL = {"epochs": 10, "epoch_items": 60, "batch_size": 2, "val_hearts": 16, "val_interval": 5, "warmup": 30}

BUDGETS = {
    "tiny": Budget(
        "tiny", 1, _TINY, 1, 1, (0.8,), 6, 5, 6, ("trnet", "dis")
    ),  # does everything once: for tests
    "small": Budget("small", 20, _SMALL, 64, 16, (0.5, 0.8, 1.0), 16, 8),
    "full": Budget(
        "full",
        100,
        {},
        12000,
        12000,
        (0.4, 0.6, 0.7, 0.8, 0.9, 1.0),
        75,
        40,
    ),
}
"""Name → budget. ``small`` is for two CPU cores, ``full`` for a GPU."""


def chosen_budget(name: str, phantoms: int | None = None, steps: int | None = None) -> Budget:
    """Look a budget up, with other numbers of test phantoms or of steps of the TR-nets if they are given.

    Steps come four to a training clip.

    Raises:
        EchoKeypointsError: a number is not positive.
    """
    budget = BUDGETS[name]
    for option, value in (("--phantoms", phantoms), ("--steps", steps)):
        if value is not None and value < 1:
            raise EchoKeypointsError(f"{option} must be a positive number.")
    if phantoms is not None:
        budget = replace(budget, phantoms=phantoms)
    return budget if steps is None else replace(budget, steps=steps, clips=-(-steps // 4))


def train_detector(name: str, budget: Budget, folder: Path, data: Path | None = None) -> Path:
    """Train EchoNet-LVH's or EchoGLAD's network by its bundle config, unless it was trained before.

    Args:
        name: ``"echonet_lvh"`` or ``"echoglad"``.
        budget: how much.
        folder: for the run; the weights of one budget are found again in it.
        data: EchoNet-LVH in its published form; None for phantoms.

    Returns:
        The weights file.

    Raises:
        EchoKeypointsError: this is not a clone with the bundle's configs.
    """
    output = folder / budget.name / name
    weights = output / f"{name}.pt"
    if weights.is_file():
        return weights
    if not (CONFIGS / "configs" / "train_sknet.json").is_file():
        raise EchoKeypointsError(
            "reproduce trains by the bundle's configs: run it from a clone of the repository."
        )
    from echo_keypoints.training.runs import run_stages

    configs = ["configs/train_sknet.json", f"configs/{name}_peer.json"]
    if data is not None:
        configs.append("configs/echonet_lvh.json")
    stage = {"config": configs, "output_dir": str(output), **budget.detector}
    shared = {
        "workers": 0, "progress": False, "device": "cpu", "resume": True,
        "dataset_dir": None if data is None else str(data),
    }  # fmt: skip
    run_stages([stage], shared, str(CONFIGS))
    return weights
