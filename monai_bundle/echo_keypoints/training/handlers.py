"""Ignite handlers that MONAI does not have: gradients, the running average, the phase, the best weights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.handlers import ProgressBar
from monai.engines.utils import IterationEvents
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from echo_keypoints.errors import ModelError
from echo_keypoints.networks import save_weights
from echo_keypoints.results.files import atomic_path
from echo_keypoints.training.engine import loss_terms
from echo_keypoints.training.runs import main_process


class ClipGradients:
    """Bound the norm of the gradient of a trainer's network; one bad batch then cannot undo an hour.

    Args:
        largest: the largest norm.
    """

    def __init__(self, largest: float = 1.0) -> None:
        self.largest = largest

    def attach(self, engine: Engine) -> None:
        """Clip after every backward pass of the engine, a MONAI trainer."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        """Clip now."""
        if engine.scaler is not None:  # float16: gradients are scaled up until here
            engine.scaler.unscale_(engine.optimizer)
        nn.utils.clip_grad_norm_(engine.network.parameters(), self.largest)


class StopIfDiverged:
    """Stop a run whose loss is no longer a number, before it overwrites its checkpoints."""

    def attach(self, engine: Engine) -> None:
        """Look at the loss of every iteration of the engine."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        """Look now.

        Raises:
            ModelError: the loss is infinite or not a number.
        """
        if not math.isfinite(engine.state.output["loss"].detach().item()):
            raise ModelError(
                f"The loss is not finite in iteration {engine.state.iteration}; "
                "resume from the last checkpoint with a lower learning rate or precision float32."
            )


def running_average(module: nn.Module, decay: float = 0.998) -> AveragedModel:
    """Exponential moving average of all weights and statistics of a module, with a warm-up.

    After n updates the average keeps ``min(decay, (1 + n) / (10 + n))`` of itself, so that it forgets the
    first, random weights. n is in its state, so a resumed run goes on as it was.

    Args:
        module: on its device already.
        decay: share that is kept per update in the long run.
    """

    def mix(average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        if not average.is_floating_point():
            return current
        keep = min(decay, (1 + int(count)) / (10 + int(count)))
        return torch.lerp(average, current, 1 - keep)

    return AveragedModel(module, avg_fn=mix, use_buffers=True)


class UpdateAverage:
    """Update a `running_average` after every iteration.

    Args:
        average: to update.
        module: what it averages.
    """

    def __init__(self, average: AveragedModel, module: nn.Module) -> None:
        self.average, self.module = average, module

    def attach(self, engine: Engine) -> None:
        """Update after every iteration of the engine."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Update now."""
        self.average.update_parameters(self.module)


class SetPhase:
    """Tell an objective, such as `FlowObjective`, in which phase of the training it is.

    Args:
        objective: with an attribute ``phase``.
        second_epoch: the first epoch, counted from 1, of phase 1.
    """

    def __init__(self, objective: Any, second_epoch: int) -> None:
        self.objective, self.second_epoch = objective, second_epoch

    def attach(self, engine: Engine) -> None:
        """Look at the epoch whenever one starts; a resumed run is thus in the right phase."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Set the phase now."""
        self.objective.phase = int(engine.state.epoch >= self.second_epoch)


class KeepBest:
    """Write a network's weights whenever an evaluation is the best so far; lower is better.

    Unlike MONAI's best checkpoint it can be resumed: the best value is part of its state.

    Args:
        network: built by `from_preset`; its running average, usually.
        path: weights file to write (`networks.save_weights`); its folder is made.
        metric: name of the metric.
    """

    def __init__(self, network: nn.Module, path: str | Path, metric: str) -> None:
        self.network, self.path, self.metric = network, Path(path), metric
        self.best = math.inf

    def attach(self, engine: Engine) -> None:
        """Compare after every run of the engine, a MONAI evaluator."""
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Compare now. What is not a number is never the best."""
        value = float(engine.state.metrics[self.metric])
        if value < self.best:
            self.best = value
            self._write(engine)

    def _write(self, engine: Engine) -> None:
        if main_process():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(self.path) as part:
                save_weights(self.network, part)
            engine.logger.info(f"{self.metric} {self.best:.4f} is the best so far: wrote {self.path.name}")

    def state_dict(self) -> dict[str, float]:
        """Give the best value."""
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take the best value."""
        self.best = float(state["best"])


class LossBar(ProgressBar):
    """A progress bar that shows the terms of the loss."""

    def attach(self, engine: Engine) -> None:  # type: ignore[override]
        """Show the progress of every epoch of the engine."""
        super().attach(engine, output_transform=loss_terms)
