"""`SKNetObjective`: heat-maps, positions, tissue and valve (stage 1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from echo_keypoints.losses import HeatmapLoss, gaussian_heatmaps
from echo_keypoints.networks.sknet import SKNet
from echo_keypoints.tracking.backends.detector import HeatmapDecoder
from echo_keypoints.tracking.letterbox import MODEL_SIZE
from echo_keypoints.training.objective import Batch, Objective, Terms, grey


class SKNetObjective(Objective):
    """``heatmap * eq. 1 + position * L_position + distance * L_distance + tissue * L_tissue + valves * L_valves``.

    Eq. 1 alone learns slowly: almost all of a map is background. L_position, the cross-entropy between the
    target and the soft-max of the map over space at a learnt temperature, makes the right place win against
    every other. L_distance is how far the mean of that soft-max lies from the landmark (px at 224, smooth at 0): where
    a landmark is a matter of judgement, it asks for the middle of what is possible. L_tissue is the cross-entropy of
    the auxiliary labelling, where the batch has ``"tissue"``, and L_valves is L_position of the mitral valve's points,
    where it has ``"valves"`` and the network is asked for them.

    Args:
        network: an `SKNet` built with ``tissue_classes``.
        sigma: of the Gaussian targets, px at 224; it scales with the size of the frames.
        heatmap, position, distance, tissue, valves: weights of the terms.
        log_temperature: where the temperature starts.
        without_context: share of the training batches whose temporal context is not shown.
        precision: see `Objective`.
    """

    def __init__(
        self,
        network: SKNet,
        sigma: float = 5.0,
        heatmap: float = 100.0,
        position: float = 0.5,
        distance: float = 0.15,
        tissue: float = 1.0,
        valves: float = 0.2,
        log_temperature: float = 2.5,
        without_context: float = 0.1,
        precision: str = "bfloat16",
    ) -> None:
        super().__init__(network, precision)
        self.network: SKNet = network
        self.sigma = sigma
        self.without_context = without_context
        self.weights = {
            "heatmap": heatmap, "position": position, "distance": distance, "tissue": tissue, "valves": valves,
        }  # fmt: skip
        self.log_temperature = nn.Parameter(torch.tensor(log_temperature))
        self.heatmap_loss = HeatmapLoss()
        self.decoder = HeatmapDecoder()

    def forward(self, batch: Batch) -> Terms:
        """Judge labelled frames.

        Args:
            batch: ``image`` ``(B, F, 1, S, S)`` uint8, ``points`` ``(B, F, 4, 2)`` px of these frames, NaN
                where there is no label, and optionally ``tissue`` ``(B, F, S/2, S/2)`` uint8, ``valves``
                ``(B, F, V, 2)`` px and the temporal ``context`` ``(B, 2, S, S)`` float32.
        """
        frames, points = grey(batch["image"]), batch["points"].flatten(0, 1)
        context = self._context(batch, frames)
        size = frames.shape[-1]
        with self.autocast(frames):
            heatmaps, tissue, valves = self.network.forward_with_aids(frames, context)
        heatmaps = heatmaps.float()
        known = points.isfinite().all(-1).float()  # (B * F, 4)
        points = points.nan_to_num(-1.0)
        targets = gaussian_heatmaps(points, size, self.sigma * size / MODEL_SIZE)
        logits = heatmaps * self.log_temperature.exp()
        terms = {
            "heatmap": self.heatmap_loss(heatmaps, targets, known),
            "position": position_loss(logits, targets, known),
            "distance": distance_loss(logits, points, known) * MODEL_SIZE / size,
        }
        if "tissue" in batch:
            labels = batch["tissue"].flatten(0, 1)
            step = labels.shape[-1] // tissue.shape[-1]
            terms["tissue"] = F.cross_entropy(tissue.float(), labels[:, ::step, ::step].long())
        if "valves" in batch and valves is not None:
            terms["valves"] = self._valve_loss(valves.float(), batch["valves"].flatten(0, 1), size)
        loss = torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
        result = {"loss": loss, **{name: term.detach() for name, term in terms.items()}}
        if not self.training:
            result["points"] = self.decoder(heatmaps)[0].unflatten(0, batch["image"].shape[:2])
        return result

    def _valve_loss(self, logits: Tensor, points: Tensor, size: int) -> Tensor:
        """L_valves: logits ``(N, V, S/s, S/s)``, points ``(N, V, 2)`` px of the frames, of which some lie outside."""
        step = size // logits.shape[-1]
        known = ((points >= 0) & (points < size)).all(dim=-1).float()
        sigma = self.sigma * size / MODEL_SIZE / step
        targets = gaussian_heatmaps((points - (step - 1) / 2) / step, logits.shape[-1], sigma)
        return position_loss(logits, targets, known)

    def _context(self, batch: Batch, frames: Tensor) -> Tensor | None:
        """The context of every frame; now and then there is none in training: stills have none."""
        if "context" not in batch or (self.training and torch.rand(()) < self.without_context):
            return None
        each = frames.shape[0] // batch["context"].shape[0]
        return batch["context"].to(frames.dtype).repeat_interleave(each, dim=0)


def position_loss(logits: Tensor, targets: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy over space between targets, normalised to sum 1, and the soft-max of the logits.

    Args:
        logits: ``(N, K, H, W)``.
        targets: ``(N, K, H, W)``, not negative.
        weight: ``(N, K)``.

    Returns:
        Scalar: the weighted mean.
    """
    shares = targets.flatten(2)
    shares = shares / shares.sum(-1, keepdim=True).clamp_min(1e-6)
    each = -(shares * F.log_softmax(logits.flatten(2), dim=-1)).sum(-1)
    return (each * weight).sum() / weight.sum().clamp_min(1)


def distance_loss(logits: Tensor, points: Tensor, weight: Tensor) -> Tensor:
    """Mean of ``sqrt(d^2 + 1)``, d being the distance in px of the mean of the soft-max from the point.

    Integral regression (Sun et al., ECCV 2018).

    Args:
        logits: ``(N, K, H, W)``.
        points: ``(N, K, 2)`` (x, y) px.
        weight: ``(N, K)``.

    Returns:
        Scalar: the weighted mean.
    """
    height, width = logits.shape[-2:]
    share = torch.softmax(logits.flatten(2), dim=-1).view_as(logits)
    x = share.sum(dim=2) @ torch.arange(width, dtype=logits.dtype, device=logits.device)
    y = share.sum(dim=3) @ torch.arange(height, dtype=logits.dtype, device=logits.device)
    each = ((torch.stack((x, y), dim=-1) - points).square().sum(dim=-1) + 1).sqrt()
    return (each * weight).sum() / weight.sum().clamp_min(1)
