"""`Matching`: a motion read off a cost volume."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHARPNESS = 30.0
SPREAD_PX = 8.0


class Matching(nn.Module):
    """The mean displacement under a soft-max of the costs, each gathered over a window around its pixel.

    Small displacements are likelier than large ones (a Gaussian prior), so that a network that has learnt nothing yet
    answers with little motion where its features say little, and with about the right one where they say more.
    How far costs are trusted and how far the prior reaches is learnt.

    Args:
        radius: of the cost volume.
        stride: of the maps, for the prior: it begins with a deviation of one pixel of the maps, and of
            `SPREAD_PX` of the frames at most.
        window: side of the window, odd.
    """

    def __init__(self, radius: int, stride: int, window: int = 5) -> None:
        super().__init__()
        self.window = window
        self.log_sharpness = nn.Parameter(torch.tensor(SHARPNESS).log())
        self.log_spread = nn.Parameter(torch.tensor(min(1.0, SPREAD_PX / stride)).log())
        steps = torch.arange(-radius, radius + 1, dtype=torch.float32)
        shifts = torch.stack((steps.repeat(len(steps)), steps.repeat_interleave(len(steps))))
        self.register_buffer("shifts", shifts, persistent=False)  # (2, D), in the order of `cost_volume`

    def forward(self, costs: Tensor) -> Tensor:
        """Cosines ``(N, D, H, W)`` of `correlation.cost_volume` → displacement ``(N, 2, H, W)`` in px of the maps."""
        shifts: Tensor = self.shifts  # type: ignore[assignment]
        gathered = F.avg_pool2d(costs, self.window, 1, self.window // 2, count_include_pad=False)
        prior = -0.5 * shifts.square().sum(0) * torch.exp(-2 * self.log_spread)
        weights = torch.softmax(gathered * self.log_sharpness.exp() + prior[:, None, None], dim=1)
        return torch.einsum("ndhw,cd->nchw", weights, shifts)
