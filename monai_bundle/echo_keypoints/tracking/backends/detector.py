"""SK-net, decoding and TR-net's encoder in one module, ``detector.onnx``, and SK-net's labels of tissue,
``tissue.onnx``: what torch runs too."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from echo_keypoints.networks.sknet import STRIDES, SKNet
from echo_keypoints.networks.trnet import TRNet
from echo_keypoints.tracking.decode import REACH, SHARPNESS, SMALLEST_PEAK, SPREAD_NORM
from echo_keypoints.tracking.tone import LIFTED


class HeatmapDecoder(nn.Module):
    """`decode.decode_heatmaps` in torch, in operations that export to ONNX with any batch size."""

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        steps = torch.arange(-REACH, REACH + 1)
        rows, columns = torch.meshgrid(steps, steps, indexing="ij")
        near = rows**2 + columns**2 <= REACH**2
        self.register_buffer("window", torch.stack((rows[near], columns[near])), persistent=False)

    def forward(self, heatmaps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``(N, C, H, W)`` → points ``(N, C, 2)`` (x, y) px, peak ``(N, C)``, spread ``(N, C)`` px."""
        height, width = heatmaps.shape[-2:]
        heat = heatmaps.float().flatten(2)  # (N, C, H*W)
        peak, index = heat.max(dim=-1)
        row = torch.div(index, width, rounding_mode="floor").unsqueeze(-1)
        column = index.unsqueeze(-1) - row * width
        dy, dx = self.window[0], self.window[1]
        counts = (dx.abs() <= torch.minimum(column, width - 1 - column)) & (
            dy.abs() <= torch.minimum(row, height - 1 - row)
        )
        where = (row + dy).clamp(0, height - 1) * width + (column + dx).clamp(0, width - 1)
        share = counts * torch.exp(SHARPNESS * (heat.gather(-1, where) - peak.unsqueeze(-1)))
        steps = torch.stack((dx, dy), dim=-1).to(heat.dtype)  # (P, 2)
        offset = (share @ steps) / share.sum(dim=-1, keepdim=True)
        points = torch.cat((column, row), dim=-1).to(heat.dtype) + offset
        return points, peak, _spread(heat, peak.clamp_min(SMALLEST_PEAK), points, height, width)


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

    tones: Tensor

    def __init__(self, sknet: SKNet, trnet: TRNet) -> None:
        super().__init__()
        self.sknet = sknet
        self.trnet = trnet
        self.decoder = HeatmapDecoder()
        self.register_buffer("tones", torch.from_numpy(LIFTED) / 255, persistent=False)

    def forward(self, frames: Tensor, contexts: Tensor) -> tuple[Tensor, ...]:
        """Detect. SK-net is shown the frames with lifted dark greys (`tone`), TR-net as they are.

        Args:
            frames: ``(N, H, W)`` uint8.
            contexts: ``(N, 2, H, W)`` float32 of lifted frames, zeros where not known (`tracking.context`).

        Returns:
            Points ``(N, 4, 2)``, peak ``(N, 4)``, spread ``(N, 4)``, then the maps.
        """
        frames = frames.unsqueeze(1)
        streams = self.sknet.streams(self.tones[frames.long()], contexts)
        maps = self.trnet.encode(frames.float() / 255, tuple(streams[: len(STRIDES)]))
        return *self.decoder(self.sknet.landmarks(streams)), *maps


class Labeller(nn.Module):
    """What SK-net takes for which tissue.

    Args:
        sknet: the static detector.
    """

    def __init__(self, sknet: SKNet) -> None:
        super().__init__()
        self.sknet = sknet

    def forward(self, frames: Tensor, contexts: Tensor) -> Tensor:
        """Label tissue.

        Args:
            frames: ``(N, H, W)`` uint8.
            contexts: ``(N, 2, H, W)`` float32, zeros where not known.

        Returns:
            ``(N, 2, H/4, W/4)`` uint8, see `Backend.label`; zeros from an SK-net without that head.
        """
        x = frames.unsqueeze(1).float() / 255
        if self.sknet.tissue_heads is None:
            return (0 * (x + contexts)[:, :, ::4, ::4]).to(torch.uint8)
        certainty, label = self.sknet.label(x, contexts).float().softmax(dim=1).max(dim=1)
        return torch.stack((label.to(torch.uint8), (255 * certainty).to(torch.uint8)), dim=1)
