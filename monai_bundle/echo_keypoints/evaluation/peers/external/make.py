"""From the name of a peer to its adapter; torch is imported only now."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from echo_keypoints.evaluation.peers.protocol import Tracker

from .checkout import find_peer
from .cotracker import CoTracker, CoTrackerOnline
from .echoglad import EchoGLADOriginal
from .echotracker import EchoTracker
from .myotracker import MyoTracker
from .pips2 import PipsPlusPlus
from .tapir import Tapir

ADAPTERS: dict[str, Callable[[Path, Path], Tracker]] = {
    "cotracker2": partial(CoTracker, name="cotracker2"),
    "cotracker3_offline": partial(CoTracker, name="cotracker3_offline"),
    "cotracker3_online": CoTrackerOnline,
    "tapir": partial(Tapir, name="tapir"),
    "bootstapir": partial(Tapir, name="bootstapir"),
    "echotracker": EchoTracker,
    "pips2": PipsPlusPlus,
    "myotracker": MyoTracker,
    "echoglad_original": EchoGLADOriginal,
}


def make_external(name: str) -> Tracker:
    """Build the adapter of a peer that the user installed.

    Raises:
        ModelError: it is not installed; the sentence says how to.
    """
    return ADAPTERS[name](*find_peer(name))
