"""`TRNetObjective`: trajectories from flow and likeness, without frame labels (stage 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from echo_keypoints.losses import TrajectoryLoss, consistent, pseudo_points
from echo_keypoints.networks.flownet import FlowNet
from echo_keypoints.networks.sampling import sample_points
from echo_keypoints.networks.sknet import SKNet
from echo_keypoints.networks.trnet import Maps, TRNet
from echo_keypoints.tracking.backends.detector import HeatmapDecoder
from echo_keypoints.tracking.initial import robust_detections
from echo_keypoints.training.objective import Batch, Objective, Terms, frozen, grey


@dataclass(frozen=True)
class Start:
    """Where the refinement of B windows of T frames begins.

    Attributes:
        index: ``(B,)`` reference frames.
        reference_points: ``(B, 4, 2)`` px.
        points: ``(B, T, 4, 2)`` px, the first estimates.
    """

    index: Tensor
    reference_points: Tensor
    points: Tensor


class TRNetObjective(Objective):
    """Eq. 5 over the M iterations, against pseudo-labels of a frozen flow from points of a frozen SK-net.

    Each clip has its reference frame, the most confident one as in the paper; TR-net sees a window of it that need
    not hold the reference, as in long clips. Two things vary in training, because a user may start from points of
    their own: the whole trajectory is displaced by a random vector per key-point (its pseudo-labels then follow the
    displaced points), and in some clips the first estimates stand still.

    Args:
        network: a `TRNet`.
        sknet: trained, gives detections and features.
        flownet: trained, gives the pseudo-labels.
        loss: eq. 5.
        iterations: M.
        jitter_px: standard deviation of the displacement, in px.
        still: share of the clips whose first estimates stand still.
        precision: see `Objective`; coordinates stay in float32.
    """

    def __init__(
        self,
        network: TRNet,
        sknet: SKNet,
        flownet: FlowNet,
        loss: TrajectoryLoss | None = None,
        iterations: int = 5,
        jitter_px: float = 2.0,
        still: float = 0.25,
        precision: str = "float32",
    ) -> None:
        super().__init__(network, precision)
        self.network: TRNet = network
        self.sknet, self.flownet = frozen(sknet), frozen(flownet)
        self.loss = loss or TrajectoryLoss()
        self.decoder = HeatmapDecoder()
        self.iterations, self.jitter_px, self.still = iterations, jitter_px, still

    def train(self, mode: bool = True) -> TRNetObjective:
        """Switch TR-net only; the frozen networks stay in evaluation mode."""
        super().train(mode)
        self.sknet.eval()
        self.flownet.eval()
        return self

    def forward(self, batch: Batch) -> Terms:
        """Judge clips.

        Args:
            batch: ``frames`` ``(B, F, 1, S, S)`` uint8, F at least the window of TR-net. In evaluation the window
                starts with the clip; if the batch has ``points`` ``(B, F, 4, 2)``, F must be the window.
        """
        count, length = batch["frames"].shape[:2]
        flat = grey(batch["frames"])
        with torch.no_grad():
            with self.autocast(flat):
                heatmaps, features = self.sknet.features(flat)
            detections, peaks, _ = self.decoder(heatmaps)
            start = self._start(detections.unflatten(0, (count, -1)), peaks.unflatten(0, (count, -1)))
            rows = self._window(count, length, flat.device)  # (B, T) rows of the flattened clip
            reference_rows = torch.arange(count, device=flat.device) * length + start.index
            pseudo, visible = self._follow(flat[reference_rows], flat, rows, start.reference_points)
        with self.autocast(flat):
            maps = self.network.encode(flat, features)
            descriptors = self.network.describe(_rows(maps, reference_rows), start.reference_points)
            window = start.points.flatten(0, 1)[rows]
            iterations = self.network.refine(
                _rows(maps, rows.flatten()), window, start.reference_points, descriptors, self.iterations
            )
        loss, log = self.loss([points.float() for points in iterations], pseudo, flat[rows], visible)
        result = {"loss": loss, **log}
        if not self.training and "points" in batch:
            result["points"] = iterations[-1].float()
        return result

    def _start(self, detections: Tensor, peaks: Tensor) -> Start:
        """Detections ``(B, F, 4, 2)`` and peaks ``(B, F, 4)`` → reference and first estimates of all F frames."""
        index = peaks.sum(-1).argmax(-1)
        each = torch.arange(len(index), device=index.device)
        reference = detections[each, index]
        cleaned = [
            robust_detections(points, peak)
            for points, peak in zip(_numpy(detections), _numpy(peaks), strict=True)
        ]
        points = torch.from_numpy(np.stack(cleaned)).to(detections)
        if self.training:
            shift = torch.randn_like(reference) * self.jitter_px
            moving = torch.rand(len(index), 1, 1, 1, device=index.device) >= self.still
            reference = reference + shift
            points = torch.where(moving, points + shift[:, None], reference[:, None].expand_as(points))
        return Start(index, reference, points)

    def _window(self, count: int, length: int, device: torch.device) -> Tensor:
        """Rows ``(B, T)``, in the flattened clips, of one window per clip."""
        spare = length - self.network.window
        first = (
            torch.randint(spare + 1, (count, 1), device=device)
            if self.training
            else torch.zeros((count, 1), dtype=torch.long, device=device)
        )
        clip = torch.arange(count, device=device)[:, None] * length
        return clip + first + torch.arange(self.network.window, device=device)

    def _follow(
        self, references: Tensor, flat: Tensor, rows: Tensor, points: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Pseudo-labels ``(B, T, 4, 2)`` of the reference points, and where they count ``(B, T, 4)``."""
        count = rows.shape[1]
        starts = points.repeat_interleave(count, dim=0)  # (B * T, 4, 2)
        forward, backward = self.flownet.pyramid_both_ways(
            references.repeat_interleave(count, dim=0), flat[rows.flatten()]
        )
        visible = sample_points(consistent(forward[0], backward[0]), starts)[..., 0]
        pseudo = pseudo_points(forward[0], starts)
        return pseudo.unflatten(0, (-1, count)), visible.unflatten(0, (-1, count))


def _rows(maps: Maps, rows: Tensor) -> Maps:
    return tuple(level[rows] for level in maps)


def _numpy(values: Tensor) -> np.ndarray:
    return values.double().cpu().numpy()
