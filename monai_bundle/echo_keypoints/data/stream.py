"""`StreamSampler`: endless data sets, read on from epoch to epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sized

from torch.utils.data import DistributedSampler


class StreamSampler(DistributedSampler[int]):
    """Give every epoch the next items of a data set that is a pure function of its index.

    Epoch e (from 1) takes items ``(e - 1) * items`` to ``e * items``, dealt out to the processes one by one:
    no item is seen twice, by any process, and a run that is resumed goes on where it was. (MONAI's engines
    tell the epoch to a `DistributedSampler` only, hence the base class.)

    Args:
        dataset: with far more items than a run needs; after its end it starts again.
        items: of one epoch, over all processes.
        rank, replicas: of this process.
    """

    def __init__(self, dataset: Sized, items: int, rank: int = 0, replicas: int = 1) -> None:
        super().__init__(dataset, num_replicas=replicas, rank=rank, shuffle=False)  # type: ignore[arg-type]
        self.items = items
        self.num_samples = items // replicas

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        first = max(self.epoch - 1, 0) * self.items + self.rank
        count = len(self.dataset)  # type: ignore[arg-type]
        return ((first + i * self.num_replicas) % count for i in range(self.num_samples))
