"""``curves.csv``: one row a frame, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from echo_keypoints.anatomy import LANDMARK_NAMES, SEGMENT_NAMES
from echo_keypoints.results import AnalysisResult, atomic_path

COLUMNS = (
    "frame",
    "time_s",
    *(f"{name}_{axis}_px" for name in LANDMARK_NAMES for axis in "xy"),
    *(f"{name}_confidence" for name in LANDMARK_NAMES),
    *(f"{name}_px" for name in SEGMENT_NAMES),
    *(f"{name}_mm" for name in SEGMENT_NAMES),
)
"""Always all of them; the cells of the lengths in mm are empty where the scale is unknown."""


def write_csv(result: AnalysisResult, path: Path) -> None:
    """Write tracks, confidence and lengths of every frame; what is not measurable is an empty cell.

    Raises:
        OSError: the folder cannot be written to.
    """
    lengths = [result.lengths[name] for name in SEGMENT_NAMES]
    with atomic_path(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for frame, time_s in enumerate(result.clip.frame_times_s):
            values = [
                *result.points_px[frame].ravel(),
                *result.confidence[frame],
                *(length.px[frame] for length in lengths),
                *(math.nan if length.mm is None else length.mm[frame] for length in lengths),
            ]
            writer.writerow(
                [frame, f"{time_s:.6f}", *(f"{v:.4f}" if math.isfinite(v) else "" for v in values)]
            )
