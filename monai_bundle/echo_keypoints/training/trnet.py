"""`TRNetObjective`: trajectories from flow and likeness, without frame labels (stage 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from echo_keypoints.losses import TrajectoryLoss
from echo_keypoints.networks.sknet import SKNet
from echo_keypoints.networks.trnet import Maps, TRNet
from echo_keypoints.tracking.backends.detector import HeatmapDecoder
from echo_keypoints.training.objective import Batch, Objective, Terms, frozen, grey
from echo_keypoints.training.starts import StartVariety, cleaned, most_confident


@dataclass(frozen=True)
class Plan:
    """What TR-net is asked about B clips, all without gradient: N = B * Q windows of T frames.

    Attributes:
        features: SK-net's, of all frames of all clips.
        rows: ``(N, T)`` the frames of the windows, as rows of the flattened clips.
        reference_rows: ``(N,)`` the reference frames, likewise.
        points: ``(N, 4, 2)`` px in the reference frames.
        estimates: ``(N, T, 4, 2)`` px, where refinement starts.
        pseudo: ``(N, T, 4, 2)`` px, where it should go.
        weight: ``(N, T, 4)``, 0 where the flow is not to be trusted.
    """

    features: tuple[Tensor, ...]
    rows: Tensor
    reference_rows: Tensor
    points: Tensor
    estimates: Tensor
    pseudo: Tensor
    weight: Tensor


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
                window starts with the clip, and F must be the window if the batch has ``points``
                ``(B, F, 4, 2)``.

        Raises:
            ValueError: F is too small.
        """
        flat = grey(batch["frames"])
        plan = self._plan(flat, batch["frames"].shape[0])
        with self.autocast(flat):
            maps = self.network.encode(flat, plan.features)
            descriptors = self.network.describe(_rows(maps, plan.reference_rows), plan.points)
            windows = _rows(maps, plan.rows.flatten())
            results = self.network.refine(windows, plan.estimates, plan.points, descriptors, self.iterations)
        loss, log = self.loss(
            [points.float() for points in results], plan.pseudo, flat[plan.rows], plan.weight
        )
        terms = {"loss": loss, **log}
        if not self.training and "points" in batch:
            terms["points"] = results[-1].float()
        return terms

    @torch.no_grad()
    def _plan(self, flat: Tensor, clips: int) -> Plan:
        """Decide on references, points, windows and first estimates of frames ``(B * F, 1, S, S)``."""
        size, each = flat.shape[-1], torch.arange(clips, device=flat.device)
        frames = flat.unflatten(0, (clips, -1))
        with self.autocast(flat):
            heatmaps, features = self.sknet.features(flat, _contexts(frames))
        points, peaks, _ = self.decoder(heatmaps)
        detections, peaks = points.unflatten(0, (clips, -1)), peaks.unflatten(0, (clips, -1))
        index = self.variety.references(peaks) if self.training else most_confident(peaks)
        detected = detections[each, index]
        sets = self.variety.points(detected, size) if self.training else detected[:, None]  # (B, Q, 4, 2)
        queries = sets.shape[1]
        rows = self._windows(clips, frames.shape[1], flat.device)  # (B, T)
        pseudo, weight = (
            _per_query(level.flatten(0, 1)[rows], queries)
            for level in self.teacher(frames, index, sets.flatten(1, 2))
        )
        steady = cleaned(detections, peaks)
        motion = steady.flatten(0, 1)[rows] - steady[each, index][:, None]  # (B, T, 4, 2)
        estimates = (sets[:, :, None] + motion[:, None]).flatten(0, 1)
        if self.training:
            estimates = self.variety.estimates(sets.flatten(0, 1), estimates, pseudo, size)
        return Plan(
            tuple(features),
            rows.repeat_interleave(queries, dim=0),
            (each * frames.shape[1] + index).repeat_interleave(queries),
            sets.flatten(0, 1),
            estimates,
            pseudo,
            weight,
        )

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


def _contexts(frames: Tensor) -> Tensor:
    """Temporal context of clips ``(B, F, 1, S, S)``, for each of their frames: ``(B * F, 2, S, S)``."""
    mean, deviation = frames.mean(dim=1), frames.std(dim=1, correction=0)
    return torch.cat((mean, deviation), dim=1).repeat_interleave(frames.shape[1], dim=0)


def _per_query(values: Tensor, queries: int) -> Tensor:
    """``(B, T, Q * 4, …)`` → ``(B * Q, T, 4, …)``."""
    return values.unflatten(2, (queries, 4)).transpose(1, 2).flatten(0, 1)


def _rows(maps: Maps, rows: Tensor) -> Maps:
    return tuple(level[rows] for level in maps)
