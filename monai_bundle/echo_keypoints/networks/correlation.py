"""Correlation blocks: what FlowNet and TRNet know about how a target resembles its reference."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_AT_A_TIME = 4  # pairs of maps: so many stay in the cache


def cost_volume(reference: Tensor, target: Tensor, radius: int) -> Tensor:
    """Compare every reference pixel with its neighbours in the target (PWC-Net).

    Args:
        reference: ``(N, C, H, W)``.
        target: ``(N, C, H, W)``, zeros are assumed outside.
        radius: largest displacement r along each axis, in pixels.

    Returns:
        ``(N, (2r + 1)^2, H, W)``: mean over channels of ``reference(p) * target(p + d)``, displacements d in
        raster order from ``(-r, -r)``, x fastest.
    """
    parts = zip(reference.split(_AT_A_TIME), target.split(_AT_A_TIME), strict=True)
    return torch.cat([_costs(some, others, radius) for some, others in parts])


def _costs(reference: Tensor, target: Tensor, radius: int) -> Tensor:
    height, width = reference.shape[-2:]
    # Both in one layout: products of maps that lie differently in memory take ten times as long.
    reference, padded = reference.contiguous(), F.pad(target.contiguous(), (radius,) * 4)
    steps = range(2 * radius + 1)
    costs = [
        (reference * padded[..., y : y + height, x : x + width]).mean(dim=1) for y in steps for x in steps
    ]
    return torch.stack(costs, dim=1)


def patch_correlation(reference: Tensor, target: Tensor) -> Tensor:
    """4-D correlation: every reference pixel with every target pixel (RAFT; TR-net, paper section 3.2).

    Args:
        reference: ``(..., C, S, S)``.
        target: ``(..., C, S', S')``; leading sizes broadcast against those of the reference.

    Returns:
        ``(..., S*S, S'*S')`` dot products over channels. They are cosines if both were given through
        `unit_length`.
    """
    return reference.flatten(-2).transpose(-1, -2) @ target.flatten(-2)


def shift_correlation(reference: Tensor, target: Tensor, parts: int = 2) -> Tensor:
    """4-D correlation pooled over all pairs of equal displacement, for each part of the reference apart.

    The full 4-D volume of two 24 × 24 image patches has 331,776 values. What it says about sub-pixel motion
    lies in its diagonals: one value for each displacement, as in block matching, for a few parts of the
    patch.

    Args:
        reference: ``(N, C, S, S)`` with S divisible by `parts`.
        target: ``(N, C, S + 2r, S + 2r)``, on the same centre.
        parts: the reference is split into ``parts x parts`` squares.

    Returns:
        ``(N, parts^2, (2r + 1)^2)``: mean product over the pixels and channels of a part, displacements in
        raster order from ``(-r, -r)``, x fastest.
    """
    side = reference.shape[-1] // parts
    shifts = target.shape[-1] - reference.shape[-1] + 1
    span = side + shifts - 1  # of what a part is searched in
    tiles = reference.unflatten(-1, (parts, side)).unflatten(-3, (parts, side))  # (N, C, Py, y, Px, x)
    tiles = tiles.permute(0, 2, 4, 5, 1, 3).flatten(-2)  # (N, Py, Px, x, C * y)
    across = torch.stack([target[..., i * side : i * side + span] for i in range(parts)], dim=1)
    rows = [
        torch.stack([across[..., first + dy : first + dy + side, :] for dy in range(shifts)], dim=-2)
        for first in range(0, parts * side, side)
    ]
    windows = torch.stack(rows, dim=1).flatten(-2).flatten(-3, -2)  # (N, Py, Px, C * y, dy * x')
    products = tiles @ windows  # (N, Py, Px, x, dy * x'); the displacement dx has them at x' = x + dx
    length = products.shape[-1]
    # Rows that are one longer bring these diagonals under each other, to be added up.
    skewed = F.pad(products.flatten(-2), (0, side)).unflatten(-1, (side, length + 1)).sum(dim=-2)
    sums = skewed[..., :length].unflatten(-1, (shifts, span))[..., :shifts]
    return sums.flatten(-2).flatten(1, 2) / (side * side * reference.shape[1])


def unit_length(maps: Tensor, dim: int, eps: float = 1e-6) -> Tensor:
    """Scale vectors along `dim` to length 1; those with a squared length well below `eps` fade to 0."""
    return maps * torch.rsqrt(maps.square().sum(dim=dim, keepdim=True) + eps)
