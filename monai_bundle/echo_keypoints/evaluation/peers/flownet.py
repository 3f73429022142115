"""Our FlowNet alone: what TR-net's pseudo-labels are worth by themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import grid_sample

from echo_keypoints.networks.flownet import FlowNet
from echo_keypoints.networks.weights import load_weights

from .protocol import Floats, Trajectories, Video
from .stepping import Frame, chain, direct


class FlowNetTracker:
    """FlowNet's flow, read bilinearly at the points.

    Args:
        weights: the file ``flownet.pt``.
        chained: frame to frame, or else as in the paper directly from the query frame to every other.

    Raises:
        ModelError: the weights are missing or do not fit.
    """

    def __init__(self, weights: Path, *, chained: bool = True) -> None:
        self._network = load_weights(weights, FlowNet)
        self._walk = chain if chained else direct

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """See `protocol.Tracker.track`."""
        return self._walk(video, query_frame, query, self._step)

    def _step(self, source: Frame, target: Frame, points: Floats) -> Floats:
        height, width = source.shape
        frames = torch.from_numpy(np.stack([source, target]))[:, None].float() / 255
        at = (torch.from_numpy(points) + 0.5) * 2 / torch.tensor([width, height]) - 1
        with torch.inference_mode():
            flow = self._network(frames[:1], frames[1:])  # (1, 2, H, W)
            sampled = grid_sample(flow, at[None, None].float(), padding_mode="border", align_corners=False)
        return points + sampled[0, :, 0].T.double().numpy()
