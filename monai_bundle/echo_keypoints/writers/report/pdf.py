"""``report.pdf``: the same report on A4 pages, for the file and for print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.platypus import Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

from echo_keypoints.results import AnalysisResult
from echo_keypoints.writers.report.content import BEAT_INDICES, COUNTING, Content, Flag, Row, remarks, telling
from echo_keypoints.writers.report.curves import CAPTION, draw_curves
from echo_keypoints.writers.report.figure import Figure
from echo_keypoints.writers.report.pdf_figure import BOLD, REGULAR, SOFT, PdfFigure
from echo_keypoints.writers.report.pdf_parts import (
    ACCENT,
    BAD,
    BODY,
    BOTTOM,
    FAINT,
    FAIR,
    FLUSH,
    GOOD,
    HEADING,
    NUMBER,
    SIDE,
    SMALL,
    STRONG,
    SUBHEADING,
    TITLE,
    TOP,
    WIDTH,
    NumberedCanvas,
    escaped,
    grid,
    pairs,
    paragraph,
    style,
    table,
)

_FRAME = 6.0  # what reportlab keeps free around the text of a page
_GAP = 14.0
_TILES = 5
_LONG_VALUE = 14  # letters; words are set smaller than numbers
_LEVELS = {"ok": ("passed", GOOD), "warn": ("warning", FAIR), "fail": ("failed", BAD)}
_GRADES = {"good": GOOD, "adequate": FAIR, "poor": BAD, "not measurable": BAD}


def write_pdf(result: AnalysisResult, content: Content, stills: tuple[Figure, ...], path: Path) -> None:
    """Write the report as PDF.

    Args:
        result: for the curves.
        content: the words.
        stills: drawings of the frames that were measured.
        path: file to write.

    Raises:
        OSError: the folder cannot be written to.
    """
    document = SimpleDocTemplate(
        str(path),
        pagesize=A4,
        leftMargin=SIDE - _FRAME,
        rightMargin=SIDE - _FRAME,
        topMargin=TOP,
        bottomMargin=BOTTOM,
        title=f"{content.source} – EchoKeypoints report",
        author=f"EchoKeypoints {result.software}",
        subject="For research use only",
        lang="en",
    )
    story = [part for block in _blocks(result, content, stills) for part in block]
    document.build(story, canvasmaker=lambda *args, **kinds: NumberedCanvas(content.source, *args, **kinds))


def _blocks(
    result: AnalysisResult, content: Content, stills: tuple[Figure, ...]
) -> Iterator[Sequence[Flowable]]:
    yield _head(content)
    yield _tiles(content)
    yield _figures(result, stills)
    yield _measurements(content)
    yield _beats(content)
    yield _quality(content)
    yield _provenance(content)


def _head(content: Content) -> list[Flowable]:
    brand = Paragraph(f'Echo<font name="{BOLD}" color="#14181f">Keypoints</font>', style(9.5, SOFT))
    use = paragraph("Research use only", style(8.4, BAD, bold=True, alignment=2))
    grade = style(9, _GRADES.get(content.grade, SOFT), bold=True, alignment=2)
    parts: list[Flowable] = [
        grid([[brand, use]], (0.5, 0.5)),
        Spacer(0, 12),
        paragraph(content.source, TITLE),
        grid(
            [[paragraph(content.subtitle, FAINT), paragraph(f"Quality: {content.grade}", grade)]], (0.7, 0.3)
        ),
    ]
    lines = [] if content.measurable else [paragraph("Not measurable.", STRONG)]
    lines += [paragraph(f"• {remark}") for remark in remarks(content)]
    if lines:
        ground = ("BACKGROUND", (0, 0), (-1, -1), HexColor(0xFDF1D6))
        parts += [
            Spacer(0, 6),
            Table([[line] for line in lines], [WIDTH], style=[ground], hAlign="LEFT", splitInRow=1),
        ]
    return [*parts, Spacer(0, 8)]


def _tiles(content: Content) -> list[Flowable]:
    """Lay out what is read first."""
    cells = [
        [
            paragraph(row.name, STRONG),
            _value(row.value),
            paragraph(row.basis, SMALL),
            *(_flag(flag) for flag in telling(row.flags)),
        ]
        for row in content.highlights
    ]
    cells.append([paragraph("Heart rate", STRONG), _value(content.heart_rate)])
    cells += [[]] * (-len(cells) % _TILES)
    rows = [cells[start : start + _TILES] for start in range(0, len(cells), _TILES)]
    return [grid(rows, (1 / _TILES,) * _TILES, lines=True)]


def _value(quantity: str) -> Paragraph:
    if len(quantity) > _LONG_VALUE:
        return paragraph(quantity, style(9.5, bold=True))
    value, _, unit = quantity.partition(" ")
    small = f'<font size="8" name="{REGULAR}" color="#525b6b">{escaped(unit)}</font>'
    return Paragraph(f"{escaped(value)} {small}", NUMBER)


def _flag(flag: Flag) -> Paragraph:
    colour = "#146c43" if flag.normal else "#b3261e"
    grade = f'<font color="{colour}" name="{BOLD}">{escaped(flag.grade)}</font>'
    return Paragraph(f"{grade} {escaped(f'{flag.table} {flag.limits}'.strip())}", SMALL)


def _figures(result: AnalysisResult, stills: tuple[Figure, ...]) -> list[Flowable]:
    width = (WIDTH - _GAP) / 2
    drawn = [[PdfFigure(still, width), Spacer(0, 3), paragraph(still.title, SMALL)] for still in stills]
    row = [drawn[0], [], drawn[1] if len(drawn) > 1 else []]
    curves = PdfFigure(draw_curves(result, 720, 300), WIDTH)
    return [
        Spacer(0, 8),
        Table([row], [width, _GAP, width], style=FLUSH, hAlign="LEFT"),
        KeepTogether([paragraph("Curves", HEADING), curves, paragraph(CAPTION, SMALL)]),
    ]


def _measurements(content: Content) -> list[Flowable]:
    parts: list[Flowable] = [paragraph("Measurements, each per beat and then averaged", HEADING)]
    rows: list[list[Any]] = []
    for group in content.groups:
        rows.append([paragraph(group.title, style(8, ACCENT, bold=True)), "", "", ""])
        rows += [_measurement(row) for row in group.rows]
    head = ("Measurement", "Value", "Reference", "Note and source")
    parts.append(table(head, rows, (0.25, 0.21, 0.24, 0.3)) if rows else paragraph("None.", FAINT))
    if content.flags_note and rows:
        parts += [Spacer(0, 4), paragraph(content.flags_note, SMALL)]
    if content.missing:
        lines = [[paragraph(why, STRONG), paragraph(names, FAINT)] for why, names in content.missing]
        parts += [paragraph("Not given, and why", SUBHEADING), grid(lines, (0.4, 0.6), lines=True)]
    return parts


def _measurement(row: Row) -> list[Any]:
    label = [] if row.label == row.name else [paragraph(row.label, SMALL)]
    below = [paragraph(text, SMALL) for text in (row.basis, row.interval) if text]
    notes = [paragraph(text, look) for text, look in ((row.note, BODY), (row.source, SMALL)) if text]
    return [
        [paragraph(row.name, STRONG), *label],
        [paragraph(row.value, STRONG), *below],
        [_flag(flag) for flag in row.flags],
        notes,
    ]


def _beats(content: Content) -> list[Flowable]:
    heading = paragraph("Beats", HEADING)
    if not content.beats:
        return [heading, paragraph("No beat was found in this clip.", FAINT)]
    rows = []
    for beat in content.beats:
        look = BODY if beat.accepted else FAINT
        cells = (beat.number, beat.ed, beat.es, beat.rr, *beat.values, beat.confidence)
        lines = [paragraph(beat.use, STRONG), *(paragraph(remark, SMALL) for remark in beat.remarks)]
        rows.append([*(paragraph(cell, look) for cell in cells), lines])
    head = ("Beat", "ED", "ES", "RR", *BEAT_INDICES, "Conf.", "Use")
    widths = (0.06, 0.12, 0.12, 0.08, *(0.075,) * len(BEAT_INDICES), 0.065, 0.18)
    return [heading, table(head, rows, widths), Spacer(0, 4), paragraph(COUNTING, SMALL)]


def _quality(content: Content) -> list[Flowable]:
    parts: list[Flowable] = [paragraph(f"Quality: {content.grade}", HEADING)]
    rows = []
    for check in content.checks:
        word, colour = _LEVELS.get(check.level, (check.level, SOFT))
        cells = (check.name, check.value, check.limit, check.text)
        rows.append([paragraph(word, style(8.4, colour, bold=True)), *map(paragraph, cells)])
    if rows:
        head = ("Result", "Check", "Value", "Limit", "Meaning")
        parts.append(table(head, rows, (0.1, 0.16, 0.13, 0.12, 0.49)))
    else:
        parts += [paragraph(f"• {reason}") for reason in content.reasons]
    return parts


def _provenance(content: Content) -> list[Flowable]:
    half = (WIDTH - _GAP) / 2
    columns: tuple[list[Flowable], list[Flowable]] = ([], [])
    for title, facts in content.facts:
        shorter = min(columns, key=lambda column: sum(part.wrap(half, A4[1])[1] for part in column))
        shorter += [paragraph(title, SUBHEADING), pairs(facts, half, 0.34)]
    parts: list[Flowable] = [
        paragraph("Provenance", HEADING),
        Table([[columns[0], [], columns[1]]], [half, _GAP, half], style=FLUSH, hAlign="LEFT"),
        paragraph("Models, SHA-256", SUBHEADING),
        pairs(content.models, WIDTH, 0.24),
        paragraph("Audit trail", SUBHEADING),
    ]
    if content.audit:
        rows = [[paragraph(cell, SMALL) for cell in entry] for entry in content.audit]
        head = ("When (UTC)", "Who", "What", "Change", "Reason")
        parts.append(table(head, rows, (0.17, 0.15, 0.18, 0.28, 0.22)))
    else:
        parts.append(paragraph("No change was made to the automatic result.", FAINT))
    return parts
