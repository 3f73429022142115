"""`TRNetObjective`: trajectories from flow and likeness, without frame labels (stage 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from echo_keypoints.losses import TrajectoryLoss
from echo_keypoints.networks.sknet import SKNet
from echo_keypoints.networks.trnet import Maps, TRNet
from echo_keypoints.tracking.backends.detector import HeatmapDecoder
from echo_keypoints.training.objective import Batch, Objective, Terms, frozen, grey
from echo_keypoints.training.starts import StartVariety, cleaned, most_confident


class TRNetObjective(Objective):
    """Eq. 5 over the M iterations, against pseudo-labels of a frozen flow from points of a frozen SK-net.

    TR-net sees a window of each clip that need not hold the reference frame, as in long clips. Gradients do
    not flow from one iteration into the one before (`TRNet.refine`).

    Args:
        network: a `TRNet`.
        sknet: trained; gives reference points, first estimates and features.
        teacher: makes the pseudo-labels (`training.pseudo`).
        loss: eq. 5.
        variety: of points and first estimates in training.
        iterations: M.
        precision: see `Objective`; coordinates stay in float32.
    """

    def __init__(
        self,
        network: TRNet,
        sknet: SKNet,
        teacher: nn.Module,
        loss: TrajectoryLoss | None = None,
        variety: StartVariety | None = None,
        iterations: int = 5,
        precision: str = "float32",
    ) -> None:
        super().__init__(network, precision)
        self.network: TRNet = network
        self.sknet, self.teacher = frozen(sknet), frozen(teacher)
        self.loss = loss or TrajectoryLoss()
        self.variety = variety or StartVariety()
        self.decoder = HeatmapDecoder()
        self.iterations = iterations

    def train(self, mode: bool = True) -> TRNetObjective:
        """Switch TR-net only; the frozen networks stay in evaluation mode."""
        super().train(mode)
        self.sknet.eval()
        self.teacher.eval()
        return self

    def forward(self, batch: Batch) -> Terms:
        """Judge clips.

        Args:
            batch: ``frames`` ``(B, F, 1, S, S)`` uint8, F at least the window of TR-net. In evaluation the
                window starts with the clip, and if the batch has ``points`` ``(B, F, 4, 2)``, F must be the window.
        """
        clips, length, size = batch["frames"].shape[0], batch["frames"].shape[1], batch["frames"].shape[-1]
        flat = grey(batch["frames"])
        with torch.no_grad():
            with self.autocast(flat):
                heatmaps, features = self.sknet.features(flat)
            points, peaks, _ = self.decoder(heatmaps)
            detections, peaks = points.unflatten(0, (clips, -1)), peaks.unflatten(0, (clips, -1))
            index = self.variety.references(peaks) if self.training else most_confident(peaks)
            sets = self._sets(detections, index, size)  # (B, Q, 4, 2)
            queries = sets.shape[1]
            rows = self._windows(clips, length, flat.device)  # (B, T) rows of `flat`
            pseudo, weight = (
                _per_query(level, queries).flatten(0, 1)
                for level in self._pseudo(flat.unflatten(0, (clips, -1)), index, sets, rows)
            )
            moving = cleaned(detections, peaks).flatten(0, 1)[rows]  # (B, T, 4, 2)
            at_reference = cleaned(detections, peaks)[torch.arange(clips), index]
            estimates = (sets[:, :, None] + (moving - at_reference[:, None])[:, None]).flatten(0, 1)
            if self.training:
                estimates = self.variety.estimates(sets.flatten(0, 1), estimates, pseudo, size)
        every = rows.repeat_interleave(queries, dim=0)  # (B * Q, T)
        reference_rows = torch.arange(clips, device=flat.device) * length + index
        reference_rows = reference_rows.repeat_interleave(queries)
        with self.autocast(flat):
            maps = self.network.encode(flat, features)
            descriptors = self.network.describe(_rows(maps, reference_rows), sets.flatten(0, 1))
            results = self.network.refine(
                _rows(maps, every.flatten()), estimates, sets.flatten(0, 1), descriptors, self.iterations
            )
        loss, log = self.loss([result.float() for result in results], pseudo, flat[every], weight)
        terms = {"loss": loss, **log}
        if not self.training and "points" in batch:
            terms["points"] = results[-1].float()
        return terms

    def _sets(self, detections: Tensor, index: Tensor, size: int) -> Tensor:
        """Points to follow ``(B, Q, 4, 2)``; in evaluation the detections of the reference frame only."""
        detected = detections[torch.arange(len(index), device=index.device), index]
        return self.variety.points(detected, size) if self.training else detected[:, None]

    def _windows(self, clips: int, length: int, device: torch.device) -> Tensor:
        """Rows ``(B, T)``, in the flattened clips, of one window per clip."""
        spare = length - self.network.window
        if spare < 0:
            raise ValueError(
                f"frames must be at least TR-net's window of {self.network.window}, not {length}"
            )
        first = torch.randint(spare + 1, (clips, 1), device=device) * int(self.training)
        start = torch.arange(clips, device=device)[:, None] * length + first
        return start + torch.arange(self.network.window, device=device)

    def _pseudo(self, frames: Tensor, index: Tensor, sets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Pseudo-labels ``(B, T, Q * 4, 2)`` of the windows and their weights ``(B, T, Q * 4)``."""
        followed, weight = self.teacher(frames, index, sets.flatten(1, 2))
        return followed.flatten(0, 1)[rows], weight.flatten(0, 1)[rows]


def _per_query(values: Tensor, queries: int) -> Tensor:
    """``(B, T, Q * 4, …)`` → ``(B, Q, T, 4, …)``."""
    return values.unflatten(2, (queries, 4)).transpose(1, 2)


def _rows(maps: Maps, rows: Tensor) -> Maps:
    return tuple(level[rows] for level in maps)
