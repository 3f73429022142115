"""`DetectorTracker`: a detector of `detectors` behind the protocol of the peers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from echo_keypoints.evaluation.peers.protocol import Floats, Trajectories, Video
from echo_keypoints.networks.weights import load_weights

from .decode import expected_points, weighted_centroids
from .deeplab import DeepLab
from .echoglad import EchoGLAD

_BATCH = 8


class DetectorTracker:
    """Finds the landmarks in every frame on its own: a query is ignored.

    Args:
        network: frames ``(N, 1, S, S)`` in [0, 1] → logits ``(N, 4, S, S)``; its weights know S.
        decode: logits → points ``(N, 4, 2)`` and confidence ``(N, 4)`` in 0..1.
    """

    def __init__(
        self, network: DeepLab | EchoGLAD, decode: Callable[[Tensor], tuple[Tensor, Tensor]]
    ) -> None:
        self._network, self._decode, self._size = network.eval(), decode, network.size

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """See `protocol.Tracker.track`; the query is not used."""
        height, width = video.shape[1:]
        small = np.stack(
            [cv2.resize(frame, (self._size, self._size), interpolation=cv2.INTER_AREA) for frame in video]
        )
        found = [self._detect(small[i : i + _BATCH]) for i in range(0, len(small), _BATCH)]
        points, confidence = (np.concatenate(part) for part in zip(*found, strict=True))
        # Resizing keeps the corners of a picture in place, so centres move: (p + 0.5) * k - 0.5.
        scale = np.array([width, height]) / self._size
        return Trajectories((points + 0.5) * scale - 0.5, confidence)

    def _detect(self, frames: Video) -> tuple[Floats, Floats]:
        with torch.inference_mode():
            points, confidence = self._decode(self._network(torch.from_numpy(frames)[:, None].float() / 255))
        return points.double().numpy(), confidence.double().clamp(0, 1).numpy()


def echonet_lvh(weights: Path) -> DetectorTracker:
    """EchoNet-LVH's network with weights of ``train_echonet_lvh.json``; confidence is the height of the heat-map.

    Raises:
        ModelError: the weights are missing or of another network.
    """

    def decode(logits: Tensor) -> tuple[Tensor, Tensor]:
        maps = logits.sigmoid()
        return weighted_centroids(maps), maps.amax((-2, -1))

    return DetectorTracker(load_weights(weights, DeepLab), decode)


def echoglad(weights: Path) -> DetectorTracker:
    """EchoGLAD's network with weights of ``train_echoglad.json``; confidence is the probability near the point.

    Raises:
        ModelError: the weights are missing or of another network.
    """

    def decode(logits: Tensor) -> tuple[Tensor, Tensor]:
        return expected_points(logits), logits.sigmoid().amax((-2, -1))

    return DetectorTracker(load_weights(weights, EchoGLAD), decode)
