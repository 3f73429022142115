import math

import pytest

from echo_keypoints.writers.report.numbers import DASH, frame, number, quantity, span


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (48.249, "mm", "48.2 mm"),
        (36.4, "%", "36 %"),
        (181.976, "g", "182 g"),
        (100.56, "g/m2", "101 g/m²"),
        (0.4, "1", "0.40"),
        (1.1634, "circ/s", "1.16 circ/s"),
        (-12.34, "cm/s", "−12.3 cm/s"),
        (-0.01, "mm", "0.0 mm"),
        (11.23, "deg", "11.2°"),
        (3, "1", "3"),
        (None, "mm", DASH),
        (math.nan, "mm", DASH),
        ("word", None, "word"),
    ],
)
def test_quantities_are_rounded_by_their_unit(value, unit, text):
    assert quantity(value, unit) == text


def test_spans_and_frames():
    assert span(42.0, 58.4, "mm") == "42.0–58.4" and span(6, 10, "mm") == "6–10"
    assert span(None, 0.42, "1") == "≤ 0.42" and span(30, None, "%") == "≥ 30" and span(None, None) == ""
    assert frame(0) == "1" and frame(None) == DASH and number(0.0, "cm/s") == "0.0"
