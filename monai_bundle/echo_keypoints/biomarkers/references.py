"""Reference ranges: versioned data files, ``reference_*.json``, always named beside the flag that they give.

A new guideline is a new file, not new code. Its values apply to adults; without a sex there is no flag.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from echo_keypoints.biomarkers.patient import Patient

TABLES = ("ase_2015", "ase_2005", "bse_2020")
"""The tables that are shipped, in the order of flags."""


@cache
def reference_table(name: str) -> dict[str, Any]:
    """Read one of `TABLES`.

    The file gives ``id``, ``version``, ``title``, ``source``, ``doi``, ``note``, ``adults_from_years`` and
    ``entries``: one for each index and sex, with the resolution to which a value is rounded before it is looked
    up, and its grades with their lowest and highest value (null: open).
    """
    file = resources.files("echo_keypoints.biomarkers").joinpath(f"reference_{name}.json")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def flags(index: str, value: float, patient: Patient, tables: Sequence[str] = TABLES) -> list[dict[str, Any]]:
    """Grade a value by every table that has it.

    Returns:
        ``{"table", "grade", "low", "high"}`` each, with the normal range in the index's unit; empty where the
        sex is not known or the patient is not an adult.
    """
    found = []
    for table in map(reference_table, tables):
        if patient.sex is None or _is_child(patient, table):
            continue
        for entry in table["entries"]:
            if (entry["index"], entry["sex"]) == (index, patient.sex):
                normal = entry["grades"][0]
                found.append(
                    {
                        "table": table["id"],
                        "grade": grade(value, entry),
                        "low": normal["low"],
                        "high": normal["high"],
                    }
                )
    return found


def grade(value: float, entry: dict[str, Any]) -> str:
    """Find the grade of a value in one entry of a table; outside of all grades it is below or above them."""
    steps = math.floor(value / entry["resolution"] + 0.5 + 1e-9)  # half up, as a reader rounds
    rounded = round(steps * entry["resolution"], 6)
    for step in entry["grades"]:
        low = -math.inf if step["low"] is None else step["low"]
        high = math.inf if step["high"] is None else step["high"]
        if low <= rounded <= high:
            return str(step["grade"])
    lowest = min(-math.inf if step["low"] is None else step["low"] for step in entry["grades"])
    return "below normal" if rounded < lowest else "above normal"


def why_no_flags(patient: Patient) -> str | None:
    """Say why no value can be graded, or None if it can."""
    if patient.sex is None:
        return "the patient's sex is not known, so no value is graded"
    if any(_is_child(patient, reference_table(name)) for name in TABLES):
        return "the reference tables are for adults, so no value is graded"
    return None


def _is_child(patient: Patient, table: dict[str, Any]) -> bool:
    return patient.age_years is not None and patient.age_years < table["adults_from_years"]
