"""`FlowObjective`: motion without any label, after ARFlow (stage 2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from echo_keypoints.losses import AugmentationLoss, FlowLoss, consistent, pseudo_points
from echo_keypoints.networks.flownet import FlowNet
from echo_keypoints.training.objective import Batch, Objective, Terms, grey


class FlowObjective(Objective):
    """Photometric loss both ways and, in the second phase, augmentation as regularisation.

    As in ARFlow, the first phase counts every pixel, and the second those that both frames see, and adds harder views
    whose flow must agree with the plain view. `phase` says which; `training.handlers.SetPhase` sets it. In evaluation
    mode every pixel counts: a flow that is nowhere consistent would otherwise have nothing to answer for.

    Both phases compare brightness (L1, and SSIM in windows of 9 px, about a speckle across). ARFlow's second phase uses
    the census transform, which on speckle is mostly noise: over phantom pairs the motion found by DIS flow lowers it by
    12 % against no motion, SSIM by 49 % and L1 by 38 %, and a network trained on it settled at no motion.

    The network computes in float32 by default: bfloat16 knows a flow of 4 px to 0.02 px, but one of 20 px to
    0.1 px only.

    Args:
        network: a `FlowNet`.
        first, second: losses of the phases.
        augmentation: the loss of the harder views.
        augmentation_weight: its weight in the second phase; 0 leaves it out.
        precision: see `Objective`.
    """

    def __init__(
        self,
        network: FlowNet,
        first: FlowLoss | None = None,
        second: FlowLoss | None = None,
        augmentation: AugmentationLoss | None = None,
        augmentation_weight: float = 0.02,
        precision: str = "float32",
    ) -> None:
        super().__init__(network, precision)
        self.network: FlowNet = network
        self.losses = (
            first or _photometric(check_visibility=False),
            second or _photometric(check_visibility=True),
        )
        self.yardstick = _photometric(check_visibility=False, scales=(1.0,))
        self.augmentation = augmentation or AugmentationLoss()
        self.augmentation_weight = augmentation_weight
        self.phase = 0

    def forward(self, batch: Batch) -> Terms:
        """Judge pairs of frames.

        Args:
            batch: ``reference`` and ``target`` ``(B, P, 1, S, S)`` uint8; for the points of an evaluation
                ``reference_points`` ``(B, P, 4, 2)`` px, too.
        """
        reference, target = grey(batch["reference"]), grey(batch["target"])
        with self.autocast(reference):
            flows = self.network.pyramid_both_ways(reference, target)
        forward, backward = ([flow.float() for flow in way] for way in flows)
        criterion = self.losses[self.phase] if self.training else self.yardstick
        one_way = criterion(reference, target, forward, backward)
        photometric = (one_way + criterion(target, reference, backward, forward)) / 2
        result = {"loss": photometric, "photometric": photometric.detach()}
        if self.training and self.phase == 1 and self.augmentation_weight:
            visible = consistent(forward[0], backward[0])
            again = self._augmented(reference, target, forward[0], visible)
            result["loss"] = photometric + self.augmentation_weight * again
            result |= {"augmentation": again.detach(), "visible": visible.mean()}
        if not self.training and "reference_points" in batch:
            points = batch["reference_points"]
            followed = pseudo_points(forward[0], points.flatten(0, 1))
            result["points"] = followed.unflatten(0, points.shape[:2])
        return result

    def _augmented(self, reference: Tensor, target: Tensor, flow: Tensor, visible: Tensor) -> Tensor:
        # One number of the global generator, which the run's seed governs, makes the loss's own generator.
        generator = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
        loss: Tensor = self.augmentation(self.network, reference, target, flow, visible, generator)
        return loss


def _photometric(check_visibility: bool, scales: Sequence[float] = (1.0, 1.0, 1.0, 1.0)) -> FlowLoss:
    return FlowLoss(
        l1=0.15,
        ssim=0.85,
        census=0.0,
        ssim_window=9,
        smooth=10.0,
        scales=scales,
        check_visibility=check_visibility,
    )
