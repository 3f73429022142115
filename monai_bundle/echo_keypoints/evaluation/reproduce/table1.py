"""Table 1: every tracker on equal terms; Figure 5: what they do on one clip."""

from __future__ import annotations

from dataclasses import replace

from echo_keypoints.errors import ModelError
from echo_keypoints.evaluation.cases import Case
from echo_keypoints.evaluation.peers.detectors import tracker as detectors
from echo_keypoints.evaluation.peers.registry import TRACKERS, Entry
from echo_keypoints.evaluation.reproduce.budget import train_detector
from echo_keypoints.evaluation.reproduce.context import Context, compare, installed_peers, lines
from echo_keypoints.evaluation.reproduce.figure5 import save_figure_5
from echo_keypoints.evaluation.reproduce.paper import TABLE_1, TABLE_1_COLUMNS
from echo_keypoints.evaluation.reproduce.report import Column, Report
from echo_keypoints.evaluation.run import Run

OURS = ("sknet", "trnet_plain", "trnet", "flownet")
CLASSICAL = ("klt", "speckle", "block_matching", "dis", "dis_fine")
DETECTORS = ("echonet_lvh", "echoglad")
FIGURE_5 = {
    "sknet": "SK-net", "trnet": "TR-net", "klt": "KLT", "speckle": "speckle tracking",
    "echonet_lvh": "EchoNet-LVH", "echoglad": "EchoGLAD", "echotracker": "EchoTracker",
    "cotracker3_offline": "CoTracker3", "bootstapir": "BootsTAPIR",
}  # fmt: skip
"""Trackers of Figure 5, those that ran, with short titles."""
FIGURE_5_CURVES = ("trnet", "sknet", "speckle")
PAPER_ROWS = {
    "sknet": "SK-net", "trnet": "TR-net", "trnet_plain": "TR-net", "klt": "KLT Tracker", "speckle": "Speckle Tracking",
    "echonet_lvh": "Echonet-LVH", "echoglad": "EchoGLAD", "echoglad_original": "EchoGLAD", "echotracker": "EchoTracker",
    "cotracker3_offline": "CoTracker3 offline", "cotracker3_online": "CoTracker3 online", "cotracker2": "CoTracker2",
    "bootstapir": "BootsTAPIR", "tapir": "TAPIR",
}  # fmt: skip
"""Tracker → its row in the paper."""

BESIDES = (
    Column("mae_sum_px", "MAE sum"),
    Column("ave_px", "AVE"),
    Column("mpe_px", "error px"),
    Column("mpe_mm", "error mm"),
    Column("survival_percent", "survival %", higher=True),
    Column("sdr_2mm_percent", "SDR 2 mm %", higher=True),
)
"""What the paper does not report."""


def table_1(context: Context) -> list[Report]:
    """Run all trackers that run out of the box, and those of others that are installed."""
    entries = all_trackers(context)
    reports = []
    for dataset in context.datasets():
        shown: list[str] = []

        def look(case: Case, runs: list[Run], shown: list[str] = shown, name: str = dataset.name) -> None:
            if not shown:  # Figure 5 is of one clip
                shown.append(case.name)
                tracks = {FIGURE_5[run.tracker]: run.points for run in runs if run.tracker in FIGURE_5}
                curves = {FIGURE_5[tracker]: tracks[FIGURE_5[tracker]] for tracker in FIGURE_5_CURVES}
                save_figure_5(case, tracks, curves, context.output / f"figure5_{name}")

        runs, skipped = compare(context, "table1", dataset, entries, look)
        reports.append(
            Report(
                f"table1_{dataset.name}",
                f"Table 1 on {dataset.title}",
                [*TABLE_1_COLUMNS, *BESIDES],
                lines(runs, entries, PAPER_ROWS),
                TABLE_1,
                [column.key for column in TABLE_1_COLUMNS],
                [
                    "px at 224 × 224; mean over clips with 95 % bootstrap interval over clips.",
                    "End to end: every tracker starts from SK-net's most confident frame and its points there.",
                    f"Figure 5 is figure5_{dataset.name}.png, of the first clip.",
                    *skipped,
                ],
                context.settings(),
            )
        )
    return reports


def all_trackers(context: Context) -> dict[str, Entry]:
    """Ours, the classical ones, the detectors of others (trained first if need be), and what is installed."""
    entries = {name: TRACKERS[name] for name in (*OURS, *CLASSICAL)}
    try:
        weights = context.engine.weights("flownet.pt")
        entries["flownet"] = replace(entries["flownet"], weights=(weights,))
    except ModelError:  # a folder of weights may do without
        del entries["flownet"]
    for name in DETECTORS:
        entries[name] = detector_entry(context, name)
    return {**entries, **installed_peers()}


def detector_entry(context: Context, name: str) -> Entry:
    """The entry of EchoNet-LVH or EchoGLAD with weights that were trained within the budget."""
    weights = train_detector(name, context.budget, context.runs, context.training_data)
    return replace(TRACKERS[name], make=lambda _: getattr(detectors, name)(weights), weights=(weights,))
