"""Figures on a PDF page: the roles of shapes in print, on white."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from reportlab.lib.colors import Color, HexColor, black, white
from reportlab.lib.utils import ImageReader
from reportlab.platypus import Flowable

from echo_keypoints.anatomy import LANDMARKS, SEGMENTS
from echo_keypoints.writers.report.figure import Disc, Figure, Label, Line, Picture, Rectangle, Shape

REGULAR, BOLD = "Helvetica", "Helvetica-Bold"
INK, SOFT, HAIR = HexColor(0x14181F), HexColor(0x525B6B), HexColor(0xDFE3E9)
_IN_PRINT = {"ivs": HexColor(0xC2560C), "lvid": HexColor(0x1F2937), "lvpw": HexColor(0x0B7A7A)}
_ON_IMAGE = {
    mark.name.lower(): Color(*(part / 255 for part in mark.colour)) for mark in (*SEGMENTS, *LANDMARKS)
}


@dataclass(frozen=True)
class _Look:
    """How a role is drawn: colour (None: that of the anatomy), opacity, line width, dashes, font and size."""

    colour: Color | None = None
    opacity: float = 1.0
    width: float = 1.0
    dash: tuple[float, ...] = ()
    font: str = REGULAR
    size: float = 11.5
    on_image: bool = False


_LOOKS = {
    "panel": _Look(HexColor(0xF8F9FB)),
    "systole": _Look(HexColor(0x0B6E79)),
    "rejected": _Look(HexColor(0x8A93A3), 0.22),
    "doubt": _Look(HexColor(0xE0A01A), 0.18),
    "lane": _Look(HexColor(0xECEFF3)),
    "fill": _Look(),
    "grid": _Look(HAIR, width=0.8),
    "moment": _Look(SOFT, 0.7, 0.9, (3, 3)),
    "tick": _Look(SOFT),
    "moment-name": _Look(SOFT, font=BOLD, size=11),
    "name": _Look(font=BOLD, size=13),
    "curve": _Look(width=2.0),
    "raw": _Look(opacity=0.5, width=0.9),
    "halo": _Look(black, 0.55, 3.2),
    "calliper": _Look(width=1.5, on_image=True),
    "backing": _Look(black, font=BOLD, size=13),
    "length": _Look(font=BOLD, size=13, on_image=True),
    "point": _Look(on_image=True),
    "ruler": _Look(white, width=1.4),
    "ruler-text": _Look(white, size=12),
}


class PdfFigure(Flowable):
    """A figure as a block of the page, scaled to a width."""

    def __init__(self, figure: Figure, width: float) -> None:
        super().__init__()
        self._figure = figure
        self._scale = width / figure.width
        self.width, self.height = width, figure.height * self._scale

    def wrap(self, *_: float) -> tuple[float, float]:
        """Tell reportlab the size in points."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw on the page, the origin at the lower left."""
        canvas = self.canv
        canvas.saveState()
        clip = canvas.beginPath()
        clip.rect(0, 0, self.width, self.height)
        canvas.clipPath(clip, stroke=0)
        canvas.scale(self._scale, self._scale)
        for shape in self._figure.shapes:
            canvas.saveState()
            self._draw(canvas, shape)
            canvas.restoreState()
        canvas.restoreState()

    def _draw(self, canvas: Any, shape: Shape) -> None:
        height = self._figure.height
        if isinstance(shape, Picture):
            image = ImageReader(io.BytesIO(shape.jpeg))
            canvas.drawImage(image, shape.left, height - shape.top - shape.height, shape.width, shape.height)
            return
        look = _set_look(canvas, shape)
        if isinstance(shape, Rectangle):
            canvas.rect(shape.left, height - shape.top - shape.height, shape.width, shape.height, 0, 1)
        elif isinstance(shape, Disc):
            canvas.setStrokeColor(black, 0.6)
            canvas.circle(shape.centre[0], height - shape.centre[1], shape.radius, 1, 1)
        elif isinstance(shape, Line):
            path = canvas.beginPath()
            path.moveTo(shape.points[0][0], height - shape.points[0][1])
            for x, y in shape.points[1:]:
                path.lineTo(x, height - y)
            canvas.drawPath(path, stroke=1, fill=0)
        else:
            _write(canvas, shape, look, height)


def _set_look(canvas: Any, shape: Rectangle | Disc | Line | Label) -> _Look:
    kind, *names = shape.role.split()
    look = _LOOKS[kind]
    colours = _ON_IMAGE if look.on_image else _IN_PRINT
    colour = look.colour if look.colour is not None else colours[names[0]]
    opacity = look.opacity * (shape.opacity if isinstance(shape, Rectangle) else 1.0)
    if "unsure" in names:
        opacity *= 0.7
    canvas.setFillColor(colour, opacity)
    canvas.setStrokeColor(colour, opacity)
    canvas.setLineWidth(look.width)
    canvas.setLineJoin(1)
    canvas.setLineCap(0 if look.dash else 1)
    dash = (5, 4) if kind == "calliper" and "unsure" in names else look.dash
    canvas.setDash(list(dash))
    return look


def _write(canvas: Any, label: Label, look: _Look, height: float) -> None:
    text = canvas.beginText()
    text.setFont(look.font, look.size)
    if label.role.startswith("backing"):
        canvas.setLineWidth(3)
        canvas.setStrokeColor(black, 0.7)
        text.setTextRenderMode(1)
    shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[label.anchor]
    x = label.at[0] - shift * canvas.stringWidth(label.text, look.font, look.size)
    text.setTextOrigin(x, height - label.at[1])
    text.textOut(label.text)
    canvas.drawText(text)
