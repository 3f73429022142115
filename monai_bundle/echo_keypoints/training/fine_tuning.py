"""Fine-tuning on a handful of clips without forgetting all others: ``configs/fine_tune.json``."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor, nn
from torch.utils.data import Dataset

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
