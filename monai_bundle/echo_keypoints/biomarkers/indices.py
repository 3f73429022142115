"""Every index: its name, what it needs, and its formula. One table; nothing else knows them.

An index is computed from quantities by name. A quantity is a number, or the reason why it is missing; an index
that needs a missing quantity is missing for that reason, and only those indices are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from echo_keypoints.biomarkers import formulas


@dataclass(frozen=True)
class Missing:
    """Why a quantity is not known, as the rest of a sentence: ``"the scale is unknown"``."""

    reason: str


Quantity = float | Missing


@dataclass(frozen=True)
class Index:
    """One index.

    Attributes:
        name: stable identifier.
        label: for people.
        unit: UCUM-like, e.g. ``mm``, ``%``, ``g/m2``; ``1`` for a ratio.
        needs: names of the quantities that the formula takes, in its order; earlier indices are quantities, too.
        formula: gives the value; NaN, or an ArithmeticError, where it has none.
        source: where the formula is from.
        note: what a reader must know, or None.
    """

    name: str
    label: str
    unit: str
    needs: tuple[str, ...]
    formula: Callable[..., float]
    source: str
    note: str | None = None


LANG = "Lang 2015 (ASE/EACVI), 2-D linear method"
DEVEREUX = "Devereux 1986; Lang 2015"
TEICHHOLZ = "Teichholz 1976"
OWN = "this software (docs/measurements.md)"
GEOMETRIC = (
    "geometric assumption; not valid with regional wall-motion abnormality; Lang 2015 advises against its use"
)
RESEARCH = "research only"
SURROGATE = (
    "end-systole by the smallest cavity stands in for aortic valve closure unless a person set it; "
    "no published normal"
)
INTERVAL = "ED–ES interval in place of the ejection time"


def _same(value: float) -> float:
    return value


def _seconds(ms: float) -> float:
    return ms / 1000


def _length(name: str, title: str) -> Index:
    return Index(name, title, "mm", (f"{name}_mm",), _same, LANG)


def _curve(name: str, label: str, unit: str, source: str, note: str | None = RESEARCH) -> Index:
    """An index that is read off the curves (`kinetics`)."""
    return Index(name, label, unit, (f"{name}_curve",), _same, source, note)


INDICES: tuple[Index, ...] = (
    _length("IVSd", "Septum, end-diastole"),
    _length("LVIDd", "LV internal dimension, end-diastole"),
    _length("LVPWd", "Posterior wall, end-diastole"),
    _length("IVSs", "Septum, end-systole"),
    _length("LVIDs", "LV internal dimension, end-systole"),
    _length("LVPWs", "Posterior wall, end-systole"),
    Index("FS", "Fractional shortening", "%", ("LVIDd_raw", "LVIDs_raw"), formulas.fractional_shortening, LANG),
    Index("LVM", "LV mass (cube formula)", "g", ("IVSd", "LVIDd", "LVPWd"), formulas.lv_mass_g, DEVEREUX),
    Index("LVMI", "LV mass / BSA (DuBois)", "g/m2", ("LVM", "bsa_dubois"), lambda m, a: m / a,
          "Lang 2015; DuBois 1916"),
    Index("LVMI_Mosteller", "LV mass / BSA (Mosteller)", "g/m2", ("LVM", "bsa_mosteller"), lambda m, a: m / a,
          "Lang 2015; Mosteller 1987"),
    Index("LVM_h27", "LV mass / height^2.7", "g/m2.7", ("LVM", "height_m"), lambda m, h: m / h**2.7,
          "de Simone 1992"),
    Index("LVIDd_BSA", "LVIDd / BSA (DuBois)", "cm/m2", ("LVIDd", "bsa_dubois"), lambda d, a: d / 10 / a, "Lang 2005"),
    Index("RWT", "Relative wall thickness, 2 LVPWd / LVIDd", "1", ("LVPWd_raw", "LVIDd_raw"),
          formulas.relative_wall_thickness, LANG),
    Index("RWT_sum", "Relative wall thickness, (IVSd + LVPWd) / LVIDd", "1", ("IVSd_raw", "LVPWd_raw", "LVIDd_raw"),
          formulas.relative_wall_thickness_sum, "HUNT study, Open Heart 2016 (doi 10.1136/openhrt-2016-000465)"),
    Index("IVS_thickening", "Septal thickening", "%", ("IVSd_raw", "IVSs_raw"), formulas.thickening, "Lang 2005"),
    Index("LVPW_thickening", "Posterior wall thickening", "%", ("LVPWd_raw", "LVPWs_raw"), formulas.thickening,
          "Lang 2005"),
    Index("MWFS", "Midwall fractional shortening", "%", ("IVSd_raw", "LVIDd_raw", "LVPWd_raw", "LVIDs_raw"),
          formulas.midwall_shortening, "Shimizu 1991; de Simone 1994"),
    Index("EDV_Teichholz", "End-diastolic volume (Teichholz)", "mL", ("LVIDd",), formulas.teichholz_ml, TEICHHOLZ,
          GEOMETRIC),
    Index("ESV_Teichholz", "End-systolic volume (Teichholz)", "mL", ("LVIDs",), formulas.teichholz_ml, TEICHHOLZ,
          GEOMETRIC),
    Index("EF_Teichholz", "Ejection fraction (Teichholz)", "%", ("EDV_Teichholz", "ESV_Teichholz"),
          formulas.ejection_fraction, TEICHHOLZ, GEOMETRIC),
    Index("SV_Teichholz", "Stroke volume (Teichholz)", "mL", ("EDV_Teichholz", "ESV_Teichholz"),
          lambda edv, esv: edv - esv, TEICHHOLZ, GEOMETRIC),
    Index("RR", "Length of the beat", "ms", ("RR_ms",), _same, OWN),
    Index("ED_ES", "Interval from end-diastole to end-systole", "ms", ("ED_ES_ms",), _same, OWN),
    Index("Vcf", "Mean velocity of circumferential shortening", "circ/s", ("LVIDd_raw", "LVIDs_raw", "ED_ES"),
          lambda d, s, ms: formulas.velocity_of_shortening(d, s, _seconds(ms)), "Karliner 1971", INTERVAL),
    _curve("IVS_PSI", "Septal post-systolic thickening index", "%", "Brainin 2019, for thickening", SURROGATE),
    _curve("LVPW_PSI", "Posterior wall post-systolic thickening index", "%", "Brainin 2019, for thickening", SURROGATE),
    _curve("IVS_time_to_peak", "Septum, ED to peak thickness", "ms", OWN),
    _curve("LVPW_time_to_peak", "Posterior wall, ED to peak thickness", "ms", OWN),
    Index("IVS_time_to_peak_RR", "Septum, ED to peak thickness, of RR", "%", ("IVS_time_to_peak", "RR"),
          lambda t, rr: 100 * t / rr, OWN, RESEARCH),
    Index("LVPW_time_to_peak_RR", "Posterior wall, ED to peak thickness, of RR", "%", ("LVPW_time_to_peak", "RR"),
          lambda t, rr: 100 * t / rr, OWN, RESEARCH),
    Index("IVS_peak_after_ES", "Septum, peak thickness after ES", "ms", ("IVS_time_to_peak", "ED_ES"),
          lambda t, es: t - es, OWN, RESEARCH),
    Index("LVPW_peak_after_ES", "Posterior wall, peak thickness after ES", "ms", ("LVPW_time_to_peak", "ED_ES"),
          lambda t, es: t - es, OWN, RESEARCH),
    _curve("IVS_LVPW_delay", "Posterior minus septal time of peak inward motion", "ms",
           "Pitzalis 2002 (SPWMD), on 2-D"),
    _curve("dDdt_systole", "Peak shortening velocity, -dD/dt", "cm/s", "Gibson 1973"),
    _curve("dDdt_diastole", "Peak early lengthening velocity, +dD/dt", "cm/s", "Gibson 1973"),
    _curve("dDdt_systole_norm", "Peak shortening rate, -(dD/dt)/D", "1/s", "Gibson 1973"),
    _curve("dDdt_diastole_norm", "Peak early lengthening rate, +(dD/dt)/D", "1/s", "Gibson 1973"),
)  # fmt: skip
"""In the order of a report; an index that needs another comes after it."""

READER_SD_MM = {"IVS": 1.8, "LVID": 3.5, "LVPW": 1.4}
"""Standard deviation of one automatic reading from the consensus of 13 experts (Howard 2021, PMC8136463)."""


def compute(quantities: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """Compute all indices of one beat.

    Args:
        quantities: numbers and reasons by name. The six lengths come as ``LVIDd_mm`` and, in any one unit, as
            ``LVIDd_raw``, which ratios use; what is not there at all is missing, too.

    Returns:
        A value or a reason for every one of `INDICES`.
    """
    known: dict[str, Quantity] = dict(quantities)
    for index in INDICES:
        known[index.name] = _evaluate(index, known)
    return {index.name: known[index.name] for index in INDICES}


def uncertainty(quantities: Mapping[str, Quantity], mm_per_raw: float) -> dict[str, float]:
    """Propagate the readers' spread (`READER_SD_MM`) of the six lengths to all indices, to first order.

    Each length is moved by its standard deviation on its own; the changes add up in squares, as if the errors
    at ED and ES were independent, which is cautious for ratios.

    Args:
        quantities: as in `compute`.
        mm_per_raw: millimetres of one unit of the ``_raw`` lengths.

    Returns:
        Standard deviation by the name of the index, of those that have a value and depend on a length.
    """
    base = compute(quantities)
    squares: dict[str, float] = {}
    for segment, sd_mm in READER_SD_MM.items():
        for moment in "ds":
            moved = dict(quantities)
            for suffix, step in (("mm", sd_mm), ("raw", sd_mm / mm_per_raw)):
                value = moved.get(f"{segment}{moment}_{suffix}", Missing(""))
                moved[f"{segment}{moment}_{suffix}"] = value if isinstance(value, Missing) else value + step
            for name, value in compute(moved).items():
                before = base[name]
                if not isinstance(value, Missing) and not isinstance(before, Missing):
                    squares[name] = squares.get(name, 0.0) + (value - before) ** 2
    return {name: math.sqrt(square) for name, square in squares.items() if square > 0}


def _evaluate(index: Index, known: Mapping[str, Quantity]) -> Quantity:
    values = []
    for need in index.needs:
        quantity = known.get(need, Missing(f"{need} is not known"))
        if isinstance(quantity, Missing):
            return quantity
        values.append(quantity)
    try:
        value = index.formula(*values)
    except ArithmeticError:
        value = math.nan
    if isinstance(value, complex) or not math.isfinite(value):
        return Missing("its formula has no value for these lengths")
    return float(value)
