"""TR-nets that differ in one thing each, trained side by side on the same clips: what an ablation compares.

All variants see the same batches, the same reference frames, the same first estimates and the same pseudo-labels,
which are computed once for all. Their rows then differ by what was changed and not by luck of the draw, and a variant
comes out the same whichever others are trained beside it.
"""

from __future__ import annotations

import json
import shutil
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from echo_keypoints.data.sources import clips
from echo_keypoints.evaluation.peers.engine import Engine
from echo_keypoints.evaluation.reproduce.budget import Budget
from echo_keypoints.losses import PseudoLoss, TrajectoryLoss
from echo_keypoints.networks import SKNet, TRNet, load_weights, save_weights
from echo_keypoints.results.files import atomic_path, file_digest
from echo_keypoints.tracking.backends.torch_backend import TorchBackend
from echo_keypoints.training.classical_flow import DisFlow
from echo_keypoints.training.handlers import running_average
from echo_keypoints.training.memory import keep_memory
from echo_keypoints.training.pseudo import ChainedFlow
from echo_keypoints.training.starts import StartVariety
from echo_keypoints.training.trnet import TRNetObjective

Network = TypeVar("Network", bound=nn.Module)

LEARNING_RATE = 1e-3
PATCH_SCALE = 20.0
HUBER_PX = 6.0
"""The last two as in ``train_trnet.json``; the learning rate is higher, for shorter runs."""
TEACHER = "DIS flow (OpenCV) on doubled frames, chained: the teacher of the shipped TR-net, too"
SAVE_INTERVAL = 16
"""Steps between two records of where a training stands."""
MADE_OF = "made_of.json"
_KEPT_CHUNKS = 32
"""SK-net's answers that are kept in an evaluation: more than the batches of a phantom clip."""


DESIGNS: dict[str, dict[str, Any]] = {
    "": {},
    "shallow": {"depth": 3},
    "coarse": {"context_widths": (0, 0, 16, 16)},
    "fine": {"context_widths": (8, 12, 16, 16)},
    "no_neighbours": {"use_neighbours": False},
    "no_correlation": {"use_correlation": False},
}
"""Name → what a TR-net is built with in place of the preset's values; the first is the preset."""


@dataclass(frozen=True)
class Variant:
    """One TR-net of an ablation; the defaults are the method.

    Attributes:
        pseudo, patch: terms of the loss.
        context: SK-net's features among the inputs (the paper's semantic input).
        alpha, beta: of eq. 5.
        design: of the network, a name of `DESIGNS`.
    """

    pseudo: bool = True
    patch: bool = True
    context: bool = True
    alpha: float = 0.8
    beta: float = 0.8
    design: str = ""

    @property
    def name(self) -> str:
        """Name of its folder: what it has, and its hyper-parameters."""
        parts = [name for name in ("pseudo", "patch", "context") if getattr(self, name)]
        return "_".join([*parts, f"a{self.alpha:g}", f"b{self.beta:g}", *filter(None, [self.design])])

    def network(self) -> TRNet:
        """A new TR-net; variants of the same architecture start from the same weights."""
        torch.manual_seed(0)
        return TRNet.from_preset("small", use_context=self.context, **DESIGNS[self.design])

    def loss(self) -> TrajectoryLoss:
        """Eq. 5 without the terms that the variant does not have."""
        return TrajectoryLoss(
            pseudo=PseudoLoss(huber_px=HUBER_PX) if self.pseudo else _Nothing(),  # type: ignore[arg-type]
            alpha=self.alpha,
            beta=self.beta,
            patch_scale=PATCH_SCALE if self.patch else 0.0,
        )


class _Nothing(nn.Module):
    """A term of a loss that is left out."""

    def forward(self, points: Tensor, *_: Any) -> Tensor:
        return points.new_zeros(())


def remember(network: Network, method: str, capacity: int) -> Network:
    """Let a frozen network keep the last answers of a method: variants ask it the same one after the other.

    Args:
        network: is changed, and given back.
        method: that takes tensors or None.
        capacity: answers that are kept.
    """
    call = getattr(network, method)
    known: deque[tuple[tuple[Tensor | None, ...], Any]] = deque(maxlen=capacity)

    def recall(*inputs: Tensor | None) -> Any:
        for asked, answer in known:
            if len(asked) == len(inputs) and all(map(_same, asked, inputs)):
                return answer
        answer = call(*inputs)
        known.append((inputs, answer))
        return answer

    setattr(network, method, recall)
    return network


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and torch.equal(one, other)


def prepare(variants: Sequence[Variant], budget: Budget, engine: Engine, folder: Path) -> dict[Variant, Path]:
    """Train the variants that were not trained before.

    Args:
        variants: wanted.
        budget: steps and clips.
        engine: gives SK-net, which all variants share.
        folder: for the results; the variants of one budget and one SK-net are found again in it, and a
            training that was stopped goes on.

    Returns:
        Variant → folder with ``sknet.pt`` and ``trnet.pt``, as `Engine` takes it.

    Raises:
        ModelError: SK-net's weights are missing.
    """
    place = folder / budget.name / "trnet"
    homes = {variant: place / variant.name for variant in variants}
    origin = _origin(budget, engine)
    missing = [variant for variant, home in homes.items() if not _made_of(home, origin)]
    if missing:
        networks = _train(missing, budget, engine, place / "unfinished.pt", origin)
        for variant, network in zip(missing, networks, strict=True):
            homes[variant].mkdir(parents=True, exist_ok=True)
            shutil.copyfile(engine.weights("sknet.pt"), homes[variant] / "sknet.pt")
            save_weights(network, homes[variant] / "trnet.pt")
            (homes[variant] / MADE_OF).write_text(origin, encoding="utf-8")
        (place / "unfinished.pt").unlink(missing_ok=True)
    return homes


def _origin(budget: Budget, engine: Engine) -> str:
    """What a training hangs on besides its variant, as text."""
    sknet = file_digest(engine.weights("sknet.pt"))
    return json.dumps({"sknet": sknet, "steps": budget.steps, "clips": budget.clips})


def _made_of(home: Path, origin: str) -> bool:
    """Whether a variant was trained before, with the same networks and budget."""
    made_of = home / MADE_OF
    return made_of.is_file() and made_of.read_text(encoding="utf-8") == origin


def backends(homes: Mapping[Variant, Path], sknet: Path) -> dict[Variant, Engine]:
    """Variant → engine for its trackers; all ask one SK-net, which looks at every frame of a clip once.

    Args:
        homes: of `prepare`.
        sknet: weights of the SK-net that they were trained with.
    """
    shared = remember(load_weights(sknet, SKNet), "streams", _KEPT_CHUNKS)
    engines = {}
    for variant, home in homes.items():
        engines[variant] = Engine("torch", home)
        trnet = load_weights(home / "trnet.pt", TRNet)
        engines[variant].backend = TorchBackend(shared, trnet)
    return engines


def _train(
    variants: Sequence[Variant], budget: Budget, engine: Engine, unfinished: Path, origin: str
) -> list[nn.Module]:
    keep_memory()
    sknet = remember(load_weights(engine.weights("sknet.pt"), SKNet), "streams", budget.clips)
    teacher = remember(ChainedFlow(DisFlow()), "forward", budget.clips)  # type: ignore[arg-type]
    runs = [_Run(variant, sknet, teacher, budget.steps) for variant in variants]
    origin = f"{origin} {[variant.name for variant in variants]}"
    done = _resume(runs, unfinished, origin)
    data = clips("train", frames=runs[0].objective.network.window)
    steps = range(done, budget.steps)
    bar = tqdm(steps, desc=f"train {len(variants)} TR-nets", unit="step", initial=done, total=budget.steps)
    for step in bar:
        clip = step % budget.clips
        batch = {"frames": data[clip]["frames"][None]}
        for run in runs:
            torch.manual_seed(clip)  # the same reference, window and first estimates for all
            run.step(batch)
        if (step + 1) % SAVE_INTERVAL == 0:
            _suspend(runs, unfinished, origin, step + 1)
    return [run.average.module for run in runs]


def _suspend(runs: Sequence[_Run], path: Path, origin: str, done: int) -> None:
    """Write where a training stands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part:
        torch.save({"origin": origin, "done": done, "runs": [run.state() for run in runs]}, part)


def _resume(runs: Sequence[_Run], path: Path, origin: str) -> int:
    """Go back to where the same training stood; give the number of steps that were done."""
    if not path.is_file():
        return 0
    found = torch.load(path, map_location="cpu", weights_only=True)
    if found["origin"] != origin:
        return 0
    for run, state in zip(runs, found["runs"], strict=True):
        run.restore(state)
    return int(found["done"])


class _Run:
    """A variant in training: AdamW, warm-up and cosine, clipped gradients, averaged weights."""

    def __init__(self, variant: Variant, sknet: SKNet, teacher: nn.Module, steps: int) -> None:
        self.objective = TRNetObjective(
            variant.network(),
            sknet,
            teacher,
            variant.loss(),
            StartVariety(queries=1),
        )
        parameters = [p for p in self.objective.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(parameters, LEARNING_RATE, weight_decay=1e-4)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, LEARNING_RATE, max(2, steps))
        self.average = running_average(self.objective.network)

    def step(self, batch: dict[str, Tensor]) -> None:
        self.objective.train()
        self.optimizer.zero_grad()
        self.objective(batch)["loss"].backward()
        nn.utils.clip_grad_norm_(self.objective.network.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.objective.network)

    def state(self) -> dict[str, Any]:
        """Everything that the next step hangs on."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a `state`."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        return {
            "network": self.objective.network,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "average": self.average,
        }
