"""Correlation blocks: what FlowNet and TRNet know about how a target resembles its reference."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


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
    height, width = reference.shape[-2:]
    padded = F.pad(target, (radius,) * 4)
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
    size = reference.shape[-1]
    steps = range(target.shape[-1] - size + 1)
    columns = torch.stack([target[..., x : x + size] for x in steps], dim=1)  # (N, D, C, S + 2r, S)
    windows = torch.stack([columns[..., y : y + size, :] for y in steps], dim=1)  # (N, D, D, C, S, S)
    products = (windows * reference[:, None, None]).mean(dim=3)  # (N, D, D, S, S)
    tiles = products.unflatten(-1, (parts, size // parts)).unflatten(-3, (parts, size // parts))
    return tiles.mean(dim=(-1, -3)).flatten(-2).flatten(1, 2).transpose(1, 2)


def unit_length(maps: Tensor, dim: int, eps: float = 1e-6) -> Tensor:
    """Scale vectors along `dim` to length 1; those with a squared length well below `eps` fade to 0."""
    return maps * torch.rsqrt(maps.square().sum(dim=dim, keepdim=True) + eps)
