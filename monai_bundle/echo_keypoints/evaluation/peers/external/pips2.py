"""PIPs++ (Zheng et al., ICCV 2023): github.com/aharley/pips2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from echo_keypoints.evaluation.peers.protocol import Floats, Trajectories, Video

from .checkout import import_from, load_into
from .frames import both_ways, padded, resized, scaled

SIDE = 256
LEAST_FRAMES = 8
ITERATIONS = 16


class PipsPlusPlus:
    """PIPs++'s network; it starts from the first frame only, and from a trajectory that stands still.

    Args:
        checkout, weights: of the peer.

    Raises:
        ModelError: code or weights cannot be used.
    """

    def __init__(self, checkout: Path, weights: Path) -> None:
        self._network = load_into(
            import_from(checkout, "nets.pips2").Pips(stride=8), weights, "model_state_dict"
        )

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """See `protocol.Tracker.track`."""
        return both_ways(video, query_frame, query, self._forward)

    def _forward(self, video: Video, start: Floats) -> Floats:
        size, small = video.shape[1:], padded(resized(video, SIDE), 1, LEAST_FRAMES)
        frames = torch.from_numpy(small).float()[None, :, None].expand(-1, -1, 3, -1, -1)
        points = torch.from_numpy(scaled(start, size, (SIDE, SIDE))).float()
        still = points.expand(1, len(small), -1, -1)
        with torch.inference_mode(), _cuda_where_there_is_one():
            tracks, *_ = self._network(still, frames, iters=ITERATIONS, beautify=True)
        return scaled(tracks[-1][0, : len(video)].double().numpy(), (SIDE, SIDE), size)


@contextmanager
def _cuda_where_there_is_one() -> Iterator[None]:
    """Its forward pass moves a zero to the GPU by ``.cuda()``; here that stays where it is."""
    original = torch.Tensor.cuda
    torch.Tensor.cuda = lambda tensor, *_, **__: tensor  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.Tensor.cuda = original  # type: ignore[method-assign]
