"""Line charts with intervals, drawn by pillow in the style of ``curves.png``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from echo_keypoints.anatomy import LANDMARKS
from echo_keypoints.results.files import atomic_path
from echo_keypoints.writers.axes import Axes, label, nice_step, ticks
from echo_keypoints.writers.style import BACKGROUND, FAINT, FOOTER, GRID, INK, PANEL, blend, font

_Q = 2  # drawn so much larger, then reduced
_WIDTH, _HEIGHT = 720, 480
_BOX = (70, 60, 700, 410)
_MANY = 12
"""With more values than this a line has no dots, and the axis round numbers."""


@dataclass(frozen=True)
class Series:
    """One line: ``low`` and ``high`` are the interval of each y, NaN for none."""

    title: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def save_chart(series: Sequence[Series], x_label: str, y_label: str, path: Path) -> None:
    """Draw a chart of 720 × 480 px as PNG.

    Raises:
        OSError: the folder cannot be written to.
    """
    picture = Image.new("RGB", (_WIDTH * _Q, _HEIGHT * _Q), BACKGROUND)
    pen = ImageDraw.Draw(picture)
    box = tuple(float(value * _Q) for value in _BOX)
    axes = Axes(box, _x_range(series), _y_range(series))  # type: ignore[arg-type]
    pen.rectangle(box, fill=PANEL)
    _draw_grid(pen, axes, series)
    right = _BOX[2]
    for index, one in enumerate(series):
        landmark = LANDMARKS[-1 - index % len(LANDMARKS)]
        aside = 5.0 * _Q * (index - (len(series) - 1) / 2)
        _draw_line(pen, axes, one, landmark.colour, 0.0 if len(one.x) > _MANY else aside)
        width = pen.textlength(one.title, font=font(15 * _Q)) / _Q
        _write(pen, right - width, 32, one.title, 15, landmark.colour, "lm")
        right -= round(width) + 24
    _write(pen, _BOX[0], 32, y_label, 15, INK, "lm")
    _write(pen, (_BOX[0] + _BOX[2]) / 2, _HEIGHT - 38, x_label, 15, INK, "mm")
    _write(pen, _BOX[2], _HEIGHT - 14, FOOTER, 12, FAINT, "rm")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part:
        picture.reduce(_Q).save(part, "PNG", optimize=True)


def _x_range(series: Sequence[Series]) -> tuple[float, float]:
    values = [x for one in series for x in one.x]
    margin = 0.05 * (max(values) - min(values)) or 0.5
    return min(values) - margin, max(values) + margin


def _y_range(series: Sequence[Series]) -> tuple[float, float]:
    values = [v for one in series for v in (*one.y, *one.low, *one.high) if math.isfinite(v)] or [0.0, 1.0]
    step = nice_step((max(values) - min(values) or 1.0) / 5)
    return math.floor(min(values) / step - 0.1) * step, math.ceil(max(values) / step + 0.1) * step


def _draw_grid(pen: ImageDraw.ImageDraw, axes: Axes, series: Sequence[Series]) -> None:
    left, top, right, bottom = axes.box
    rows = ticks(*axes.y_range, 6)
    for value in rows:
        y = axes.y(value)
        pen.line((left, y, right, y), fill=GRID, width=_Q)
        step = rows[1] - rows[0] if len(rows) > 1 else 1.0
        _write(pen, left / _Q - 8, y / _Q, label(value, step), 13, FAINT, "rm")
    columns = sorted({x for one in series for x in one.x})
    for value in columns if len(columns) <= _MANY else ticks(*axes.x_range, 10):
        x = axes.x(value)
        pen.line((x, top, x, bottom), fill=GRID, width=_Q)
        _write(pen, x / _Q, bottom / _Q + 16, f"{value:g}", 13, FAINT, "mm")


def _draw_line(
    pen: ImageDraw.ImageDraw, axes: Axes, one: Series, colour: tuple[int, int, int], aside: float
) -> None:
    """Draw a line and its intervals, so many px aside, that those of several lines do not hide each other."""
    spots = [(axes.x(x) + aside, axes.y(y)) for x, y in zip(one.x, one.y, strict=True)]
    pale = blend(colour, PANEL, 0.45)
    for (x, _), low, high in zip(spots, one.low, one.high, strict=True):
        if math.isfinite(low) and math.isfinite(high):
            pen.line((x, axes.y(low), x, axes.y(high)), fill=pale, width=2 * _Q)
    pen.line(spots, fill=colour, width=(2 if len(spots) > _MANY else 3) * _Q)
    for x, y in spots if len(spots) <= _MANY else ():
        pen.ellipse((x - 4 * _Q, y - 4 * _Q, x + 4 * _Q, y + 4 * _Q), fill=colour)


def _write(
    pen: ImageDraw.ImageDraw,
    x: float,
    y: float,
    text: str,
    size: int,
    colour: tuple[int, int, int],
    anchor: str,
) -> None:
    pen.text((x * _Q, y * _Q), text, font=font(size * _Q), fill=colour, anchor=anchor)
