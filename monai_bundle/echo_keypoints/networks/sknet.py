"""SK-net: the static key-point detector, an HRNet that never leaves full resolution (paper, section 3.1).

Streams at strides 1, 2, 4 and 8 run side by side and exchange what they see; each of them votes for the heat-maps.
The streams themselves are the context features F_cp that TR-net reads (section 3.2).

The ``paper`` preset runs all four from the start. Nearly all of its cost is the full-resolution stream, so ``small``
runs the exchange at half resolution and below (with one more stream at stride 16 for the wide view), and lets the
full-resolution stream join at the end, where it places the peaks. Beyond the paper, ``small`` may also be shown what
the beat around the frame looks like (`tracking.context`); it works without, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from echo_keypoints.anatomy import LANDMARKS

STRIDES = (1, 2, 4, 8)
"""Strides of the context features."""

PRESETS: dict[str, dict[str, Any]] = {
    "small": {
        "context_channels": 2,
        "widths": (8, 8, 16, 32, 64),
        "blocks": (1, 1, 2, 3),
        "modules": (1, 1, 2),
    },
    # HRNet-W32 with a stride-1 stem, as the feature sizes of the paper's Figure 2 ask.
    "paper": {"widths": (32, 64, 128, 256), "blocks": (4, 4, 4, 4), "modules": (1, 4, 3)},
}


def convolution(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, relu: bool = True
) -> nn.Sequential:
    """Convolution that keeps the size but for the stride, batch normalisation, and rectification if wanted."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions around an identity: ``(B, C, H, W)`` → the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = convolution(width, width)
        self.second = convolution(width, width, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """Add what the two convolutions found, then rectify."""
        return F.relu(x + self.second(self.first(x)))


def _exchange(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """The path that brings stream `source` to the resolution and width of stream `target`."""
    if source == target:
        return nn.Identity()
    if source > target:
        # 1×1 at the low resolution first: the up-sampling then handles few channels.
        return nn.Sequential(
            convolution(widths[source], widths[target], kernel=1, relu=False),
            nn.Upsample(scale_factor=2 ** (source - target), mode="bilinear", align_corners=False),
        )
    steps = [convolution(widths[source], widths[source], stride=2) for _ in range(target - source - 1)]
    return nn.Sequential(*steps, convolution(widths[source], widths[target], stride=2, relu=False))


class ExchangeModule(nn.Module):
    """One HRNet module: residual blocks in each stream, then every stream receives the sum of all."""

    def __init__(self, widths: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        self.streams = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width) for _ in range(count)))
            for width, count in zip(widths, blocks, strict=True)
        )
        self.exchanges = nn.ModuleList(
            nn.ModuleList(_exchange(widths, source, target) for source in range(len(widths)))
            for target in range(len(widths))
        )

    def forward(self, streams: list[Tensor]) -> list[Tensor]:
        """``[(B, C_i, H/2^i, W/2^i)]`` → the same shapes."""
        refined = [block(x) for block, x in zip(self.streams, streams, strict=True)]
        fused = []
        for target in self.exchanges:
            assert isinstance(target, nn.ModuleList)
            terms = [path(x) for path, x in zip(target, refined, strict=True)]
            fused.append(F.relu(sum(terms[1:], terms[0])))
        return fused


class Trunk(nn.Module):
    """HRNet: streams are added one after the other, each at half the resolution of the one before.

    Args:
        in_channels: of the image.
        widths: channels of the four streams.
        blocks: residual blocks of each stream in one module.
        modules: exchange modules in the stages with 2, 3 and 4 streams.
    """

    def __init__(
        self, in_channels: int, widths: Sequence[int], blocks: Sequence[int], modules: Sequence[int]
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(convolution(in_channels, widths[0]), convolution(widths[0], widths[0]))
        self.transitions = nn.ModuleList(convolution(widths[i], widths[i + 1], stride=2) for i in range(3))
        self.stages = nn.ModuleList(
            nn.Sequential(*(ExchangeModule(widths[: i + 2], blocks[: i + 2]) for _ in range(count)))
            for i, count in enumerate(modules)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """``(B, in_channels, H, W)`` → four streams at strides 1, 2, 4, 8 of the input."""
        streams = [self.stem(x)]
        for transition, stage in zip(self.transitions, self.stages, strict=True):
            streams = stage([*streams, transition(streams[-1])])
        return streams


class FinestStream(nn.Module):
    """The full-resolution stream that joins at the end: its own look at the image, plus what the trunk knows."""

    def __init__(self, in_channels: int, width: int, trunk_width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(convolution(in_channels, width), convolution(width, width, relu=False))
        self.join = convolution(trunk_width, width, kernel=1, relu=False)
        self.block = ResidualBlock(width)

    def forward(self, x: Tensor, coarse: Tensor) -> Tensor:
        """Image ``(B, in_channels, H, W)`` and trunk stream ``(B, C, H/2, W/2)`` → ``(B, width, H, W)``."""
        known = F.interpolate(self.join(coarse), scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.block(F.relu(self.stem(x) + known))


class SKNet(nn.Module):
    """Heat-map detector for the four landmarks.

    Args:
        in_channels: 1 for a single frame.
        context_channels: pictures of the beat around the frame (`tracking.context`); 0: the frame alone, as the paper.
        landmarks: number of heat-maps.
        widths: channels of the streams at strides 1, 2, 4, 8; with a fifth value the trunk runs at strides 2 to 16 and
            the full-resolution stream joins at the end.
        blocks: residual blocks of each of the trunk's streams in one module.
        modules: exchange modules in the trunk's stages with 2, 3 and 4 streams.
        tissue_classes: classes of the auxiliary dense labelling at stride 4 (0: none). It helps training, since
            a network that has to say where ventricle, atrium and aorta are mistakes them less often, and it tells
            whether the view is the right one (`tracking.surroundings`).
        valve_points: points of the mitral valve that it is asked for in training (0: none), for the landmarks lie
            below the tips of its leaflets.
    """

    def __init__(
        self,
        in_channels: int = 1,
        context_channels: int = 0,
        landmarks: int = len(LANDMARKS),
        widths: Sequence[int] = (8, 8, 16, 32, 64),
        blocks: Sequence[int] = (1, 1, 2, 3),
        modules: Sequence[int] = (1, 1, 2),
        tissue_classes: int = 0,
        valve_points: int = 0,
    ) -> None:
        super().__init__()
        self.preset: str | None = None
        self.overrides: dict[str, Any] = {}
        self.widths = tuple(widths[: len(STRIDES)])
        self.context_channels = context_channels
        in_channels += context_channels
        self.trunk = Trunk(in_channels, widths[-4:], blocks, modules)
        self.finest = FinestStream(in_channels, widths[0], widths[1]) if len(widths) > len(STRIDES) else None
        # A 1×1 head on each stream, summed after up-sampling: the same as one head on all streams
        # concatenated.
        self.heads = _heads(widths, landmarks)
        self.tissue_heads = _heads(widths[2:], tissue_classes) if tissue_classes else None
        self.valve_heads = _heads(widths[2:], valve_points) if valve_points else None

    @classmethod
    def from_preset(cls, preset: str, **overrides: Any) -> SKNet:
        """Build the network named in `PRESETS` (``"small"`` or ``"paper"``); keywords override single values."""
        network = cls(**{**PRESETS[preset], **overrides})
        network.preset, network.overrides = preset, overrides
        return network

    def streams(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        """The streams, finest first.

        Args:
            x: ``(B, in_channels, H, W)`` in [0, 1], H and W divisible by 16.
            context: ``(B, context_channels, H, W)``; None (or zeros) where it is not known.
        """
        x = self._with_context(x, context)
        coarse = self._coarse(x)
        return coarse if self.finest is None else [self.finest(x, coarse[0]), *coarse]

    def _with_context(self, x: Tensor, context: Tensor | None) -> Tensor:
        if not self.context_channels:
            return x
        if context is None:
            context = x.new_zeros((x.shape[0], self.context_channels, *x.shape[2:]))
        return torch.cat((x, context), dim=1)

    def _coarse(self, x: Tensor) -> list[Tensor]:
        """The trunk's streams."""
        return self.trunk(x if self.finest is None else F.avg_pool2d(x, 2))

    def features(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Heat-maps ``(B, landmarks, H, W)`` and the context features F_cp at strides 1, 2, 4, 8; see `streams`."""
        streams = self.streams(x, context)
        return self.landmarks(streams), tuple(streams[: len(STRIDES)])

    def landmarks(self, streams: Sequence[Tensor]) -> Tensor:
        """Heat-maps ``(B, landmarks, H, W)`` that all the streams vote for."""
        return _vote(self.heads, streams)

    def tissue(self, streams: Sequence[Tensor]) -> Tensor:
        """Logits ``(B, tissue_classes, H/4, W/4)`` of the auxiliary labelling.

        Raises:
            ValueError: the network has none.
        """
        if self.tissue_heads is None:
            raise ValueError("this SKNet was built without tissue_classes")
        return _vote(self.tissue_heads, streams[-len(self.tissue_heads) :])

    def label(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """`tissue` of frames in half the time: the full-resolution stream has no vote on it; see `streams`."""
        return self.tissue(self._coarse(self._with_context(x, context)))

    def valves(self, streams: Sequence[Tensor]) -> Tensor | None:
        """Logits ``(B, valve_points, H/4, W/4)`` of where the valve's points are; None if it is not asked for them."""
        return _vote(self.valve_heads, streams[2:]) if self.valve_heads is not None else None

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Heat-maps ``(B, landmarks, H, W)``, about 1 on a landmark; see `streams` for the arguments."""
        return self.features(x, context)[0]

    def forward_with_aids(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Heat-maps and what helps training: the logits of `tissue` and of `valves`."""
        streams = self.streams(x, context)
        return self.landmarks(streams), self.tissue(streams), self.valves(streams)


def _heads(widths: Sequence[int], outputs: int) -> nn.ModuleList:
    """A 1×1 head on each stream."""
    return nn.ModuleList(nn.Conv2d(width, outputs, 1) for width in widths)


def _vote(heads: nn.ModuleList, streams: Sequence[Tensor]) -> Tensor:
    """Sum of the heads' outputs at the resolution of the finest stream."""
    votes = [head(x) for head, x in zip(heads, streams, strict=True)]
    size = votes[0].shape[-2:]
    coarse = [F.interpolate(v, size=size, mode="bilinear", align_corners=False) for v in votes[1:]]
    return sum(coarse, votes[0])
