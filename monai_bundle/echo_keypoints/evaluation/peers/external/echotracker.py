"""EchoTracker (Azad et al., MICCAI 2024): github.com/riponazad/echotracker."""

from __future__ import annotations

from pathlib import Path

import torch

from echo_keypoints.evaluation.peers.protocol import Floats, Trajectories, Video

from .checkout import import_from, load_into
from .frames import both_ways, padded, resized, scaled

SIDE = 256
MULTIPLE = 8
"""The number of frames that its docstring asks for is a multiple of this."""
ITERATIONS = 4


class EchoTracker:
    """EchoTracker's network; its wrapper class needs a GPU to be imported. It starts from the first frame only.

    Args:
        checkout, weights: of the peer.

    Raises:
        ModelError: code or weights cannot be used.
    """

    def __init__(self, checkout: Path, weights: Path) -> None:
        network = import_from(checkout, "model.echopips").EchoPIPs(stride=8)
        self._network = load_into(network, weights, "model_state_dict")

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """See `protocol.Tracker.track`."""
        return both_ways(video, query_frame, query, self._forward)

    def _forward(self, video: Video, start: Floats) -> Floats:
        size, small = video.shape[1:], padded(resized(video, SIDE), MULTIPLE)
        points = torch.from_numpy(scaled(start, size, (SIDE, SIDE))).float()[None]
        frames = torch.from_numpy(small).float()[None, :, None]  # (1, T, 1, H, W), 0..255
        with torch.inference_mode():
            tracks, _ = self._network(frames, points, iters=ITERATIONS)
        return scaled(tracks[-1][0, : len(video)].double().numpy(), (SIDE, SIDE), size)
