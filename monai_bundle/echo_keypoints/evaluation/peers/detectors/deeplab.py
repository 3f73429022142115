"""`DeepLab`: the network of EchoNet-LVH, DeepLabV3 on a ResNet-50 (Chen et al., 2017; Duffy et al., 2022).

Written anew in plain torch, with torchvision's names of the weights, so that a checkpoint of EchoNet-LVH loads if
you have one. Differences from EchoNet-LVH, which has no public training code: one grey channel by default in place of
three, and four heat-maps, as there.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from echo_keypoints.anatomy import LANDMARKS

PRESETS: dict[str, dict[str, Any]] = {
    "small": {"width": 16},  # a sixteenth of the cost, for CPUs
    "paper": {"width": 64},
}

_LAYERS = ((3, 1, 1), (4, 2, 1), (6, 1, 2), (3, 1, 4))
"""ResNet-50 at output stride 8: blocks, stride and dilation of each layer; the first block has half the dilation."""
_EXPANSION = 4
_ASPP_RATES = (12, 24, 36)


class Bottleneck(nn.Module):
    """1 × 1, 3 × 3, 1 × 1 convolutions around a shortcut: ``(B, C, H, W)`` → ``(B, 4 width, H / stride, …)``."""

    def __init__(self, inputs: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        outputs = width * _EXPANSION
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if stride > 1 or inputs != outputs
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add what the convolutions found to the shortcut, then rectify."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x)))


class Backbone(nn.Module):
    """ResNet-50 whose last two layers are dilated instead of strided: ``(B, C, H, W)`` → ``(B, 32 w, H/8, W/8)``."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, 2, 1)
        inputs = width
        for index, (count, stride, dilation) in enumerate(_LAYERS):
            inner = width * 2**index
            blocks = []
            for block in range(count):
                first = block == 0
                blocks.append(
                    Bottleneck(
                        inputs, inner, stride if first else 1, max(1, dilation // 2) if first else dilation
                    )
                )
                inputs = inner * _EXPANSION
            self.add_module(f"layer{index + 1}", nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> Tensor:
        """Give the features of the last layer."""
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        for index in range(len(_LAYERS)):
            x = self.get_submodule(f"layer{index + 1}")(x)
        return x


class _Pooled(nn.Sequential):
    """The picture-level branch of `ASPP`: ``(B, C, H, W)`` → the same size, constant over space."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Pool, project, spread."""
        pooled = self[1](self[0](x))
        # A single picture has no batch statistics of one value per channel: skip them in training then.
        normed = pooled if self.training and len(x) == 1 else self[2](pooled)
        return F.relu(normed).expand(-1, -1, *x.shape[-2:])


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: one look at the features at five sizes, ``(B, C, H, W)`` → ``(B, 4 w, H, W)``."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()

        def branch(kernel: int, rate: int) -> nn.Sequential:
            padding = 0 if kernel == 1 else rate
            convolution = nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=rate, bias=False)
            return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())

        self.convs = nn.ModuleList(
            [branch(1, 1), *(branch(3, rate) for rate in _ASPP_RATES), _Pooled(inputs, outputs)]
        )
        self.project = nn.Sequential(
            nn.Conv2d(5 * outputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Dropout(0.5),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Look, join, project."""
        return self.project(torch.cat([look(x) for look in self.convs], dim=1))


class DeepLab(nn.Module):
    """DeepLabV3-ResNet50 with one heat-map per landmark.

    Args:
        width: channels of the first layer; 64 in ResNet-50.
        in_channels: 1, or 3 for weights of EchoNet-LVH (grey is then repeated).
        landmarks: number of heat-maps.
        size: side of the frames that it is trained on, kept with the weights.
    """

    def __init__(
        self, width: int = 64, in_channels: int = 1, landmarks: int = len(LANDMARKS), size: int = 224
    ) -> None:
        super().__init__()
        self.preset: str | None = None
        self.overrides: dict[str, Any] = {}
        self.in_channels, self.size = in_channels, size
        self.backbone = Backbone(in_channels, width)
        self.classifier = nn.Sequential(
            OrderedDict(
                (str(i), part)
                for i, part in enumerate(
                    (
                        ASPP(32 * width, 4 * width),
                        nn.Conv2d(4 * width, 4 * width, 3, padding=1, bias=False),
                        nn.BatchNorm2d(4 * width),
                        nn.ReLU(),
                        nn.Conv2d(4 * width, landmarks, 1),
                    )
                )
            )
        )

    @classmethod
    def from_preset(cls, preset: str, **overrides: Any) -> DeepLab:
        """Build a network of `PRESETS`; keywords override single values."""
        network = cls(**{**PRESETS[preset], **overrides})
        network.preset, network.overrides = preset, overrides
        return network

    def forward(self, x: Tensor) -> Tensor:
        """Frames ``(B, 1, H, W)`` in [0, 1] → logits of the heat-maps ``(B, 4, H, W)``."""
        logits = self.classifier(self.backbone(x.expand(-1, self.in_channels, -1, -1)))
        return F.interpolate(logits, x.shape[-2:], mode="bilinear", align_corners=False)
