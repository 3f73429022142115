"""`Matching`: a motion read off a cost volume."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .correlation import cost_volume, unit_length

SHARPNESS = 100.0
SPREAD = 1.5
SPREAD_PX = 8.0
PACE = 10.0
"""How much faster than other weights the two learnt numbers move: an optimiser's step is too small for them."""


class Matching(nn.Module):
    """A cost volume, and the mean displacement under its soft-max.

    What is known of tissue makes up for what features do not tell: a place moves as its surroundings do, so costs are
    gathered over a window, and the flow is averaged over another; and small displacements are likelier than
    large ones (a Gaussian prior). A network that has learnt nothing yet then answers with more than half of the
    motion, not with noise. How far costs are trusted and how far the prior reaches is learnt.

    Args:
        radius: of the cost volume.
        stride: of the maps, for the prior: it begins with a deviation of `SPREAD` pixels of the maps, and of
            `SPREAD_PX` of the frames at most.
        gather, smooth: sides of the windows, odd.
    """

    def __init__(self, radius: int, stride: int, gather: int = 5, smooth: int = 5) -> None:
        super().__init__()
        self.radius, self.gather, self.smooth = radius, gather, smooth
        self.sharpness = nn.Parameter(torch.tensor(SHARPNESS).log() / PACE)
        self.spread = nn.Parameter(torch.tensor(min(SPREAD, SPREAD_PX / stride)).log() / PACE)
        steps = torch.arange(-radius, radius + 1, dtype=torch.float32)
        shifts = torch.stack((steps.repeat(len(steps)), steps.repeat_interleave(len(steps))))
        self.register_buffer("shifts", shifts, persistent=False)  # (2, D), in the order of `cost_volume`

    def forward(self, reference: Tensor, target: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """Go on from the flow that the target is warped by.

        Args:
            reference: features ``(N, C, H, W)``.
            target: the same size.
            flow: ``(N, 2, H, W)`` in px of the maps.

        Returns:
            The new flow, and the costs ``(N, (2 radius + 1)^2, H, W)``: cosines, see `correlation.cost_volume`.
        """
        # The mean product of vectors of length sqrt(C) is their cosine.
        scale = reference.shape[1] ** 0.5
        costs = cost_volume(unit_length(reference, 1) * scale, unit_length(target, 1) * scale, self.radius)
        return local_mean(flow + self.displacement(costs), self.smooth), costs

    def displacement(self, costs: Tensor) -> Tensor:
        """Cosines ``(N, D, H, W)`` → displacement ``(N, 2, H, W)`` in px of the maps."""
        shifts: Tensor = self.shifts  # type: ignore[assignment]
        prior = -0.5 * shifts.square().sum(0) * torch.exp(-2 * PACE * self.spread)
        trusted = local_mean(costs, self.gather) * torch.exp(PACE * self.sharpness)
        weights = torch.softmax(trusted + prior[:, None, None], dim=1)
        return torch.einsum("ndhw,cd->nchw", weights, shifts)


def local_mean(maps: Tensor, side: int) -> Tensor:
    """Mean over a square of so many px a side, odd, around every pixel; beyond the border nothing counts."""
    height, width = maps.shape[-2:]
    return _means(height, side, maps) @ maps @ _means(width, side, maps).T


def _means(length: int, side: int, like: Tensor) -> Tensor:
    """The matrix ``(length, length)`` of a mean over windows of a line: products of matrices are ten times as fast as
    pooling in steps of one pixel."""
    place = torch.arange(length, device=like.device)
    near = ((place[:, None] - place).abs() <= side // 2).to(like.dtype)
    return near / near.sum(dim=1, keepdim=True)
