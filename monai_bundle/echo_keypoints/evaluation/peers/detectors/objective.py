"""How the detectors of other groups are trained: on the labelled frames that SK-net is trained on."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from echo_keypoints.losses import gaussian_heatmaps
from echo_keypoints.tracking.letterbox import MODEL_SIZE
from echo_keypoints.training.objective import Batch, Objective, Terms, grey

from .decode import expected_points, weighted_centroids
from .deeplab import DeepLab
from .echoglad import EchoGLAD


class DeepLabObjective(Objective):
    """EchoNet-LVH: mean squared error of sigmoid heat-maps against Gaussians, the landmarks being rare.

    The group's training code is not public. Pixels count as in our reading of the paper's eq. 1, ``target + gamma``,
    for the same reason: with equal weights the empty map is a near-perfect answer for many epochs.

    Args:
        network: a `DeepLab`.
        sigma: of the Gaussians, px at 224.
        gamma: weight of the background.
        precision: see `Objective`.
    """

    def __init__(
        self, network: DeepLab, sigma: float = 5.0, gamma: float = 0.01, precision: str = "float32"
    ) -> None:
        super().__init__(network, precision)
        self.sigma, self.gamma = sigma, gamma

    def forward(self, batch: Batch) -> Terms:
        """Judge labelled frames.

        Args:
            batch: ``image`` ``(B, F, 1, S, S)`` uint8 and ``points`` ``(B, F, 4, 2)`` px, NaN where not known.
        """
        frames, points, known = _frames(batch)
        with self.autocast(frames):
            logits = self.network(frames)
        maps = logits.float().sigmoid()
        targets = gaussian_heatmaps(points, frames.shape[-1], self.sigma * frames.shape[-1] / MODEL_SIZE)
        each = ((maps - targets).square() * (targets + self.gamma)).mean((-2, -1))
        terms: Terms = {"loss": 1000 * (each * known).sum() / known.sum().clamp_min(1)}
        if not self.training:
            terms["points"] = weighted_centroids(maps).unflatten(0, batch["image"].shape[:2])
        return terms


class EchoGLADObjective(Objective):
    """EchoGLAD: weighted cross-entropy on every grid, and the distance of the expected landmark on the finest.

    The weights are those of the authors' configuration, ``ones_weight`` being the number of nodes per landmark.

    Args:
        network: an `EchoGLAD`.
        distance: weight of the squared distance (in units of the picture's side).
        precision: see `Objective`.
    """

    def __init__(self, network: EchoGLAD, distance: float = 10.0, precision: str = "float32") -> None:
        super().__init__(network, precision)
        self.network: EchoGLAD = network
        self.distance = distance

    def forward(self, batch: Batch) -> Terms:
        """Judge labelled frames; see `DeepLabObjective.forward`."""
        frames, points, known = _frames(batch)
        with self.autocast(frames):
            grids = [logits.float() for logits in self.network.grids_of(frames)]
        size = frames.shape[-1]
        crosses = [_cell_entropy(logits, points * logits.shape[-1] / size, known) for logits in grids]
        found = expected_points(grids[-1])
        distance = ((found - points) / size).square().sum(-1)
        terms: Terms = {
            "cells": torch.stack(crosses).mean(),
            "distance": self.distance * (distance * known).sum() / known.sum().clamp_min(1),
        }
        result: Terms = {
            "loss": terms["cells"] + terms["distance"],
            **{k: v.detach() for k, v in terms.items()},
        }
        if not self.training:
            result["points"] = found.unflatten(0, batch["image"].shape[:2])
        return result


def _frames(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Frames ``(N, 1, S, S)``, points ``(N, 4, 2)`` without NaN, and 1 where they are known ``(N, 4)``."""
    points = batch["points"].flatten(0, 1)
    return grey(batch["image"]), points.nan_to_num(-1.0), points.isfinite().all(-1).float()


def _cell_entropy(logits: Tensor, points: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy of a grid ``(N, 4, s, s)``; the cell of a landmark weighs as much as all others together."""
    side = logits.shape[-1]
    cells = points.floor().long().clamp(0, side - 1)
    targets = torch.zeros_like(logits).flatten(2)
    targets.scatter_(2, (cells[..., 1] * side + cells[..., 0]).unsqueeze(-1), 1.0)
    weights = 1 + targets * (side**2 - 1)
    each = F.binary_cross_entropy_with_logits(logits.flatten(2), targets, weights, reduction="none").mean(-1)
    return (each * known).sum() / known.sum().clamp_min(1)
