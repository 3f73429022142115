"""From the maps of the detectors to points, each as its authors do it."""

from __future__ import annotations

import torch
from torch import Tensor

THRESHOLD = 0.3
"""EchoNet-LVH takes the centroid of what exceeds it (`utils.get_points_np` of its repository)."""


def weighted_centroids(maps: Tensor, threshold: float = THRESHOLD) -> Tensor:
    """Centroids of heat-maps above a threshold, lowered to half of the peak where nothing exceeds it.

    Args:
        maps: ``(N, K, H, W)``, 0 to 1.
        threshold: below it a pixel does not count.

    Returns:
        ``(N, K, 2)`` (x, y) px.
    """
    peak = maps.amax((-2, -1), keepdim=True)
    counted = maps * (maps >= torch.minimum(peak / 2, peak.new_tensor(threshold)))
    # A map may have two places above the threshold: the other one must not pull the point into the middle.
    near = _disc(maps)
    return _mean_place(counted * near)


def expected_points(logits: Tensor) -> Tensor:
    """Mean place under the soft-max over space, as EchoGLAD reads its finest grid: ``(N, K, H, W)`` → ``(N, K, 2)``."""
    share = torch.softmax(logits.flatten(2), dim=-1).view_as(logits)
    return _mean_place(share)


def _mean_place(weights: Tensor) -> Tensor:
    height, width = weights.shape[-2:]
    x = torch.arange(width, dtype=weights.dtype, device=weights.device)
    y = torch.arange(height, dtype=weights.dtype, device=weights.device)
    total = weights.sum((-2, -1)).clamp_min(1e-12)
    return torch.stack(((weights.sum(-2) @ x) / total, (weights.sum(-1) @ y) / total), dim=-1)


def _disc(maps: Tensor) -> Tensor:
    """1 within a tenth of the picture's side of the (first) peak: ``(N, K, H, W)``."""
    height, width = maps.shape[-2:]
    place = maps.flatten(2).argmax(-1)[..., None, None]
    y = torch.arange(height, device=maps.device)[:, None] - place // width
    x = torch.arange(width, device=maps.device)[None] - place % width
    return (x * x + y * y <= (width / 10) ** 2).to(maps.dtype)
