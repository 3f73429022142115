"""A teacher that needs no training: OpenCV's DIS flow in FlowNet's place."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor, nn


class DisFlow(nn.Module):
    """Dense inverse search (Kroeger et al., ECCV 2016) on enlarged frames, with FlowNet's interface.

    On real clips it is the best flow without training that we know, if frames are doubled first: the finest
    scale of its presets is too coarse for a wall of ten pixels. It knows no gradient.

    Args:
        zoom: by how much frames are enlarged (cubic) before.
    """

    def __init__(self, zoom: int = 2) -> None:
        super().__init__()
        self.zoom = zoom

    def forward(self, reference: Tensor, target: Tensor) -> Tensor:
        """Two ``(B, 1, H, W)`` in [0, 1] → flow ``(B, 2, H, W)`` in px: ``target(p + flow(p)) ~ reference(p)``."""
        flows = [self._pair(a, b) for a, b in zip(_grey(reference), _grey(target), strict=True)]
        return torch.from_numpy(np.stack(flows)).to(reference)

    def pyramid_both_ways(self, reference: Tensor, target: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Flow and backward flow, as the only level of a pyramid; see `FlowNet.pyramid_both_ways`."""
        return [self(reference, target)], [self(target, reference)]

    def _pair(self, reference: np.ndarray, target: np.ndarray) -> np.ndarray:
        height, width = reference.shape
        large = (width * self.zoom, height * self.zoom)
        a, b = (cv2.resize(frame, large, interpolation=cv2.INTER_CUBIC) for frame in (reference, target))
        # Made anew: OpenCV's object cannot be copied, and modules are (for the running average of the weights).
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(a, b, None)
        return np.moveaxis(cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA), -1, 0) / self.zoom


def _grey(frames: Tensor) -> np.ndarray:
    """``(B, 1, H, W)`` in [0, 1] → ``(B, H, W)`` uint8."""
    return (frames[:, 0] * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
