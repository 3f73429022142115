"""Colours, words and limits that the views have in common; those of the engine's own pictures where there are any."""

from __future__ import annotations

from echo_keypoints.writers.style import DOUBT, LOW_CONFIDENCE

__all__ = ["ANCHOR_NOTE", "DOUBT", "LOW_CONFIDENCE", "SEEN", "unit_colour"]

SEEN = (0.35, 0.95, 0.55)
"""Landmarks that are likely right, as Slicer wants a colour."""

ANCHOR_NOTE = "set by a person"


def unit_colour(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    """Give a colour of 0..255 as Slicer wants it, 0..1."""
    red, green, blue = (value / 255 for value in colour)
    return red, green, blue
