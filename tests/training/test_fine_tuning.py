"""Fine-tuning keeps statistics and rehearses: on small real networks and data sets."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from echo_keypoints.training.fine_tuning import Rehearsal, frozen_statistics


def test_statistics_stay_while_weights_learn() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    names = list(network.state_dict())
    frozen_statistics(network).train()
    assert list(network.state_dict()) == names and network.training
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    network(torch.rand(2, 1, 8, 8) + 3).square().mean().backward()
    optimizer.step()
    after = network.state_dict()
    assert torch.equal(after["1.running_mean"], before["1.running_mean"])
    assert torch.equal(after["1.running_var"], before["1.running_var"])
    assert not torch.equal(after["1.weight"], before["1.weight"])


class _Numbers(Dataset[dict[str, Tensor]]):
    def __init__(self, first: int, count: int, *names: str) -> None:
        self.first, self.count, self.names = first, count, names

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {name: torch.tensor(self.first + index) for name in self.names}


def test_every_other_item_is_familiar_and_has_the_same_parts() -> None:
    data = Rehearsal(_Numbers(0, 3, "image"), _Numbers(100, 2, "image", "tissue"))
    assert [int(data[i]["image"]) for i in range(len(data))] == [0, 100, 1, 101, 2, 100]
    assert all(set(data[i]) == {"image"} for i in range(len(data)))
