"""Fine-tuning on a handful of clips without forgetting all others: ``configs/fine_tune.json`` for SK-net,
``configs/teach_placenet.json`` for PlaceNet."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from echo_keypoints.data.clips import LabelledFrames
from echo_keypoints.data.looks import Looks
from echo_keypoints.data.phantoms import PhantomFrames
from echo_keypoints.networks.placenet import PlaceNet
from echo_keypoints.networks.sknet import SKNet
from echo_keypoints.training.memory import keep_memory
from echo_keypoints.training.objective import Objective
from echo_keypoints.training.placenet import PlaceNetObjective
from echo_keypoints.training.sknet import SKNetObjective

BATCH_FRAMES = 2
LOOKS, LOOK_FRAMES = 4, 4
"""Of `taught`: tracks beside the landmarks of one clip, and labelled frames of it."""

Network = TypeVar("Network", bound=nn.Module)


class _FrozenBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation by the statistics that it has, in training as in use."""

    def train(self, mode: bool = True) -> _FrozenBatchNorm2d:
        """Stay as in use."""
        super().train(False)
        return self


def frozen_statistics(network: Network) -> Network:
    """Keep the statistics of a network's batch normalisation: those of a few clips are not those of all hearts.

    Args:
        network: changed in place; its weights, and the names of its state, are not.

    Returns:
        The network.
    """
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = _FrozenBatchNorm2d
            module.eval()
    return network


class Rehearsal(Dataset[dict[str, Tensor]]):
    """A data set and one that the network knows already, in turn: what is rehearsed is not forgotten.

    Args:
        new: what is to be learnt.
        familiar: endless; of its items only what those of `new` have too is given.
    """

    def __init__(self, new: Dataset[dict[str, Tensor]], familiar: Dataset[dict[str, Tensor]]) -> None:
        self.new, self.familiar = new, familiar
        self._names = tuple(new[0])

    def __len__(self) -> int:
        return 2 * len(self.new)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if index % 2 == 0:
            return self.new[index // 2]
        item = self.familiar[index // 2 % len(self.familiar)]  # type: ignore[arg-type]
        return {name: item[name] for name in self._names}


def fine_tuned(
    network: SKNet,
    data: Sequence[Mapping[str, Any]],
    *,
    updates: int,
    learning_rate: float,
    seed: int,
    rehearsal_seed: int,
) -> SKNet:
    """Give a copy of a detector, fine-tuned on labelled clips, for experiments; teams use ``configs/fine_tune.json``.

    Every other update is on a fresh phantom of the kind that it was trained on, and the statistics of its batch
    normalisation stay as they are: else it would forget all others for the few clips that it sees.

    Args:
        network: stays as it is.
        data: clips with labels (`data.clips.LabelledFrames`).
        updates: of `BATCH_FRAMES` frames each.
        learning_rate: of the first; it falls linearly to nothing.
        seed: of the order of clips and frames, and of how they are varied.
        rehearsal_seed: of the first phantom.
    """
    torch.manual_seed(seed)
    learner = copy.deepcopy(network)
    frames = LabelledFrames(data, BATCH_FRAMES, seed=seed)
    familiar = PhantomFrames(updates, BATCH_FRAMES, first_seed=rehearsal_seed)
    objective = SKNetObjective(frozen_statistics(learner), precision="float32")
    _update(objective, lambda n: (familiar if n % 2 else frames)[n // 2], updates, learning_rate, largest=1.0)
    return learner.eval()


def taught(
    network: PlaceNet, data: Sequence[Mapping[str, Any]], *, updates: int, learning_rate: float, seed: int
) -> PlaceNet:
    """Give a copy of a PlaceNet that has learnt where people set the landmarks, for experiments; teams use
    ``configs/teach_placenet.json``.

    Args:
        network: stays as it is.
        data: clips with labels (`data.clips.LabelledFrames`), some with all four landmarks.
        updates: of `LOOKS` looks at `LOOK_FRAMES` frames each.
        learning_rate: of the first; it falls linearly to nothing.
        seed: of the order of clips and frames, and of how they are varied.
    """
    torch.manual_seed(seed)
    learner = copy.deepcopy(network)
    frames = LabelledFrames(data, LOOK_FRAMES, seed=seed, complete=True)
    looks = Looks(frames, LOOKS, seed, augment=True)
    objective = PlaceNetObjective(frozen_statistics(learner), precision="float32")
    _update(objective, looks.__getitem__, updates, learning_rate, largest=5.0)
    return learner.eval()


def _update(
    objective: Objective,
    item_of: Callable[[int], dict[str, Tensor]],
    updates: int,
    learning_rate: float,
    largest: float,
) -> None:
    """Update by one item at a time; gradients are clipped to a norm of `largest`."""
    keep_memory()
    optimizer = torch.optim.AdamW(objective.train().parameters(), learning_rate)
    for update in range(updates):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * (1 - update / updates)
        batch = {name: value[None] for name, value in item_of(update).items()}
        optimizer.zero_grad()
        objective(batch)["loss"].backward()
        torch.nn.utils.clip_grad_norm_(objective.parameters(), largest)
        optimizer.step()
