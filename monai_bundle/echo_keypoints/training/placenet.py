"""`PlaceNetObjective`: where on the walls a track lies (stage 4, not in the paper)."""

from __future__ import annotations

import torch
from torch import Tensor

from echo_keypoints.losses import gaussian_heatmaps
from echo_keypoints.networks.placenet import SHARPNESS, SIGMA, PlaceNet
from echo_keypoints.tracking.letterbox import MODEL_SIZE
from echo_keypoints.tracking.steady import STEP
from echo_keypoints.training.objective import Batch, Objective, Terms
from echo_keypoints.training.sknet import position_loss


class PlaceNetObjective(Objective):
    """``position * L_position + distance * L_distance``, as SK-net's terms of the same names, in steady pictures.

    L_position is the cross-entropy between a Gaussian (`SIGMA`) around the landmark and the soft-max of the votes;
    L_distance how far the mean of that soft-max lies from the landmark, ``sqrt(d^2 + 1)``, d in px at 224.

    Args:
        network: a `PlaceNet`.
        image_size: side of the frames that the pictures were cut out of.
        position, distance: weights of the terms.
        voting: frames that the network votes in while it is trained, drawn for each batch; validation takes all. All
            of them make the beat, but what is wrong is much the same in each, and a few take two thirds of the time.
        precision: see `Objective`.
    """

    def __init__(
        self,
        network: PlaceNet,
        image_size: int = MODEL_SIZE,
        position: float = 1.0,
        distance: float = 0.3,
        voting: int = 4,
        precision: str = "bfloat16",
    ) -> None:
        super().__init__(network, precision)
        self.network: PlaceNet = network
        self.scale = MODEL_SIZE / image_size
        self.voting = voting
        self.weights = {"position": position, "distance": distance}

    def forward(self, batch: Batch) -> Terms:
        """Judge a batch of `data.looks.Looks` items: each tensor has B hearts in front of the Q looks."""
        pictures, heights, points = (batch[name].flatten(0, 1) for name in ("pictures", "heights", "points"))
        length = batch["length_px"].flatten()[:, None, None, None]  # (N, 1, 1, 1)
        frames = torch.arange(pictures.shape[1])
        if self.training:
            frames = torch.randperm(len(frames))[: self.voting].sort().values
        with self.autocast(pictures):
            votes = self.network(pictures.float() / 255, heights, frames.to(pictures.device))
        votes, points = votes.float(), points[:, frames]
        found = self.network.places(votes)  # (N, F, 4, 2)
        places = points / length
        targets = self._targets(places.flatten(0, 1))
        known = torch.ones_like(targets[:, :, 0, 0])
        miss = (found - places) * length * self.scale
        terms = {
            "position": position_loss(SHARPNESS * votes.flatten(0, 1), targets, known),
            "distance": (miss.square().sum(dim=-1) + 1).sqrt().mean(),
        }
        loss = torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
        result = {"loss": loss, **{name: term.detach() for name, term in terms.items()}}
        if not self.training:
            result["points"] = (found * length).unflatten(0, batch["points"].shape[:2])
        return result

    def _targets(self, places: Tensor) -> Tensor:
        """Gaussians around places ``(N, 4, 2)``: ``(N, 4, HEIGHT / 2, WIDTH / 2)``."""
        columns, rows = self.network.columns, self.network.rows
        cells = (places - torch.stack((columns[0], rows[0]))) / (2 * STEP)
        return gaussian_heatmaps(cells, (len(rows), len(columns)), SIGMA / (2 * STEP))
