"""Figure 5: the trackers on one clip, in four phases of the beat, and their lengths beside the true ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.biomarkers.lengths import measure_lengths
from echo_keypoints.evaluation.cases import Case
from echo_keypoints.evaluation.overlay import save_contact_sheet
from echo_keypoints.evaluation.reproduce.chart import Series, save_chart

Tracks = Mapping[str, NDArray[np.float64]]
TRUTH = "truth"


def save_figure_5(case: Case, tracks: Tracks, curves: Tracks, stem: Path) -> list[Path]:
    """Write ``STEM.png`` and, where all frames have truth, ``STEM_IVS.png``, ``STEM_LVID.png`` and ``STEM_LVPW.png``.

    Args:
        case: the clip.
        tracks: title → ``(T, 4, 2)`` model px; a row each, below that of the truth if all frames have it.
        curves: the same, of those whose lengths are drawn; three at most are told apart by colour.
        stem: path without ending.

    Raises:
        OSError: the folder cannot be written to.
    """
    known = {TRUTH: case.model_truth} if case.consecutive else {}
    paths = [stem.with_name(f"{stem.name}.png")]
    save_contact_sheet(case, {**known, **tracks}, paths[0], shown=phases(case), trails=True)
    if known:
        lengths = {title: measure_lengths(points) for title, points in {**known, **curves}.items()}
        for name in lengths[TRUTH]:
            paths.append(stem.with_name(f"{stem.name}_{name}.png"))
            series = [_series(title, found[name].px) for title, found in lengths.items()]
            save_chart(series, "frame", f"{name} (px)", paths[-1])
    return paths


def phases(case: Case) -> dict[str, int]:
    """The paper's phases A to D: end-diastole, the middle of systole, end-systole, the middle of what is left."""
    start, end = case.end_diastole, case.end_systole
    late = (max(start, end) + int(case.frames[-1])) / 2
    wanted = {"A": start, "B": (start + end) / 2, "C": end, "D": late}
    nearest = {name: int(case.frames[np.abs(case.frames - frame).argmin()]) for name, frame in wanted.items()}
    return {f"phase {name}, frame {frame}": frame for name, frame in nearest.items()}


def _series(title: str, values: NDArray[np.float64]) -> Series:
    nothing = [float("nan")] * len(values)
    return Series(title, [float(t) for t in range(len(values))], values.tolist(), nothing, nothing)
