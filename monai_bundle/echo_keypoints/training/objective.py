"""What is trained: a network together with the loss of its batches, in one module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from echo_keypoints.tracking.tone import LIFTED

Batch = Mapping[str, Tensor]
Terms = dict[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
"""Names of the arithmetic of the networks; losses are always computed in float32."""


class Objective(nn.Module, ABC):
    """A network and its loss: a batch in, a dictionary of scalars out, of which ``"loss"`` is minimised.

    The loss is inside the module so that `torch.nn.parallel.DistributedDataParallel` can wrap both: whatever
    method of the network a loss calls, gradients are still averaged over the processes.

    In evaluation mode, and only if the batch holds true points, the dictionary also has ``"points"``: what
    the network predicts, of the same shape as the batch's ``"points"``.

    Args:
        network: what is trained.
        precision: a name of `PRECISIONS`, for the network's forward pass.

    Raises:
        ValueError: no such precision.
    """

    def __init__(self, network: nn.Module, precision: str = "float32") -> None:
        super().__init__()
        if precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}")
        self.network = network
        self.precision = precision

    @abstractmethod
    def forward(self, batch: Batch) -> Terms:
        """Judge a batch."""

    def autocast(self, batch: Tensor) -> torch.autocast:
        """Context in which the network computes in `precision` on the device of the tensor."""
        dtype = PRECISIONS[self.precision]
        return torch.autocast(batch.device.type, dtype, enabled=dtype != torch.float32)


def grey(frames: Tensor) -> Tensor:
    """``(B, F, 1, S, S)`` uint8 → ``(B * F, 1, S, S)`` float32 in [0, 1], channels last in memory."""
    return (frames.flatten(0, 1).float() / 255).contiguous(memory_format=torch.channels_last)


def lifted_grey(frames: Tensor) -> Tensor:
    """`grey` of the frames as SK-net is shown them (`tracking.tone`)."""
    return grey(torch.from_numpy(LIFTED).to(frames.device)[frames.long()])


def frozen(network: Network) -> Network:
    """Put a network in evaluation mode for good and exclude it from training."""
    return network.eval().requires_grad_(False)
