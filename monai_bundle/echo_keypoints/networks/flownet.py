"""FlowNet: dense motion from a reference to a target frame; it makes TR-net's pseudo-labels (paper, 3.3).

PWC-Net in the light form that ARFlow trains: a feature pyramid, and from coarse to fine a cost volume on
features warped by the flow so far, one estimator shared by all levels, and a dilated context network. Unlike
there, the motion is first read off the cost volume itself (`matching.Matching`), and the estimator and the
context network, which begin with zero, correct it; the finest level, at half resolution as in DIS flow, is
matching alone. A network whose flow comes from convolutions alone starts with noise of several pixels: trained
on speckle without labels, it settles at no motion.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .matching import Matching
from .sampling import warp

FINEST_STRIDE = 2
FINEST_RADIUS = 2
"""Of the cost volume at the finest stride, where coarser levels leave little to find."""
PASSES = (3, 2, 1)
"""How often a level at strides 2, 4 and from 8 on is matched: the prior makes each pass fall a little short."""
WINDOWS = ((7, 11), (7, 9), (5, 7))
"""Windows of the matching at strides 2, 4 and from 8 on: of the costs, and of the displacements."""
SLOPE = 0.1
"""Of the leaky rectifiers."""

PRESETS: dict[str, dict[str, Any]] = {
    # For CPUs. Strides 2, 4 and 8 reach 52 px, more than the largest motion of a wall at 224 px; what is
    # coarser than the walls adds more noise than motion.
    "small": {
        "widths": (16, 24, 32),
        "level_width": 24,
        "estimator": (64, 64, 48, 32),
        "context": ((48, 1), (48, 2), (48, 4), (32, 8), (24, 1)),
    },
    # The sizes of PWC-Net's pyramid and of ARFlow's estimator.
    "paper": {
        "widths": (16, 32, 64, 96, 128, 192),
        "level_width": 32,
        "estimator": (128, 128, 96, 64, 32),
        "context": ((128, 1), (128, 2), (128, 4), (96, 8), (64, 16), (32, 1)),
    },
}


def _conv(inputs: int, outputs: int, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation), nn.LeakyReLU(SLOPE, inplace=True)
    )


def _halve(inputs: int, outputs: int) -> nn.Sequential:
    # An even kernel keeps sample i at (i + 0.5) * s - 0.5; a 3×3 one would shift each level by half a pixel.
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 4, stride=2, padding=1),
        nn.LeakyReLU(SLOPE, inplace=True),
        _conv(outputs, outputs),
    )


def _double(flow: Tensor) -> Tensor:
    """Bring a flow to twice its resolution, and to the pixels of that resolution."""
    return F.interpolate(flow * 2, scale_factor=2.0, mode="bilinear", align_corners=False)


def _normalised(maps: Tensor) -> Tensor:
    """Bring every channel of ``(N, C, H, W)`` to mean 0 and deviation 1: cosines tell little with a common offset."""
    mean, deviation = maps.mean((2, 3), keepdim=True), maps.std((2, 3), keepdim=True)
    return (maps - mean) / (deviation + 1e-5)


class FlowEstimator(nn.Module):
    """Convolutions that each see the two before them ("reduced dense"), then a residual flow.

    Args:
        inputs: channels of the input.
        widths: channels of the convolutions, at least two.
    """

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        seen = [inputs, widths[0], *(a + b for a, b in pairwise(widths))]
        self.layers = nn.ModuleList(_conv(i, o) for i, o in zip(seen[:-1], widths, strict=True))
        self.features = seen[-1]
        self.flow = nn.Conv2d(self.features, 2, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``(N, inputs, H, W)`` → features ``(N, self.features, H, W)`` and flow ``(N, 2, H, W)``."""
        last = [self.layers[0](x)]
        for layer in self.layers[1:]:
            last = [last[-1], layer(torch.cat(last, dim=1))]
        features = torch.cat(last, dim=1)
        return features, self.flow(features)


class FlowNet(nn.Module):
    """Optical flow between two frames.

    Args:
        in_channels: 1 for grey frames.
        widths: channels of the feature pyramid at strides 2, 4, 8, ...
        level_width: channels to which every level's features are brought for the shared estimator.
        estimator: widths of the shared estimator.
        context: (width, dilation) of each layer of the context network.
        radius: of the cost volume, in pixels of each level.
    """

    def __init__(
        self,
        in_channels: int = 1,
        widths: Sequence[int] = (16, 24, 32),
        level_width: int = 24,
        estimator: Sequence[int] = (64, 64, 48, 32),
        context: Sequence[tuple[int, int]] = ((48, 1), (48, 2), (48, 4), (32, 8), (24, 1)),
        radius: int = 4,
    ) -> None:
        super().__init__()
        self.preset: str | None = None
        self.overrides: dict[str, Any] = {}
        self.radius = radius
        self.encoder = nn.ModuleList(
            _halve(i, o) for i, o in zip((in_channels, *widths[:-1]), widths, strict=True)
        )
        self.projections = nn.ModuleList(nn.Conv2d(width, level_width, 1) for width in widths[1:])
        self.estimator = FlowEstimator((2 * radius + 1) ** 2 + level_width + 2, estimator)
        context_widths = [self.estimator.features + 2, *(width for width, _ in context)]
        self.context = nn.Sequential(
            *(_conv(i, o, d) for i, (o, d) in zip(context_widths[:-1], context, strict=True)),
            nn.Conv2d(context_widths[-1], 2, 3, padding=1),
        )
        windows = (*WINDOWS, *WINDOWS[-1:] * len(widths))
        self.matching = nn.ModuleList(
            Matching(radius if level else FINEST_RADIUS, FINEST_STRIDE * 2**level, *windows[level])
            for level in range(len(widths))
        )
        self._begin()

    def _begin(self) -> None:
        """Keep the variance of signals from layer to layer; corrections of the flow begin with zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=SLOPE)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        for head in (self.estimator.flow, self.context[-1]):
            nn.init.zeros_(head.weight)  # type: ignore[arg-type]

    @classmethod
    def from_preset(cls, preset: str, **overrides: Any) -> FlowNet:
        """Build a network of `PRESETS` (``"small"`` or ``"paper"``); keywords override single values."""
        network = cls(**{**PRESETS[preset], **overrides})
        network.preset, network.overrides = preset, overrides
        return network

    def encode(self, frames: Tensor) -> list[Tensor]:
        """``(N, 1, H, W)`` → features of the padded frames at strides 2, 4, ..., finest first.

        Frames are brought to mean 0 and deviation 1, so that gain does not matter, and continued to the right
        and below to the next multiple of the coarsest stride.
        """
        mean, deviation = frames.mean((1, 2, 3), keepdim=True), frames.std((1, 2, 3), keepdim=True)
        x = (frames - mean) / (deviation + 0.02)
        coarsest = 2 ** len(self.encoder)
        height, width = frames.shape[-2:]
        x = F.pad(x, (0, -width % coarsest, 0, -height % coarsest), mode="replicate")
        levels = []
        for stage in self.encoder:
            x = stage(x)
            levels.append(x)
        return levels

    def decode(self, reference: Sequence[Tensor], target: Sequence[Tensor]) -> list[Tensor]:
        """Features of two frames → flows ``(N, 2, H_l, W_l)`` at strides 2, 4, ..., finest first."""
        flow = torch.zeros_like(reference[-1][:, :2])
        flows: list[Tensor] = []
        for level in reversed(range(len(reference))):
            a, b = _normalised(reference[level]), _normalised(target[level])
            if flows:
                flow = _double(flow)
            for _ in range(PASSES[min(level, len(PASSES) - 1)]):
                flow, cost = self.matching[level](a, warp(b, flow), flow)
            if level:
                flow = self._correct(flow, cost, self.projections[level - 1](a))
            flows.insert(0, flow)
        return flows

    def _correct(self, flow: Tensor, cost: Tensor, features: Tensor) -> Tensor:
        """What the estimator and the context network make of a flow."""
        seen, residual = self.estimator(torch.cat((cost, features, flow), dim=1))
        flow = flow + residual
        return flow + self.context(torch.cat((seen, flow), dim=1))

    def _finish(self, flows: Sequence[Tensor], size: tuple[int, int]) -> list[Tensor]:
        """Bring the flows of strides 2, 4, ... to 1, 2, ... and cut the padding off."""
        height, width = size
        return [
            F.interpolate(f * FINEST_STRIDE, scale_factor=float(FINEST_STRIDE), mode="bilinear")[
                ..., : -(-height // 2**level), : -(-width // 2**level)
            ]
            for level, f in enumerate(flows)
        ]

    def pyramid(self, reference: Tensor, target: Tensor) -> list[Tensor]:
        """Give the flows of all levels, for training.

        Args:
            reference: ``(B, 1, H, W)`` in [0, 1], any size.
            target: the same size.

        Returns:
            Flows ``(B, 2, H/2^i, W/2^i)`` (rounded up), i = 0, 1, ..., finest first, in the pixels of their
            own resolution. The first is what `forward` gives.
        """
        flows = self.decode(self.encode(reference), self.encode(target))
        return self._finish(flows, (reference.shape[-2], reference.shape[-1]))

    def pyramid_both_ways(self, reference: Tensor, target: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Give `pyramid` of (reference, target) and of (target, reference), encoding each frame once."""
        count = reference.shape[0]
        levels = self.encode(torch.cat((reference, target)))
        swapped = [torch.cat((level[count:], level[:count])) for level in levels]
        flows = self._finish(self.decode(levels, swapped), (reference.shape[-2], reference.shape[-1]))
        return [f[:count] for f in flows], [f[count:] for f in flows]

    def forward(self, reference: Tensor, target: Tensor) -> Tensor:
        """Two ``(B, 1, H, W)`` → flow ``(B, 2, H, W)`` in px: ``target(p + flow(p)) ~ reference(p)``."""
        return self.pyramid(reference, target)[0]
