"""Drawings that HTML and PDF have in common: shapes with roles; each output gives the roles its own colours."""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[float, float]
"""``(x, y)`` from the top left of the figure, y downwards."""


@dataclass(frozen=True)
class Line:
    """A line through points."""

    points: tuple[Point, ...]
    role: str


@dataclass(frozen=True)
class Rectangle:
    """A filled rectangle; `opacity` comes on top of that of its role."""

    left: float
    top: float
    width: float
    height: float
    role: str
    opacity: float = 1.0


@dataclass(frozen=True)
class Disc:
    """A filled circle."""

    centre: Point
    radius: float
    role: str


@dataclass(frozen=True)
class Label:
    """One line of text; `at` is on its base line, at its ``start``, ``middle`` or ``end``."""

    at: Point
    text: str
    role: str
    anchor: str = "start"


@dataclass(frozen=True)
class Picture:
    """A JPEG that fills a rectangle; what lies outside of the figure is cut off."""

    left: float
    top: float
    width: float
    height: float
    jpeg: bytes


Shape = Line | Rectangle | Disc | Label | Picture


@dataclass(frozen=True)
class Panel:
    """A rectangle of a figure that shows values over time.

    Attributes:
        left, top, right, bottom: in the figure.
        low, high: the values at its bottom and its top.
        names: of the curves in it.
    """

    left: float
    top: float
    right: float
    bottom: float
    low: float
    high: float
    names: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """A drawing.

    Attributes:
        width, height: its size.
        title: what it shows, for those who cannot see it.
        shapes: what lies below comes first.
        panels: where curves can be read off; empty for a picture.
    """

    width: float
    height: float
    title: str
    shapes: tuple[Shape, ...]
    panels: tuple[Panel, ...] = ()
