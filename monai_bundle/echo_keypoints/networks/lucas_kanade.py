"""Dense Lucas-Kanade flow between near frames: no weights, nothing learnt, the same in torch and ONNX Runtime.

Coarse to fine, each level takes a few Gauss-Newton steps for the displacement that makes the target look like the
reference within a Gaussian window (Lucas and Kanade 1981; the gradient of the reference serves all steps, Baker and
Matthews 2004). Frames are normalised locally first, so that gain and depth compensation do not matter.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .sampling import warp
from .trnet import normalise_locally

LARGEST_STEP = 1.5
"""Largest change of the flow in one step, pixels of the level."""


class LucasKanadeFlow(nn.Module):
    """Flow from one frame to another.

    Args:
        levels: factors by which the frames are reduced, coarsest first.
        steps: Gauss-Newton steps on each level.
        window: sigma of the Gaussian window, pixels of each level.
        floor: squared gradient (of normalised frames, per pixel) below which there is nothing to hold on to.
        blur: sigma of the smoothing of the frames, which speckle needs.
    """

    def __init__(
        self,
        levels: tuple[int, ...] = (8, 4, 2, 1),
        steps: tuple[int, ...] = (2, 3, 3, 3),
        window: float = 4.0,
        floor: float = 0.02,
        blur: float = 0.7,
    ) -> None:
        super().__init__()
        self.levels, self.steps, self.floor = levels, steps, floor
        self.smoothing = Gaussian(blur)
        # Windowed sums change slowly: they are taken at half of the level's resolution.
        self.window = Gaussian(window / 2)

    def forward(self, reference: Tensor, target: Tensor) -> Tensor:
        """Two ``(B, 1, H, W)`` in [0, 1], H and W divisible by 16 → flow ``(B, 2, H / 2, W / 2)``.

        The flow is in pixels of the frames, at every second pixel: ``target(p + flow(p)) ~ reference(p)``.
        """
        frames = self.smoothing(
            normalise_locally(torch.cat((reference, target), dim=1).flatten(0, 1)[:, None])
        )
        pairs = frames.unflatten(0, (-1, 2))  # (B, 2, 1, H, W)
        before, after = pairs[:, 0], pairs[:, 1]
        flow = torch.zeros_like(before[:, :, ::2, ::2]).repeat(1, 2, 1, 1)
        flow = F.avg_pool2d(flow, self.levels[0])
        for index, (level, steps) in enumerate(zip(self.levels, self.steps, strict=True)):
            if index:
                ratio = self.levels[index - 1] / level
                flow = ratio * F.interpolate(flow, scale_factor=ratio, mode="bilinear", align_corners=False)
            flow = self._refined(flow, _reduced(before, level), _reduced(after, level), steps)
        return flow

    def _refined(self, flow: Tensor, before: Tensor, after: Tensor, steps: int) -> Tensor:
        """Flow ``(B, 2, h / 2, w / 2)`` in pixels of the frames ``(B, 1, h, w)``, after some steps."""
        dx, dy = _gradient(before)
        xx, xy, yy = self._windowed(torch.cat((dx * dx, dx * dy, dy * dy), dim=1)).split(1, dim=1)
        xx, yy = xx + self.floor, yy + self.floor
        determinant = xx * yy - xy * xy
        for _ in range(steps):
            full = F.interpolate(flow, scale_factor=2.0, mode="bilinear", align_corners=False)
            rest = before - warp(after, full)
            ex, ey = self._windowed(torch.cat((dx * rest, dy * rest), dim=1)).split(1, dim=1)
            step = torch.cat((yy * ex - xy * ey, xx * ey - xy * ex), dim=1) / determinant
            flow = flow + step.clamp(-LARGEST_STEP, LARGEST_STEP)
        return flow

    def _windowed(self, products: Tensor) -> Tensor:
        return self.window(F.avg_pool2d(products, 2))


class Gaussian(nn.Module):
    """Gaussian smoothing of each channel; the border continues. ``(B, C, H, W)`` → the same shape."""

    kernel: Tensor

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.radius = max(1, math.ceil(2.5 * sigma))
        x = torch.arange(-self.radius, self.radius + 1, dtype=torch.float32)
        kernel = torch.exp(-0.5 * (x / sigma) ** 2)
        self.register_buffer("kernel", kernel / kernel.sum(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Smooth along x, then along y."""
        size, r = x.shape, self.radius
        x = x.reshape(-1, 1, *size[2:])
        x = F.conv2d(F.pad(x, (r, r, 0, 0), mode="replicate"), self.kernel.view(1, 1, 1, -1))
        x = F.conv2d(F.pad(x, (0, 0, r, r), mode="replicate"), self.kernel.view(1, 1, -1, 1))
        return x.reshape(size)


def _reduced(frames: Tensor, level: int) -> Tensor:
    return frames if level == 1 else F.avg_pool2d(frames, level)


def _gradient(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences of ``(B, 1, H, W)`` along x and y."""
    padded = F.pad(frames, (1, 1, 1, 1), mode="replicate")
    dx = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
    dy = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
    return dx, dy
