"""Every tracker that can be compared, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from echo_keypoints.errors import EchoKeypointsError

from .block_matching import BlockMatching
from .dis import DIS
from .engine import Engine, SKNetTracker, TRNetTracker
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
    """

    title: str
    make: Callable[[Engine], Tracker]
    from_query: bool = True
    ours: bool = False
    default: bool = True


def _flownet(chained: bool, engine: Engine) -> Tracker:
    from .flownet import FlowNetTracker  # needs torch, which the others do not

    return FlowNetTracker(engine.weights("flownet.pt"), chained=chained)


TRACKERS: dict[str, Entry] = {
    "sknet": Entry("SK-net, each frame alone", SKNetTracker, from_query=False, ours=True),
    "trnet": Entry("TR-net", TRNetTracker, ours=True),
    "flownet": Entry("FlowNet, chained", partial(_flownet, True), ours=True, default=False),
    "flownet_direct": Entry(
        "FlowNet, from the reference", partial(_flownet, False), ours=True, default=False
    ),
    "klt": Entry("KLT (OpenCV), chained", lambda _: KLT()),
    "dis": Entry("DIS flow (OpenCV), chained", lambda _: DIS()),
    "dis_direct": Entry("DIS flow, from the reference", lambda _: DIS(chained=False)),
    "dis_fine": Entry("DIS flow at full resolution, chained", lambda _: DIS(upsampling=2)),
    "block_matching": Entry("block matching 25 × 25, chained", lambda _: BlockMatching()),
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
