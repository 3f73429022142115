"""CoTracker 2 and 3 (Karaev et al., 2024): github.com/facebookresearch/co-tracker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from echo_keypoints.evaluation.peers.protocol import Floats, Trajectories, Video

from .checkout import import_from, load_into
from .frames import both_ways, padded

_WINDOWS = {"cotracker2": 8, "cotracker3_offline": 60, "cotracker3_online": 16}


class CoTracker:
    """CoTracker 2 or CoTracker 3 offline, by their own predictor, which tracks both ways from any frame.

    The predictor resizes to 384 × 512 and adds 36 support points; its coordinates have pixel centres at integers, as
    ours. Confidence is 1 where it takes a point for visible and 0 elsewhere: it gives no more.

    Args:
        checkout, weights: of the peer.
        name: of `checkout.PEERS`.

    Raises:
        ModelError: code or weights cannot be used.
    """

    def __init__(self, checkout: Path, weights: Path, name: str = "cotracker3_offline") -> None:
        predictor = import_from(checkout, "cotracker.predictor").CoTrackerPredictor
        self._predictor = predictor(
            checkpoint=None, v2=name == "cotracker2", offline=True, window_len=_WINDOWS[name]
        )
        load_into(self._predictor.model, weights, "model")

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """See `protocol.Tracker.track`."""
        queries = np.column_stack([np.full(len(query), query_frame), query])
        with torch.inference_mode():
            tracks, visible = self._predictor(
                _rgb(video), queries=torch.from_numpy(queries).float()[None], backward_tracking=True
            )
        points = tracks[0].double().numpy()
        points[query_frame] = query  # to the bit; the predictor has it from its own resolution and back
        return Trajectories(points, visible[0].double().numpy())


class CoTrackerOnline:
    """CoTracker 3 online: windows of 16 frames as they come. It looks ahead only, so the past is shown backwards.

    Args:
        checkout, weights: of the peer.

    Raises:
        ModelError: code or weights cannot be used.
    """

    def __init__(self, checkout: Path, weights: Path) -> None:
        predictor = import_from(checkout, "cotracker.predictor").CoTrackerOnlinePredictor
        self._predictor = predictor(checkpoint=None, window_len=_WINDOWS["cotracker3_online"])
        load_into(self._predictor.model, weights, "model")

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """See `protocol.Tracker.track`."""
        return both_ways(video, query_frame, query, self._forward)

    def _forward(self, video: Video, start: Floats) -> Floats:
        step = self._predictor.step
        frames = _rgb(padded(video, step, 2 * step))
        queries = torch.from_numpy(np.column_stack([np.zeros(len(start)), start])).float()[None]
        with torch.inference_mode():
            self._predictor(frames, is_first_step=True, queries=queries, add_support_grid=True)
            for first in range(0, frames.shape[1] - step, step):
                chunk = frames[:, first : first + 2 * step]
                tracks, _ = self._predictor(chunk, add_support_grid=True)
        return tracks[0, : len(video)].double().numpy()


def _rgb(video: Video) -> Tensor:
    """Grey ``(T, H, W)`` → ``(1, T, 3, H, W)``, 0..255."""
    return torch.from_numpy(video).float()[None, :, None].expand(-1, -1, 3, -1, -1)
