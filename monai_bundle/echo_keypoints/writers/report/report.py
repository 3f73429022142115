"""A report: read the clip once, then write it in any form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from echo_keypoints.clip import ClipSource
from echo_keypoints.results import AnalysisResult, atomic_path
from echo_keypoints.writers.report.cine import Cine, read_cine
from echo_keypoints.writers.report.content import Content, report_content
from echo_keypoints.writers.report.figure import Figure
from echo_keypoints.writers.report.page import render_page
from echo_keypoints.writers.report.pdf import write_pdf
from echo_keypoints.writers.report.stills import draw_stills, frames_to_keep, moments


@dataclass(frozen=True)
class Report:
    """All that a report needs.

    Attributes:
        result: of the clip.
        content: its words.
        cine: its frames, of bounded size.
        stills: drawings of the frames that were measured.
    """

    result: AnalysisResult
    content: Content
    cine: Cine
    stills: tuple[Figure, ...]

    def write_html(self, path: Path) -> None:
        """Write one HTML file that holds everything, of at most about 6 MB.

        Raises:
            OSError: the folder cannot be written to.
        """
        page = render_page(self.result, self.content, self.cine, self.stills)
        with atomic_path(path) as part:
            part.write_text(page, encoding="utf-8")

    def write_pdf(self, path: Path) -> None:
        """Write an A4 document.

        Raises:
            OSError: the folder cannot be written to.
        """
        with atomic_path(path) as part:
            write_pdf(self.result, self.content, self.stills, part)


def read_report(result: AnalysisResult, source: ClipSource) -> Report:
    """Read the frames of the clip and word its result.

    Args:
        result: of the clip, measured or not.
        source: the clip.

    Raises:
        ClipError: the clip can no longer be read.
    """
    wanted = moments(result)
    cine = read_cine(result, source, keep=frames_to_keep(result))
    return Report(result, report_content(result), cine, draw_stills(result, cine, wanted))
