"""Every tracker that can be compared, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from echo_keypoints.errors import EchoKeypointsError

from .block_matching import BlockMatching
from .dis import DIS
from .engine import AS_IN_THE_PAPER, Engine, SKNetTracker, TRNetTracker
from .klt import KLT
from .protocol import Tracker


@dataclass(frozen=True)
class Entry:
    """One tracker of the comparison.

    Attributes:
        title: for tables.
        make: builds it; raises `ModelError` if its weights are missing.
        from_query: it can start from given points.
        ours: it needs our weights.
        default: it runs unless other trackers are asked for.
        external: it is software that the user installs (`external`).
        weights: files that it reads besides the engine's; its tracks hang on them (`track_store`).
    """

    title: str
    make: Callable[[Engine], Tracker]
    from_query: bool = True
    ours: bool = False
    default: bool = True
    external: bool = False
    weights: tuple[Path, ...] = ()


def _external(name: str, title: str, *, from_query: bool = True) -> Entry:
    def make(_: Engine) -> Tracker:
        from .external.make import make_external  # needs torch

        return make_external(name)

    return Entry(title, make, from_query, default=False, external=True)


def _detector(name: str, engine: Engine) -> Tracker:
    from .detectors import tracker  # needs torch

    return getattr(tracker, name)(engine.weights(f"{name}.pt"))


def _speckle(_: Engine) -> Tracker:
    from .speckle import SpeckleTracking  # needs PyMUST

    return SpeckleTracking()


def _flownet(chained: bool, engine: Engine) -> Tracker:
    from .flownet import FlowNetTracker  # needs torch, which the others do not

    return FlowNetTracker(engine.weights("flownet.pt"), chained=chained)


TRACKERS: dict[str, Entry] = {
    "sknet": Entry("SK-net, each frame alone", SKNetTracker, from_query=False, ours=True),
    "trnet": Entry("TR-net, motion between near frames, PlaceNet", TRNetTracker, ours=True),
    "trnet_unplaced": Entry(
        "TR-net and motion, without PlaceNet", partial(TRNetTracker, placement=False), ours=True
    ),
    "trnet_plain": Entry(
        "TR-net alone, as in the paper",
        partial(TRNetTracker, **AS_IN_THE_PAPER),
        ours=True,
        default=False,
    ),
    "flownet": Entry("FlowNet, chained", partial(_flownet, True), ours=True, default=False),
    "flownet_direct": Entry(
        "FlowNet, from the reference", partial(_flownet, False), ours=True, default=False
    ),
    "klt": Entry("KLT (OpenCV), chained", lambda _: KLT()),
    "dis": Entry("DIS flow (OpenCV), chained", lambda _: DIS()),
    "dis_direct": Entry("DIS flow, from the reference", lambda _: DIS(chained=False)),
    "dis_fine": Entry("DIS flow at full resolution, chained", lambda _: DIS(upsampling=2)),
    "block_matching": Entry("block matching 25 × 25, chained", lambda _: BlockMatching()),
    "speckle": Entry("speckle tracking (PyMUST), chained", _speckle, default=False),
    "echonet_lvh": Entry(
        "EchoNet-LVH (DeepLabV3), trained here",
        partial(_detector, "echonet_lvh"),
        from_query=False,
        ours=True,
        default=False,
    ),
    "echoglad": Entry(
        "EchoGLAD, trained here", partial(_detector, "echoglad"), from_query=False, ours=True, default=False
    ),
    "echotracker": _external("echotracker", "EchoTracker"),
    "cotracker3_offline": _external("cotracker3_offline", "CoTracker3 offline"),
    "cotracker3_online": _external("cotracker3_online", "CoTracker3 online"),
    "cotracker2": _external("cotracker2", "CoTracker2"),
    "bootstapir": _external("bootstapir", "BootsTAPIR"),
    "tapir": _external("tapir", "TAPIR"),
    "pips2": _external("pips2", "PIPs++"),
    "myotracker": _external("myotracker", "MyoTracker"),
    "echoglad_original": _external("echoglad_original", "EchoGLAD, its authors' code", from_query=False),
}


def choose(names: Sequence[str] | None) -> dict[str, Entry]:
    """Look trackers up; None gives the default ones.

    Raises:
        EchoKeypointsError: there is no such tracker.
    """
    if names is None:
        return {name: entry for name, entry in TRACKERS.items() if entry.default}
    unknown = [name for name in names if name not in TRACKERS]
    if unknown:
        raise EchoKeypointsError(f"There is no tracker {unknown[0]!r}; choose from {', '.join(TRACKERS)}.")
    return {name: TRACKERS[name] for name in names}
