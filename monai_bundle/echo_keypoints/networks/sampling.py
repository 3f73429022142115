"""Reading maps between their samples: points, patches around points, and warping by a flow.

Points are (x, y) with pixel centres at integers. Sample i of a map of stride s lies at model pixel
``(i + 0.5) * s - 0.5``. Outside of a map its border continues. Everything is differentiable in the maps and
in the points, and uses 4-D ``grid_sample`` only, which ONNX Runtime has on every platform.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def to_map_pixels(points: Tensor, stride: float) -> Tensor:
    """Express points ``(..., 2)`` of model space in the pixels of a map of this stride."""
    return (points + 0.5) / stride - 0.5


def _grid_sample(maps: Tensor, points: Tensor) -> Tensor:
    """Sample ``(N, C, H, W)`` at ``(N, A, B, 2)`` map pixels → ``(N, C, A, B)``."""
    height, width = maps.shape[-2:]
    # With align_corners=False the range -1..1 spans pixel edges, -0.5..W-0.5 here.
    grid = torch.stack(((points[..., 0] * 2 + 1) / width - 1, (points[..., 1] * 2 + 1) / height - 1), dim=-1)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)


def sample_points(maps: Tensor, points: Tensor) -> Tensor:
    """Read maps bilinearly at points.

    Args:
        maps: ``(N, C, H, W)``.
        points: ``(N, K, 2)`` (x, y) in the pixels of the maps.

    Returns:
        ``(N, K, C)``.
    """
    return _grid_sample(maps, points.unsqueeze(1))[:, :, 0].transpose(1, 2)


def sample_patches(maps: Tensor, points: Tensor, size: int, stride: float = 1, spacing: float = 1) -> Tensor:
    """Cut square patches centred on points, bilinearly, so that they follow sub-pixel positions.

    Args:
        maps: ``(N, C, H, W)``.
        points: ``(N, K, 2)`` (x, y) in model pixels.
        size: samples along each side; they lie at ``(j - (size - 1) / 2) * spacing`` from the point.
        stride: model pixels per map pixel.
        spacing: distance between neighbouring samples, in pixels of the map.

    Returns:
        ``(N, K, C, size, size)``, rows along y.
    """
    steps = (torch.arange(size, dtype=points.dtype, device=points.device) - (size - 1) / 2) * spacing
    offsets = torch.stack((steps.repeat(size), steps.repeat_interleave(size)), dim=-1)  # (size*size, 2)
    where = to_map_pixels(points, stride).unsqueeze(2) + offsets  # (N, K, size*size, 2)
    return _grid_sample(maps, where).transpose(1, 2).unflatten(-1, (size, size))


def warp(maps: Tensor, flow: Tensor) -> Tensor:
    """Bring a target back onto its reference: ``warp(target, flow)(p) = target(p + flow(p))``.

    Args:
        maps: ``(N, C, H, W)``.
        flow: ``(N, 2, H, W)``, (x, y) displacement in pixels of the maps.

    Returns:
        ``(N, C, H, W)``.
    """
    return _grid_sample(maps, pixel_grid(flow) + flow.permute(0, 2, 3, 1))


def inside(flow: Tensor) -> Tensor:
    """Tell where the flow ``(N, 2, H, W)`` ends within the image: bool ``(N, 1, H, W)``."""
    height, width = flow.shape[-2:]
    end = pixel_grid(flow) + flow.permute(0, 2, 3, 1)
    limit = end.new_tensor((width - 1, height - 1))
    return ((end >= 0) & (end <= limit)).all(dim=-1).unsqueeze(1)


def pixel_grid(maps: Tensor) -> Tensor:
    """Give the (x, y) of every pixel of ``(..., H, W)`` maps: ``(H, W, 2)``, same type and device."""
    height, width = maps.shape[-2:]
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=maps.dtype, device=maps.device),
        torch.arange(width, dtype=maps.dtype, device=maps.device),
        indexing="ij",
    )
    return torch.stack((columns, rows), dim=-1)
