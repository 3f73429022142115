"""Colours, type and text that the overlay and the plot have in common."""

from __future__ import annotations

from functools import cache

from PIL import ImageFont

Colour = tuple[int, int, int]

BACKGROUND: Colour = (16, 19, 24)
PANEL: Colour = (24, 28, 35)
GRID: Colour = (47, 54, 66)
INK: Colour = (226, 230, 236)
FAINT: Colour = (140, 149, 163)
DOUBT: Colour = (214, 158, 46)
LOW_CONFIDENCE = 0.5
"""Below it a point is more likely wrong than right, and is drawn as one not to be trusted."""

FOOTER = "EchoKeypoints · research use only"


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Give pillow's own typeface at a height of `size` px: the same on every machine."""
    return ImageFont.load_default(size)


def blend(colour: Colour, background: Colour, share: float) -> Colour:
    """Mix `share` (0..1) of a colour into the background."""
    red, green, blue = (round(share * c + (1 - share) * b) for c, b in zip(colour, background, strict=True))
    return red, green, blue
