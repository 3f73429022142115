"""MyoTracker (Chernyshov et al., 2025): github.com/artemcher/myotracker, its TorchScript weights."""

from __future__ import annotations

from pathlib import Path

import torch

from echo_keypoints.errors import ModelError
from echo_keypoints.evaluation.peers.protocol import Floats, Trajectories, Video

from .frames import both_ways, resized, scaled

SIDE = 256


class MyoTracker:
    """MyoTracker on whole videos, from the first frame only; its coordinates are ``(y, x)``, corner at 0.

    It was trained on views of the right ventricle: PLAX is out of its domain.

    Args:
        checkout: of the peer; its code is not imported.
        weights: the scripted network, which carries its own code: trust it first.

    Raises:
        ModelError: the weights cannot be used.
    """

    def __init__(self, checkout: Path, weights: Path) -> None:
        try:
            self._network = torch.jit.load(str(weights), map_location="cpu").eval()
        except RuntimeError as error:
            raise ModelError(f"{weights.name} is not a scripted network; get it again.") from error

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """See `protocol.Tracker.track`."""
        return both_ways(video, query_frame, query, self._forward)

    def _forward(self, video: Video, start: Floats) -> Floats:
        size, small = video.shape[1:], resized(video, SIDE)
        frames = torch.from_numpy(small).float()[None, :, None] / 255
        points = scaled(start, size, (SIDE, SIDE))[:, ::-1] + 0.5
        with torch.inference_mode():
            tracks = self._network(frames, torch.from_numpy(points.copy()).float()[None])[0]
        return scaled(tracks.double().numpy()[..., ::-1] - 0.5, (SIDE, SIDE), size)
