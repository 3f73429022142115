"""Where a refinement may begin: the variety of first estimates that TR-net is trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from echo_keypoints.tracking.initial import robust_detections


@dataclass(frozen=True)
class StartVariety:
    """How the points to follow, and the first estimates, vary in training.

    SK-net's own points are always among the queries of a clip. The others stand for what users set: they are
    displaced, or lie anywhere.

    Attributes:
        queries: sets of four points per clip.
        shared_px, own_px: standard deviations of the displacement of a set and of its points, px at 224.
        anywhere: share of the displaced sets whose points lie anywhere.
        still: share of the sets whose first estimate stands still.
        near: share whose first estimate is the pseudo-label with a smooth error of `near_px`.
        near_px: see above.
        random_reference: share of the clips whose reference frame is drawn, not the most confident one.
    """

    queries: int = 2
    shared_px: float = 5.0
    own_px: float = 3.0
    anywhere: float = 0.2
    still: float = 0.25
    near: float = 0.2
    near_px: float = 3.0
    random_reference: float = 0.5

    def references(self, peaks: Tensor) -> Tensor:
        """Peaks ``(B, F, 4)`` → reference frames ``(B,)``."""
        best = most_confident(peaks)
        drawn = torch.randint(peaks.shape[1], best.shape, device=best.device)
        return torch.where(torch.rand(best.shape, device=best.device) < self.random_reference, drawn, best)

    def points(self, detected: Tensor, size: int) -> Tensor:
        """Points ``(B, 4, 2)`` of the reference frames → sets ``(B, Q, 4, 2)``, the first one unchanged."""
        scale = size / 224
        sets = detected[:, None].repeat(1, self.queries, 1, 1)
        count = self.queries - 1
        shared = torch.randn(len(sets), count, 1, 2, device=sets.device) * self.shared_px
        own = torch.randn(len(sets), count, 4, 2, device=sets.device) * self.own_px
        elsewhere = (torch.rand_like(own) * 0.72 + 0.14) * size
        drawn = torch.rand(len(sets), count, 1, 1, device=sets.device) < self.anywhere
        sets[:, 1:] = torch.where(drawn, elsewhere, sets[:, 1:] + (shared + own) * scale)
        return sets

    def estimates(self, points: Tensor, moved: Tensor, pseudo: Tensor, size: int) -> Tensor:
        """First estimates of sets.

        Args:
            points: ``(N, 4, 2)`` in the reference frames.
            moved: ``(N, T, 4, 2)`` these points, moving as the detections do.
            pseudo: ``(N, T, 4, 2)`` pseudo-labels.
            size: side of the frames.

        Returns:
            ``(N, T, 4, 2)``.
        """
        count, length = moved.shape[:2]
        knots = torch.randn(count, 8, 5, device=moved.device) * (self.near_px * size / 224)
        error = F.interpolate(knots, size=length, mode="linear").transpose(1, 2).unflatten(-1, (4, 2))
        draw = torch.rand(count, 1, 1, 1, device=moved.device)
        started = torch.where(draw < self.still, points[:, None].expand_as(moved), moved)
        return torch.where(draw > 1 - self.near, pseudo + error, started)


def most_confident(peaks: Tensor) -> Tensor:
    """The paper's reference frames ``(B,)``: the largest sum of the peaks ``(B, F, 4)``."""
    return peaks.sum(-1).argmax(-1)


def cleaned(detections: Tensor, peaks: Tensor) -> Tensor:
    """`robust_detections` of each clip: ``(B, F, 4, 2)`` with peaks ``(B, F, 4)`` → ``(B, F, 4, 2)``."""
    clips = zip(detections.double().cpu().numpy(), peaks.double().cpu().numpy(), strict=True)
    return torch.from_numpy(np.stack([robust_detections(p, k) for p, k in clips])).to(detections)
