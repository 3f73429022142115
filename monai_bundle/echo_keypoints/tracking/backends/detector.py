"""SK-net, decoding and TR-net's encoder in one module: ``detector.onnx``, and what torch runs too."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from echo_keypoints.networks.sknet import SKNet
from echo_keypoints.networks.trnet import TRNet
from echo_keypoints.tracking.decode import (
    FLOOR,
    LARGEST_STEP,
    SMALLEST_PEAK,
    SPREAD_NORM,
    WINDOW,
    fit_kernels,
)


class HeatmapDecoder(nn.Module):
    """`decode.decode_heatmaps` in torch, in operations that export to ONNX with any batch size."""

    window: Tensor
    kernels: Tensor

    def __init__(self) -> None:
        super().__init__()
        half = WINDOW // 2
        rows, columns = torch.meshgrid(
            torch.arange(-half, half + 1), torch.arange(-half, half + 1), indexing="ij"
        )
        self.register_buffer("window", torch.stack((rows.flatten(), columns.flatten())), persistent=False)
        self.register_buffer("kernels", torch.from_numpy(fit_kernels().copy()), persistent=False)

    def forward(self, heatmaps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``(N, C, H, W)`` → points ``(N, C, 2)`` (x, y) px, peak ``(N, C)``, spread ``(N, C)`` px."""
        height, width = heatmaps.shape[-2:]
        heat = heatmaps.float().flatten(2)  # (N, C, H*W)
        peak, index = heat.max(dim=-1)
        level = peak.clamp_min(SMALLEST_PEAK)
        row = torch.div(index, width, rounding_mode="floor")
        column = index - row * width
        offset = self._step(heat, row, column, level, height, width)
        points = torch.stack((column, row), dim=-1).to(heat.dtype) + offset
        return points, peak, _spread(heat, level, points, height, width)

    def _step(
        self, heat: Tensor, row: Tensor, column: Tensor, level: Tensor, height: int, width: int
    ) -> Tensor:
        half = WINDOW // 2
        top = row.clamp(half, height - 1 - half)
        left = column.clamp(half, width - 1 - half)
        where = (top.unsqueeze(-1) + self.window[0]) * width + left.unsqueeze(-1) + self.window[1]
        window = heat.gather(-1, where) / level.unsqueeze(-1)  # (N, C, 49)
        b, c, d, e, f = (window.clamp_min(FLOOR).log() @ self.kernels).unbind(-1)
        determinant = 4 * d * e - f * f
        has_top = (d < 0) & (determinant > 1e-8)
        safe = torch.where(has_top, determinant, torch.ones_like(determinant))
        x = (f * c - 2 * e * b) / safe + (left - column)
        y = (f * b - 2 * d * c) / safe + (top - row)
        step = torch.stack((x, y), dim=-1).clamp(-LARGEST_STEP, LARGEST_STEP)
        return torch.where(has_top.unsqueeze(-1), step, torch.zeros_like(step))


def _spread(heat: Tensor, level: Tensor, points: Tensor, height: int, width: int) -> Tensor:
    """Sigma in px from the second moment, about the peak, of what exceeds half of the peak."""
    weight = (heat - level.unsqueeze(-1) / 2).clamp_min(0)
    x = (torch.arange(width, dtype=heat.dtype, device=heat.device) - width / 2).repeat(height)
    y = (torch.arange(height, dtype=heat.dtype, device=heat.device) - height / 2).repeat_interleave(width)
    moments = weight @ torch.stack(
        (torch.ones_like(x), x, y, x * x + y * y), dim=-1
    )  # one pass over the maps
    total, sum_x, sum_y, sum_r2 = moments.unbind(-1)
    px, py = points[..., 0] - width / 2, points[..., 1] - height / 2
    about_peak = sum_r2 - 2 * (px * sum_x + py * sum_y) + (px * px + py * py) * total
    return (about_peak.clamp_min(0) / total.clamp_min(1e-12) / (2 * SPREAD_NORM)).sqrt()


class Detector(nn.Module):
    """Everything that is done once per frame.

    Args:
        sknet: the static detector.
        trnet: the refiner, whose `encode` turns frames and SK-net's features into maps.
    """

    def __init__(self, sknet: SKNet, trnet: TRNet) -> None:
        super().__init__()
        self.sknet = sknet
        self.trnet = trnet
        self.decoder = HeatmapDecoder()

    def forward(self, frames: Tensor, contexts: Tensor) -> tuple[Tensor, ...]:
        """Detect.

        Args:
            frames: ``(N, H, W)`` uint8.
            contexts: ``(N, 2, H, W)`` float32, zeros where not known (`tracking.context`).

        Returns:
            Points ``(N, 4, 2)``, peak ``(N, 4)``, spread ``(N, 4)``, then the maps.
        """
        x = frames.unsqueeze(1).float() / 255
        heatmaps, features = self.sknet.features(x, contexts)
        return *self.decoder(heatmaps), *self.trnet.encode(x, features)
