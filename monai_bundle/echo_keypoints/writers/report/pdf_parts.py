"""What PDF pages are made of: type, paragraphs, tables, and the foot of every page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, Table

from echo_keypoints.writers.report.content import NOTICE
from echo_keypoints.writers.report.pdf_figure import BOLD, HAIR, INK, REGULAR, SOFT

SIDE, TOP, BOTTOM = 42.0, 40.0, 58.0
WIDTH = A4[0] - 2 * SIDE
ACCENT, GOOD, FAIR, BAD = (HexColor(code) for code in (0x0B6E79, 0x146C43, 0x8A5A00, 0xB3261E))
TIGHT = (
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("RIGHTPADDING", (0, 0), (-1, -1), 6),
    ("TOPPADDING", (0, 0), (-1, -1), 3),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
)
FLUSH = (*TIGHT, ("RIGHTPADDING", (0, 0), (-1, -1), 0), ("TOPPADDING", (0, 0), (-1, -1), 0))
_LINES = ("LINEBELOW", (0, 0), (-1, -1), 0.5, HAIR)
_SYMBOLS = frozenset("≤≥→−")  # of the typeface Symbol, which reportlab turns to by itself
_NAME_LETTERS = 28
_LEAST_SPLIT = 300  # points: a row is torn only if most of a page could not hold it


def style(size: float, colour: Color = INK, bold: bool = False, **more: Any) -> ParagraphStyle:
    """Make a paragraph style of one of the typefaces that every PDF reader has."""
    font = BOLD if bold else REGULAR
    return ParagraphStyle(
        "", fontName=font, fontSize=size, leading=size * 1.32, textColor=colour, splitLongWords=1, **more
    )


TITLE = style(20, bold=True)
HEADING = style(12, bold=True, spaceBefore=14, spaceAfter=5, keepWithNext=1)
SUBHEADING = style(9, SOFT, bold=True, spaceBefore=8, spaceAfter=3, keepWithNext=1)
BODY, STRONG, FAINT = style(8.4), style(8.4, bold=True), style(8.4, SOFT)
SMALL, NUMBER = style(7.4, SOFT), style(15, bold=True)


def paragraph(text: str, look: ParagraphStyle = BODY) -> Paragraph:
    """Set text as it is: nothing in it is mark-up."""
    return Paragraph(escaped(text), look)


def escaped(text: str) -> str:
    """Escape mark-up, and replace by question marks what the typefaces do not have."""
    return html.escape("".join(sign if _in_typeface(sign) else "?" for sign in text), quote=False)


def grid(rows: Sequence[Sequence[Any]], shares: Sequence[float], *, lines: bool = False) -> Table:
    """Lay out rows of cells in columns that share the width of the page."""
    return Table(
        rows,
        [share * WIDTH for share in shares],
        style=[*TIGHT, *([_LINES] if lines else [])],
        hAlign="LEFT",
        splitInRow=_LEAST_SPLIT,
    )


def pairs(facts: Sequence[tuple[str, str]], width: float, share: float) -> Flowable:
    """Lay out labels, which have their share of the width, and values."""
    rows = [[paragraph(label, FAINT), paragraph(value)] for label, value in facts]
    if not rows:
        return paragraph("None.", FAINT)
    return Table(rows, [share * width, (1 - share) * width], style=[*TIGHT, _LINES], hAlign="LEFT")


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], shares: Sequence[float]) -> Table:
    """Lay out a table whose head is repeated on every page."""
    titles = [paragraph(title, style(7.6, SOFT, bold=True)) for title in head]
    return Table(
        [titles, *rows],
        [share * WIDTH for share in shares],
        repeatRows=1,
        style=[*TIGHT, _LINES, ("LINEBELOW", (0, 0), (-1, 0), 0.8, SOFT)],
        hAlign="LEFT",
        splitInRow=_LEAST_SPLIT,
    )


class NumberedCanvas(Canvas):
    """Pages that know how many they are, each with the research-use notice at its foot."""

    def __init__(self, source: str, *args: Any, **kinds: Any) -> None:
        super().__init__(*args, **kinds)
        self._source, self._pages = source, list[dict[str, Any]]()

    def showPage(self) -> None:
        """Keep the page until the number of pages is known."""
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Write all pages."""
        for number, page in enumerate(self._pages, 1):
            self.__dict__.update(page)
            self._foot(f"{number} / {len(self._pages)}")
            super().showPage()
        super().save()

    def _foot(self, number: str) -> None:
        self.setStrokeColor(HAIR)
        self.line(SIDE, BOTTOM - 12, A4[0] - SIDE, BOTTOM - 12)
        name = self._source
        name = name if len(name) <= _NAME_LETTERS else name[: _NAME_LETTERS - 1] + "…"
        left, right = style(6.8, SOFT), style(6.8, SOFT, alignment=2)
        foot = grid(
            [[paragraph(NOTICE, left), [paragraph(number, right), paragraph(name, right)]]], (0.75, 0.25)
        )
        _, height = foot.wrap(WIDTH, BOTTOM)
        foot.drawOn(self, SIDE, BOTTOM - 14 - height)


def _in_typeface(sign: str) -> bool:
    if sign in _SYMBOLS:
        return True
    try:
        return bool(sign.encode("cp1252")) and sign.isprintable()
    except UnicodeEncodeError:
        return False
