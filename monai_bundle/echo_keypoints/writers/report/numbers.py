"""Numbers as a report writes them: rounded only here, and by their unit."""

from __future__ import annotations

import math
from typing import Any

DASH = "–"
_DECIMALS = {
    **dict.fromkeys(("%", "ms", "g", "g/m2", "mL", "bpm"), 0),
    **dict.fromkeys(("mm", "px", "g/m2.7", "cm/s"), 1),
    **dict.fromkeys(("1", "cm", "cm/m2", "1/s", "circ/s"), 2),
    "mm/px": 4,
}
_SIGNS = {"1": "", "deg": "°", "m2": "m²", "g/m2": "g/m²", "cm/m2": "cm/m²", "g/m2.7": "g/m^2.7"}
_DIGITS = 3  # of numbers in other units


def number(value: Any, unit: str | None = None) -> str:
    """Write a value with the decimals of its unit; a dash for none, other text as it is."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return DASH
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    text = f"{value:.{_decimals(value, unit)}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def _decimals(value: float, unit: str | None) -> int:
    if isinstance(value, int):  # a count, or a limit as its table prints it
        return 0
    if unit in _DECIMALS:
        return _DECIMALS[unit]
    return max(0, _DIGITS - 1 - math.floor(math.log10(abs(value)))) if value and value % 1 else 0


def sign(unit: str | None) -> str:
    """Write a unit; nothing for a ratio."""
    return _SIGNS.get(unit or "", unit or "")


def quantity(value: Any, unit: str | None = None) -> str:
    """Write a value and its unit, e.g. ``48.2 mm``."""
    text, mark = number(value, unit), sign(unit)
    return text if text == DASH or not mark else f"{text}{'' if mark == '°' else ' '}{mark}"


def deviation(value: float, unit: str | None = None) -> str:
    """Write a standard deviation, with a decimal even where values have none."""
    return number(value, unit) if _decimals(value, unit) else f"{value:.1f}"


def span(low: float | None, high: float | None, unit: str | None = None) -> str:
    """Write a range: ``42.0–58.4``, ``≤ 115``, ``≥ 30``, or nothing."""
    if low is None and high is None:
        return ""
    if low is None:
        return f"≤ {number(high, unit)}"
    if high is None:
        return f"≥ {number(low, unit)}"
    return f"{number(low, unit)}{DASH}{number(high, unit)}"


def seconds(time_s: float) -> str:
    """Write a time, e.g. ``0.367 s``."""
    return f"{time_s:.3f} s"


def frame(index: int | None) -> str:
    """Write the number of a frame as a person counts, from 1."""
    return DASH if index is None else str(int(index) + 1)
