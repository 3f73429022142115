"""The frame of a run: seeds, processes, checkpoints to resume from, and the three stages in a row."""

from __future__ import annotations

import gc
import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import ignite.distributed as idist
import torch
from ignite.engine import Engine
from monai.bundle import ConfigWorkflow
from monai.handlers import CheckpointLoader, CheckpointSaver
from monai.utils import set_determinism
from torch import nn

from echo_keypoints.errors import ModelError
from echo_keypoints.networks import load_weights

Network = TypeVar("Network", bound=nn.Module)

logger = logging.getLogger(__name__)

CHECKPOINT = re.compile(r"checkpoint_epoch=(\d+)\.pt")


def main_process() -> bool:
    """Tell whether this is the only process or the first of several."""
    return process_index() == 0


def process_index() -> int:
    """Index of this process, 0 if it is the only one."""
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0


def process_count() -> int:
    """Number of processes of this run."""
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1


def join_processes() -> None:
    """Join the processes that torchrun started; called by each of them.

    Ignite's set-up is collective, too. Left to itself it happens when first needed, which is when the main process
    alone makes its checkpoint handler: the others would wait for it in their first step, for ever.
    """
    torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    if torch.cuda.is_available():
        torch.cuda.set_device(default_device())
    idist.sync()


def leave_processes(wrapped: nn.parallel.DistributedDataParallel) -> None:
    """Part from the other processes, once all of them are done: the first one has files to write.

    Args:
        wrapped: the network of the trainer. It is of no use afterwards: unless it lets go of the group first, the
            group's threads live on to the exit of the interpreter, which then hangs or aborts now and then.
    """
    torch.distributed.barrier()
    del wrapped.reducer, wrapped.logger
    wrapped.process_group = None  # type: ignore[assignment]
    gc.collect()
    torch.distributed.destroy_process_group()


def set_seed(seed: int) -> None:
    """Seed everything, each process apart, without asking for slow deterministic algorithms.

    A run on the CPU is repeatable for a given number of threads; a GPU adds rounding differences.
    """
    set_determinism(seed + process_index())
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = False, True


def default_device() -> torch.device:
    """The GPU that torchrun gave this process, or the first one, or the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))


def start_from(network: Network, weights: str | None) -> Network:
    """Load weights into a network, keeping what only training needs as it is.

    Args:
        network: built by its `from_preset`.
        weights: file of `networks.save_weights`, or None for a new start.

    Returns:
        The network.

    Raises:
        ModelError: the file is missing, damaged or of another preset.
    """
    if not weights:
        return network
    trained = load_weights(weights, type(network))
    try:
        missing, unexpected = network.load_state_dict(trained.state_dict(), strict=False)
    except RuntimeError as error:
        raise ModelError(
            f"{Path(weights).name} is of another preset; set preset to {getattr(trained, 'preset', '?')}."
        ) from error
    if unexpected:
        raise ModelError(f"{Path(weights).name} does not fit the network; choose the matching preset.")
    if missing:
        parts = sorted({name.split(".")[0] for name in missing})
        logger.info("%s has no %s: they start at random", Path(weights).name, ", ".join(parts))
    return network


def trained(architecture: type[Network], given: str | None, *defaults: str) -> Network:
    """Load the weights that were given, else the first of the defaults that exists.

    Raises:
        ModelError: there are none, or the file is of another network.
    """
    path = given or next((default for default in defaults if Path(default).is_file()), None)
    if path is None:
        raise ModelError(
            f"There are no weights of {architecture.__name__} yet; run its stage first, or name a file."
        )
    logger.info("%s: weights of %s", architecture.__name__, path)
    return load_weights(path, architecture)


def find_checkpoint(folder: str, resume: bool) -> str | None:
    """Path of the newest complete checkpoint of a run that is to be resumed.

    A file that was being written when the run was killed is passed over for the one before.

    Args:
        folder: output folder of the run.
        resume: go on where the run was, or start if it never wrote a checkpoint.

    Returns:
        None for a new start.

    Raises:
        ModelError: not to be resumed, but the folder holds another run.
    """
    found = {int(m[1]): path for path in Path(folder).glob("*.pt") if (m := CHECKPOINT.fullmatch(path.name))}
    if found and not resume:
        raise ModelError(
            f"{Path(folder).name} holds the checkpoints of another run; "
            "go on with --resume True, or choose another --output_dir."
        )
    for epoch in sorted(found, reverse=True):
        try:
            torch.load(found[epoch], map_location="cpu", weights_only=True)
        except Exception:  # torch raises many kinds for a file cut short
            logger.warning("%s is damaged and passed over", found[epoch].name)
            continue
        return str(found[epoch])
    return None


def attach_checkpoints(
    trainer: Engine, objects: Mapping[str, Any], folder: str, checkpoint: str | None, interval: int = 1
) -> None:
    """Save a run every few epochs, and load it first if it is resumed.

    Args:
        trainer: its epoch is part of the checkpoint.
        objects: with ``state_dict`` and ``load_state_dict``.
        folder: where the last two checkpoints are kept.
        checkpoint: of `find_checkpoint`.
        interval: epochs between two checkpoints.
    """
    state = {"trainer": trainer, **objects}
    if checkpoint:
        CheckpointLoader(checkpoint, state, map_location="cpu").attach(trainer)  # type: ignore[arg-type]
    if main_process():
        CheckpointSaver(folder, state, save_interval=interval, n_saved=2).attach(trainer)


def write_settings(folder: str, settings: Mapping[str, Any]) -> None:
    """Write the settings of a run beside its results, as ``settings.json``."""
    if main_process():
        path = Path(folder) / "settings.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings, indent=2, default=str) + "\n", encoding="utf-8")


def run_stages(
    stages: Sequence[Mapping[str, Any]], shared: Mapping[str, Any], bundle_root: str = "."
) -> None:
    """Run bundle configs one after the other in this process.

    Args:
        stages: of each, ``config``: one file, or several that are merged, relative to the root; its other
            keys override the config's, as on the command line.
        shared: overrides for all stages; those that are None are left out, those of a stage go first.
        bundle_root: of the bundle.
    """
    given = {key: value for key, value in shared.items() if value is not None}
    for stage in stages:
        files = [stage["config"]] if isinstance(stage["config"], str) else list(stage["config"])
        overrides = {**given, **{key: value for key, value in stage.items() if key != "config"}}
        logger.info("Stage %s", Path(files[0]).stem)
        workflow = ConfigWorkflow(
            config_file=[str(Path(bundle_root) / file) for file in files],
            workflow_type="train",
            **{"bundle_root": bundle_root, **overrides},
        )
        workflow.initialize()
        workflow.run()
        workflow.finalize()
