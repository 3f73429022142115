"""Weights files: a plain state dict with the names of the architecture and the preset, and no code."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from echo_keypoints.errors import ModelError

Network = TypeVar("Network", bound=nn.Module)


def save_weights(network: nn.Module, path: str | Path, exclude: Sequence[str] = ()) -> None:
    """Write the weights of a network that was built by its `from_preset`.

    Args:
        network: an `SKNet`, `FlowNet` or `TRNet`.
        path: file to write.
        exclude: names of submodules that only training needs.

    Raises:
        ValueError: the network does not know its preset, so it could not be built again.
    """
    preset = getattr(network, "preset", None)
    if preset is None:
        raise ValueError("only networks built by from_preset can be saved")
    state = {name: value for name, value in network.state_dict().items() if name.split(".")[0] not in exclude}
    content = {
        "architecture": type(network).__name__,
        "preset": preset,
        "overrides": getattr(network, "overrides", {}),
        "weights": state,
    }
    torch.save(content, path)


def load_weights(path: str | Path, architecture: type[Network]) -> Network:
    """Build the network that a file describes, with its weights, on the CPU and in evaluation mode.

    Args:
        path: file written by `save_weights`.
        architecture: the class that is expected.

    Returns:
        The network.

    Raises:
        ModelError: the file is missing, damaged, of another network or of another version.
    """
    path = Path(path)
    content = _read(path)
    found = content.get("architecture")
    if found != architecture.__name__:
        raise ModelError(
            f"{path.name} holds weights of {found}, not of {architecture.__name__}; choose the matching file."
        )
    try:
        network = architecture.from_preset(content["preset"], **content.get("overrides", {}))  # type: ignore[attr-defined]
        network.load_state_dict(content["weights"])
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ModelError(
            f"{path.name} does not fit this version of {architecture.__name__}; "
            "use the weights that came with this version, or train again."
        ) from error
    return network.eval()


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ModelError(f"{path.name} was not found; check the path of the weights.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError, KeyError) as error:
        raise ModelError(
            f"{path.name} is damaged or not a weights file; download or export it again."
        ) from error
    if not isinstance(content, dict) or "architecture" not in content:
        raise ModelError(f"{path.name} does not say which network it is for; export it with save_weights.")
    return content
