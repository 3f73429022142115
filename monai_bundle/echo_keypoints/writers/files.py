"""What the files of one result are called, and the small ones among them."""

from __future__ import annotations

from pathlib import Path

from echo_keypoints.results import AnalysisResult
from echo_keypoints.writers.csv import write_beats_csv, write_clip_csv, write_csv
from echo_keypoints.writers.plot import write_plot

CURVES_NAME, BEATS_NAME, CLIP_NAME, PLOT_NAME = "curves.csv", "beats.csv", "clip.csv", "curves.png"
MP4_NAME, GIF_NAME = "overlay.mp4", "overlay.gif"
HTML_NAME, PDF_NAME, SR_NAME = "report.html", "report.pdf", "sr.dcm"

FOLLOWING = (
    *(CURVES_NAME, BEATS_NAME, CLIP_NAME, PLOT_NAME),
    *(MP4_NAME, GIF_NAME, HTML_NAME, PDF_NAME, SR_NAME),
)
"""All that follows from ``result.json``: made of an earlier result it would not show this one."""

PICTURES = (PLOT_NAME, MP4_NAME, GIF_NAME, SR_NAME)
"""Those that could be taken for a clip."""


def write_tables(result: AnalysisResult, folder: Path) -> list[Path]:
    """Write the three tables and the plot of the curves; give their paths.

    Raises:
        OSError: the folder cannot be written to.
    """
    files = {
        write_csv: CURVES_NAME,
        write_beats_csv: BEATS_NAME,
        write_clip_csv: CLIP_NAME,
        write_plot: PLOT_NAME,
    }
    for write_file, name in files.items():
        write_file(result, folder / name)
    return [folder / name for name in files.values()]
