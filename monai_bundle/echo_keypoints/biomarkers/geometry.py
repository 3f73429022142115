"""The class of left-ventricular geometry, and whether it is beyond the error of the measurement."""

from __future__ import annotations

from typing import Any

from echo_keypoints.biomarkers.indices import Missing, Quantity
from echo_keypoints.biomarkers.patient import Patient

LVMI_LIMIT = {"M": 115.0, "F": 95.0}
"""Left-ventricular hypertrophy is above this LV mass / BSA in g/m² (linear method, Lang 2015)."""

RWT_LIMIT = 0.42
"""Walls are relatively thick above this (Lang 2015)."""

ADULT_YEARS = 18.0
"""The limits are for patients of this age or more (Lang 2015)."""

_CLASSES = {
    (False, False): "normal geometry",
    (False, True): "concentric remodelling",
    (True, True): "concentric hypertrophy",
    (True, False): "eccentric hypertrophy",
}


def geometry_class(lvmi: float, rwt: float, sex: str) -> str:
    """Name the class by mass index in g/m² and relative wall thickness (Lang 2015)."""
    return _CLASSES[lvmi > LVMI_LIMIT[sex], rwt > RWT_LIMIT]


def geometry(
    lvmi: Quantity, rwt: Quantity, patient: Patient, sd: dict[str, float]
) -> dict[str, Any] | Missing:
    """Classify, with the other classes that lie within one standard deviation of both numbers.

    Args:
        lvmi: LV mass / BSA (DuBois) in g/m².
        rwt: 2 LVPWd / LVIDd.
        patient: whose sex is needed; the limits are for adults.
        sd: standard deviations of ``LVMI`` and ``RWT`` (`indices.uncertainty`).
    """
    for quantity in (lvmi, rwt):
        if isinstance(quantity, Missing):
            return quantity
    if patient.sex is None:
        return Missing("the patient's sex is not known")
    if patient.age_years is not None and patient.age_years < ADULT_YEARS:
        return Missing("the limits are for adults")
    sex = patient.sex
    assert not isinstance(lvmi, Missing) and not isinstance(rwt, Missing)
    found = geometry_class(lvmi, rwt, sex)
    near = {
        geometry_class(lvmi + a * sd.get("LVMI", 0.0), rwt + b * sd.get("RWT", 0.0), sex)
        for a in (-1, 0, 1)
        for b in (-1, 0, 1)
    }
    return {
        "class": found,
        "borderline": len(near) > 1,
        "within_error": sorted(near - {found}),
        "lvmi_limit": LVMI_LIMIT[sex],
        "rwt_limit": RWT_LIMIT,
        "source": "Lang 2015 (ASE/EACVI)",
    }
