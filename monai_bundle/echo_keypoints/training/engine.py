"""How MONAI's engines handle an `Objective`: the batch is its input, the target is part of the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from ignite.metrics import Metric
from ignite.metrics.metric import reinit__is_reduced, sync_all_reduce
from torch import Tensor

from echo_keypoints.tracking.letterbox import MODEL_SIZE
from echo_keypoints.training.objective import Batch, Terms


def prepare_batch(
    batch: Batch, device: torch.device, non_blocking: bool = False, **_: Any
) -> tuple[dict[str, Tensor], Tensor | None]:
    """Bring a batch to the device; the label is ``"points"`` where a batch has them."""
    moved = {name: value.to(device, non_blocking=non_blocking) for name, value in batch.items()}
    return moved, moved.get("points")


def total_loss(prediction: Terms, _: Tensor | None) -> Tensor:
    """Give the loss that the objective has computed already."""
    return prediction["loss"]


def loss_terms(output: Any) -> dict[str, float]:
    """Give the scalars of an engine's output by name, for logs."""
    return {name: value.detach().item() for name, value in output["pred"].items() if value.ndim == 0}


def prediction_and_label(output: Any) -> tuple[Terms, Tensor | None]:
    """Give what ignite's metrics take of an engine's output."""
    return output["pred"], output["label"]


class MeanLoss(Metric):
    """Mean of the loss over the batches of an evaluation."""

    def __init__(self) -> None:
        super().__init__(prediction_and_label)

    @reinit__is_reduced
    def reset(self) -> None:
        """Forget everything."""
        self.total, self.count = torch.zeros((), dtype=torch.float64), 0

    @reinit__is_reduced
    def update(self, output: Any) -> None:
        """Take prediction and label of a batch."""
        self.total += output[0]["loss"].detach().double().cpu()
        self.count += 1

    @sync_all_reduce("total", "count")
    def compute(self) -> float:
        """Give the mean over all processes; NaN without batches."""
        return float(self.total) / self.count if self.count else float("nan")


class MeanPointError(Metric):
    """Mean distance between predicted and labelled points, in px of model space; lower is better.

    Args:
        image_size: side of the frames; distances are scaled to 224.
    """

    def __init__(self, image_size: int = MODEL_SIZE) -> None:
        self.scale = MODEL_SIZE / image_size
        super().__init__(prediction_and_label)

    @reinit__is_reduced
    def reset(self) -> None:
        """Forget everything."""
        self.total, self.count = torch.zeros((), dtype=torch.float64), 0

    @reinit__is_reduced
    def update(self, output: Any) -> None:
        """Take prediction and label of a batch; points whose label is NaN do not count."""
        prediction, label = output
        if label is None:
            return
        distances = (prediction["points"] - label).norm(dim=-1)
        known = label.isfinite().all(-1)
        self.total += distances[known].sum().double().cpu() * self.scale
        self.count += int(known.sum())

    @sync_all_reduce("total", "count")
    def compute(self) -> float:
        """Give the mean over all processes; NaN if nothing was labelled."""
        return float(self.total) / self.count if self.count else float("nan")


def lower_is_better(current: float, best: float) -> bool:
    """Compare metrics for MONAI's engines, whose default takes the largest value for the best."""
    return current < best


def every(count: int) -> Callable[[Any, int], bool]:
    """Give a filter of ignite events that lets the first and then every so many pass."""
    return lambda _, event: event == 1 or event % count == 0
