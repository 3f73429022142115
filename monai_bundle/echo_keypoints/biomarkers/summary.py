"""From beats to a clip: means, spreads, flags, and the reason for everything that is not there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from echo_keypoints.biomarkers.geometry import geometry
from echo_keypoints.biomarkers.indices import INDICES, Missing, Quantity, uncertainty
from echo_keypoints.biomarkers.patient import Patient
from echo_keypoints.biomarkers.references import TABLES, flags

NO_BEAT = Missing("no beat was accepted")


def summarise(
    beats: Sequence[Mapping[str, Quantity]],
    patient: Patient,
    mm_per_raw: float | None,
    tables: Sequence[str] = TABLES,
) -> dict[str, Any]:
    """Average the accepted beats.

    Args:
        beats: quantities of each accepted beat, with its indices.
        patient: for geometry and flags.
        mm_per_raw: 1 where lengths are in mm, None where the scale is unknown (then there are no intervals).
        tables: of `references.TABLES`.

    Returns:
        ``indices``, ``missing`` and ``geometry`` of the result's measurements.
    """
    indices: dict[str, Any] = {}
    missing: dict[str, str] = {}
    means = _mean_quantities(beats)
    sd = uncertainty(means, mm_per_raw) if mm_per_raw and beats else {}
    for index in INDICES:
        values = [value for beat in beats if not isinstance(value := beat[index.name], Missing)]
        if not values:
            missing[index.name] = _reason([beat[index.name] for beat in beats])
            continue
        mean = float(np.mean(values))
        spread = sd.get(index.name)
        indices[index.name] = {
            "label": index.label,
            "value": _tidy(mean),
            "unit": index.unit,
            "sd": _tidy(float(np.std(values, ddof=1))) if len(values) > 1 else None,
            "n": len(values),
            "per_beat": [_tidy(value) for value in values],
            "interval": None if spread is None else [_tidy(mean - spread), _tidy(mean + spread)],
            "source": index.source,
            "note": index.note,
            "flags": flags(index.name, mean, patient, tables),
        }
    lvmi, rwt = (
        indices[name]["value"] if name in indices else Missing(missing[name]) for name in ("LVMI", "RWT")
    )
    shape = geometry(lvmi, rwt, patient, sd)
    if isinstance(shape, Missing):
        missing["geometry"] = shape.reason
    return {
        "indices": indices,
        "missing": missing,
        "geometry": None if isinstance(shape, Missing) else shape,
    }


def _mean_quantities(beats: Sequence[Mapping[str, Quantity]]) -> dict[str, Quantity]:
    """Average each quantity over the beats that have it."""
    means: dict[str, Quantity] = {}
    for name in beats[0] if beats else ():
        values = [value for beat in beats if not isinstance(value := beat[name], Missing)]
        means[name] = float(np.mean(values)) if values else beats[0][name]
    return means


def _reason(quantities: Sequence[Quantity]) -> str:
    """Give the reason that most beats have, the first of equals."""
    reasons = [quantity.reason for quantity in quantities if isinstance(quantity, Missing)]
    return max(reasons, key=reasons.count) if reasons else NO_BEAT.reason


def _tidy(value: float) -> float:
    """Round to six significant digits: enough for any use, and a clean file."""
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, 5 - math.floor(math.log10(abs(value))))
