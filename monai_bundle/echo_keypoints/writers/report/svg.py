"""Figures as SVG within the page; the style sheet knows their roles."""

from __future__ import annotations

import base64

from echo_keypoints.writers.report.elements import Html, element
from echo_keypoints.writers.report.figure import Disc, Figure, Label, Line, Picture, Rectangle, Shape


def svg(figure: Figure, class_: str) -> Html:
    """Write a figure as an ``<svg>`` that fills the width that it is given."""
    return element(
        "svg",
        element("title", figure.title),
        (_shape(shape) for shape in figure.shapes),
        class_=class_,
        viewBox=f"0 0 {_short(figure.width)} {_short(figure.height)}",
        role="img",
        aria_label=figure.title,
    )


def data_uri(jpeg: bytes) -> str:
    """Write a JPEG as an address that holds it."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def _shape(shape: Shape) -> Html:
    if isinstance(shape, Line):
        points = " ".join(f"{_short(x)},{_short(y)}" for x, y in shape.points)
        return element("polyline", points=points, class_=shape.role)
    if isinstance(shape, Rectangle):
        opacity = None if shape.opacity == 1 else _short(shape.opacity, 2)
        return element("rect", **_box(shape), class_=shape.role, opacity=opacity)
    if isinstance(shape, Disc):
        (x, y), radius = shape.centre, shape.radius
        return element("circle", cx=_short(x), cy=_short(y), r=_short(radius), class_=shape.role)
    if isinstance(shape, Label):
        anchor = None if shape.anchor == "start" else shape.anchor
        at = {"x": _short(shape.at[0]), "y": _short(shape.at[1])}
        return element("text", shape.text, **at, class_=shape.role, text_anchor=anchor)
    return element("image", **_box(shape), href=data_uri(shape.jpeg), preserveAspectRatio="none")


def _box(shape: Rectangle | Picture) -> dict[str, str]:
    return {
        "x": _short(shape.left),
        "y": _short(shape.top),
        "width": _short(shape.width),
        "height": _short(shape.height),
    }


def _short(value: float, decimals: int = 1) -> str:
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".")
