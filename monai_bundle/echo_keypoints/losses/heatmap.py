"""Gaussian targets for the four key-points and the heat-map loss of SK-net (eq. 1 of the paper)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

GAMMA = 0.01
"""Weight of the background in eq. 1."""

_READINGS: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "foreground": lambda p, t, gamma: (t - p).square() * (t + gamma),
    "mse": lambda p, t, gamma: (t - p).square(),
    "eight_bit": lambda p, t, gamma: (t - p).square() * (1 + gamma * 255 * t),
    "literal": lambda p, t, gamma: (t - p) * (1 + gamma) * t,
}


def gaussian_heatmaps(points: Tensor, size: int | tuple[int, int], sigma: float) -> Tensor:
    """Draw one Gaussian of peak 1 around every point, exact at sub-pixel positions.

    The value at pixel centre (x, y) is ``exp(-((x - px)^2 + (y - py)^2) / (2 sigma^2))``; nothing is rounded
    or cut off, so a point outside of the map still leaves its tail inside.

    Args:
        points: ``(..., 2)`` floating-point (x, y) in pixels of the map, pixel centres at integers.
        size: height and width of the maps, or one number for both.
        sigma: standard deviation in pixels.

    Returns:
        ``(..., H, W)`` of the type of the points, values in 0..1.
    """
    height, width = (size, size) if isinstance(size, int) else size
    columns = torch.arange(width, dtype=points.dtype, device=points.device)
    rows = torch.arange(height, dtype=points.dtype, device=points.device)
    along_x = torch.exp((columns - points[..., 0:1]).square() / (-2 * sigma**2))  # (..., W)
    along_y = torch.exp((rows - points[..., 1:2]).square() / (-2 * sigma**2))  # (..., H)
    return along_y.unsqueeze(-1) * along_x.unsqueeze(-2)


class HeatmapLoss(nn.Module):
    """The "modified MSE" of SK-net: ``mean[(I_GT - I_cmap)^2 (I_GT + gamma)]``.

    Eq. 1 is printed without the square, as ``E[(I_GT - I_cmap)(1 + gamma) I_GT]``. That form is linear in the
    prediction, so it has no minimum, and it ignores every pixel off the key-point. With peak-1 targets the
    form above is the only squared reading in which gamma = 0.01 matters: it keeps the background at weight
    gamma. The others are kept for comparison.

    Args:
        reading: ``"foreground"`` as above; ``"mse"``; ``"eight_bit"``,
            ``(I_GT - I_cmap)^2 (1 + 255 gamma I_GT)``, eq. 1 squared for maps in 0..255; ``"literal"``, eq. 1
            as printed (unbounded below).
        gamma: weight of the background.

    Raises:
        ValueError: the reading is not one of these.
    """

    def __init__(self, reading: str = "foreground", gamma: float = GAMMA) -> None:
        super().__init__()
        if reading not in _READINGS:
            raise ValueError(f"reading must be one of {', '.join(_READINGS)}, not {reading!r}")
        self.reading, self.gamma = reading, gamma

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Compare predicted maps with targets.

        Args:
            prediction: ``(B, K, H, W)`` heat-maps from a linear head.
            target: ``(B, K, H, W)`` from `gaussian_heatmaps`, values in 0..1.
            weight: ``(B, K)`` weights of the key-points, 0 where one has no label; all ones by default.

        Returns:
            Scalar: the mean over all pixels of the key-points, weighted.
        """
        reading = _READINGS[self.reading]
        if weight is None:
            return reading(prediction, target, self.gamma).mean()
        # A key-point without a label may have NaN coordinates, and 0 * NaN is NaN: drop its target first.
        target = torch.where(weight[..., None, None] > 0, target, 0.0)
        per_map = reading(prediction, target, self.gamma).mean(dim=(-2, -1))  # (B, K)
        return (per_map * weight).sum() / weight.sum().clamp_min(torch.finfo(per_map.dtype).eps)
