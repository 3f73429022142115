"""Where the code and the weights of a peer are, and how its modules are imported without staying in the way."""

from __future__ import annotations

import importlib
import os
import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from echo_keypoints.errors import ModelError

PEERS_VARIABLE = "ECHO_KEYPOINTS_PEERS"


@dataclass(frozen=True)
class Peer:
    """Where a peer is to be had and to be put.

    Attributes:
        folder: of its checkout, within `PEERS_VARIABLE`.
        repository: on GitHub.
        weights: file, within its checkout.
        origin: where the weights come from.
        licence: of code and weights.
        packages: from PyPI that its code imports besides torch and numpy.
    """

    folder: str
    repository: str
    weights: str
    origin: str
    licence: str
    packages: tuple[str, ...] = ()


_COTRACKER = "https://huggingface.co/facebook/cotracker"
_TAPNET = "https://storage.googleapis.com/dm-tapnet"

PEERS: dict[str, Peer] = {
    "cotracker2": Peer(
        "co-tracker", "facebookresearch/co-tracker", "weights/cotracker2.pth",
        f"{_COTRACKER}/resolve/main/cotracker2.pth", "CC-BY-NC 4.0",
    ),
    "cotracker3_offline": Peer(
        "co-tracker", "facebookresearch/co-tracker", "weights/scaled_offline.pth",
        f"{_COTRACKER}3/resolve/main/scaled_offline.pth", "CC-BY-NC 4.0",
    ),
    "cotracker3_online": Peer(
        "co-tracker", "facebookresearch/co-tracker", "weights/scaled_online.pth",
        f"{_COTRACKER}3/resolve/main/scaled_online.pth", "CC-BY-NC 4.0",
    ),
    "tapir": Peer(
        "tapnet", "google-deepmind/tapnet", "weights/tapir_checkpoint_panning.pt",
        f"{_TAPNET}/tapir_checkpoint_panning.pt", "Apache-2.0", ("einshape", "dm-tree"),
    ),
    "bootstapir": Peer(
        "tapnet", "google-deepmind/tapnet", "weights/bootstapir_checkpoint_v2.pt",
        f"{_TAPNET}/bootstap/bootstapir_checkpoint_v2.pt", "Apache-2.0", ("einshape", "dm-tree"),
    ),
    "echotracker": Peer(
        "echotracker", "riponazad/echotracker", "weights/echotracker.pth",
        "the link in its README", "MIT", ("prettytable", "tensorboard"),
    ),
    "pips2": Peer(
        "pips2", "aharley/pips2", "weights/pips2.pth", "get_reference_model.sh of the checkout", "MIT", ("einops",),
    ),
    "myotracker": Peer(
        "myotracker", "artemcher/myotracker", "myotracker/models/myotracker_scripted.pt",
        "part of its checkout", "CC-BY-NC 4.0",
    ),
    "echoglad_original": Peer(
        "echoglad", "MasoudMo/echoglad", "weights/miccai2023.pth", "its releases page", "MIT", ("torch-geometric",),
    ),
}  # fmt: skip


def find_peer(name: str) -> tuple[Path, Path]:
    """Find the checkout and the weights of a peer.

    Args:
        name: of `PEERS`.

    Raises:
        ModelError: they are not there; the sentence says how to get them.
    """
    peer = PEERS[name]
    root = os.environ.get(PEERS_VARIABLE)
    if not root:
        raise ModelError(
            f"{name} is software of others: set {PEERS_VARIABLE} to a folder with a checkout of "
            f"github.com/{peer.repository} ({peer.licence}) as {peer.folder}/."
        )
    checkout = Path(root) / peer.folder
    if not checkout.is_dir():
        raise ModelError(
            f"{name} needs a checkout of github.com/{peer.repository} ({peer.licence}) as {peer.folder}/ in "
            f"{PEERS_VARIABLE}."
        )
    weights = checkout / peer.weights
    if not weights.is_file():
        raise ModelError(f"{name} needs its weights as {peer.folder}/{peer.weights}: from {peer.origin}.")
    return checkout, weights


def import_from(checkout: Path, module: str, packages: Sequence[str] = ()) -> ModuleType:
    """Import a module of a checkout; nothing of it stays on the path or in ``sys.modules``.

    Research code calls its packages ``utils`` and ``model``, so that two peers could not be loaded at once else.

    Args:
        checkout: folder that the module's name starts from.
        module: dotted name.
        packages: from PyPI that it needs, for the message.

    Raises:
        ModelError: it cannot be imported.
    """
    with _first_on_path(checkout):
        try:
            return importlib.import_module(module)
        except ImportError as error:
            needs = f"; pip install {' '.join(packages)}" if packages else ""
            raise ModelError(f"The code in {checkout.name} cannot be imported: {error}{needs}.") from error


@contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    tops = {path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"}
    before = {name: found for name, found in sys.modules.items() if name.split(".")[0] in tops}
    for name in before:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] in tops]:
            del sys.modules[name]
        sys.modules.update(before)


def state_dict(weights: Path, *keys: str) -> dict[str, Any]:
    """Read a checkpoint, tensors only; of the keys that hold the weights the first one that is there counts.

    Raises:
        ModelError: it is damaged or holds code.
    """
    try:
        content = torch.load(weights, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise ModelError(
            f"{weights.name} is damaged, or holds more than tensors; download it again."
        ) from error
    return next((content[key] for key in keys if key in content), content)


def load_into(network: torch.nn.Module, weights: Path, *keys: str) -> torch.nn.Module:
    """Give a network its weights, and put it in evaluation mode.

    Raises:
        ModelError: the weights are damaged or of another network.
    """
    try:
        network.load_state_dict(state_dict(weights, *keys))
    except (RuntimeError, AttributeError, TypeError) as error:
        raise ModelError(f"{weights.name} does not fit the code of its checkout; update both.") from error
    return network.eval()
