"""What must be known of the patient to index and to grade; nothing of it is required."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from echo_keypoints.errors import QueryError

SEXES = ("F", "M")
"""The sexes for which reference tables exist."""

_BOUNDS = {"height_cm": (30.0, 260.0), "weight_kg": (0.5, 450.0), "age_years": (0.0, 125.0)}
_TITLES = {"height_cm": "height in cm", "weight_kg": "weight in kg", "age_years": "age in years"}


@dataclass(frozen=True)
class Patient:
    """Facts that indices need. What is None removes exactly what needs it.

    Attributes:
        sex: ``"F"``, ``"M"`` or None.
        height_cm, weight_kg, age_years: or None.

    Raises:
        QueryError: a value cannot be a person's.
    """

    sex: str | None = None
    height_cm: float | None = None
    weight_kg: float | None = None
    age_years: float | None = None

    def __post_init__(self) -> None:
        if self.sex is not None and self.sex not in SEXES:
            raise QueryError(f"The sex must be F, M or left out, not {self.sex!r}.")
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and low <= value <= high):
                raise QueryError(f"The {_TITLES[name]} must lie between {low:g} and {high:g}, not {value:g}.")

    @property
    def bsa_dubois_m2(self) -> float | None:
        """Body surface area in m² after DuBois & DuBois 1916: 0.007184 W^0.425 H^0.725 (kg, cm)."""
        if self.height_cm is None or self.weight_kg is None:
            return None
        return 0.007184 * self.weight_kg**0.425 * self.height_cm**0.725

    @property
    def bsa_mosteller_m2(self) -> float | None:
        """Body surface area in m² after Mosteller 1987: sqrt(H W / 3600) (cm, kg)."""
        if self.height_cm is None or self.weight_kg is None:
            return None
        return math.sqrt(self.height_cm * self.weight_kg / 3600)

    def to_document(self) -> dict[str, Any]:
        """Give the facts and both surface areas as the plain data of ``measurements.patient``."""
        areas = {"bsa_dubois_m2": self.bsa_dubois_m2, "bsa_mosteller_m2": self.bsa_mosteller_m2}
        return {**asdict(self), **{name: area and round(area, 4) for name, area in areas.items()}}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Patient:
        """Read what `to_document` gave; empty for an empty mapping."""
        return cls(**{name: document.get(name) for name in ("sex", *_BOUNDS)})
