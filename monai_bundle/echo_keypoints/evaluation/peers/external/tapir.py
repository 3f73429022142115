"""TAPIR and BootsTAPIR (Doersch et al., 2023 and 2024): github.com/google-deepmind/tapnet, their torch port."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from echo_keypoints.evaluation.peers.protocol import Floats, Trajectories, Video

from .checkout import PEERS, import_from, load_into
from .frames import resized, scaled

SIDE = 256
"""Resolution that both were trained on."""


class Tapir:
    """TAPIR's network on whole videos, from any frame.

    Queries are ``(t, y, x)``, and its raster coordinates have (0, 0) at the corner of the first pixel: half a pixel
    more than ours. Confidence is the probability of being visible and near, ``(1 - occluded)(1 - far)``.

    Args:
        checkout, weights: of the peer.
        name: ``"tapir"`` or ``"bootstapir"``, which has one more pyramid level and further convolutions.

    Raises:
        ModelError: code or weights cannot be used.
    """

    def __init__(self, checkout: Path, weights: Path, name: str = "tapir") -> None:
        code = import_from(checkout, "tapnet.torch.tapir_model", PEERS[name].packages)
        boots = name == "bootstapir"
        network = code.TAPIR(pyramid_level=int(boots), extra_convs=boots)
        self._network = load_into(network, weights)

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """See `protocol.Tracker.track`."""
        size, small = video.shape[1:], resized(video, SIDE)
        frames = torch.from_numpy(small).float()[None, ..., None].expand(-1, -1, -1, -1, 3) / 127.5 - 1
        start = scaled(np.asarray(query, np.float64), size, (SIDE, SIDE)) + 0.5
        queries = np.column_stack([np.full(len(start), query_frame), start[:, ::-1]])
        with torch.inference_mode():
            found = self._network(frames, torch.from_numpy(queries).float()[None])
        tracks = found["tracks"][0].transpose(0, 1).double().numpy() - 0.5
        points = scaled(tracks, (SIDE, SIDE), size)
        points[query_frame] = query
        sure = (1 - found["occlusion"].sigmoid()) * (1 - found["expected_dist"].sigmoid())
        return Trajectories(points, sure[0].T.double().numpy())
