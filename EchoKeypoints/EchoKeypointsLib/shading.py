"""Confidence shading: a halo behind each curve, where its landmarks are not certain.

Slicer's plots know no areas and one colour a series, so that a halo is a broad, pale line. One table serves all curves:
their frames one after another, with an empty row between them, and a column for each level of doubt, NaN elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import slicer
from numpy.typing import NDArray

from echo_keypoints.anatomy import SEGMENTS
from EchoKeypointsLib.looks import DOUBT, LOW_CONFIDENCE
from EchoKeypointsLib.tables import add_table, curve_series, write_column

LEVELS = {"uncertain": 0.75, "doubtful": LOW_CONFIDENCE}
"""Name of a series → the confidence below which a curve has its halo, widest first."""

_LOOKS = {"uncertain": (15.0, 0.22), "doubtful": (15.0, 0.55)}
"""Width in px and opacity."""


def add_shading(scene: slicer.vtkMRMLScene, times_s: NDArray[np.float64]):
    """Add the table and one series a level, to be drawn below the curves.

    Returns:
        table, {name: series}.
    """
    rows = np.concatenate([np.append(times_s, np.nan)] * len(SEGMENTS))
    nothing = np.full(len(rows), np.nan)
    table = add_table(scene, "EchoKeypoints confidence", {"time": rows, **dict.fromkeys(LEVELS, nothing)})
    series = {}
    for name, (width, opacity) in _LOOKS.items():
        series[name] = curve_series(scene, table, "time", name, DOUBT, width)
        series[name].SetOpacity(opacity)
    return table, series


def show_shading(
    table, lengths: Mapping[str, NDArray[np.float64]], confidence: Mapping[str, NDArray[np.float64]]
) -> None:
    """Write the halos.

    Args:
        table: of `add_shading`.
        lengths: segment → ``(T,)`` the curve.
        confidence: segment → ``(T,)`` in 0..1, NaN where unknown.
    """
    for level, limit in LEVELS.items():
        parts = []
        for segment in SEGMENTS:
            low = confidence[segment.name] < limit
            near = low.copy()  # up to the neighbours: a line needs two points
            near[1:] |= low[:-1]
            near[:-1] |= low[1:]
            parts.append(np.append(np.where(near, lengths[segment.name], np.nan), np.nan))
        write_column(table, level, np.concatenate(parts))
    table.GetTable().Modified()
    table.Modified()


def frame_of_row(row: int, frame_count: int) -> int:
    """Which frame a row of the table is about."""
    return min(row % (frame_count + 1), frame_count - 1)
