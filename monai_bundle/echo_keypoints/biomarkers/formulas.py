"""The formulas, as printed in their sources: lengths in mm go in; unit and source are in each docstring.

Nothing here checks its input: what is missing or not a number never gets here (`indices`).
"""

from __future__ import annotations


def fractional_shortening(lvid_d: float, lvid_s: float) -> float:
    """Endocardial fractional shortening in %: 100 (LVIDd - LVIDs) / LVIDd (Lang 2015)."""
    return 100 * (lvid_d - lvid_s) / lvid_d


def teichholz_ml(lvid_mm: float) -> float:
    """Cavity volume in mL by Teichholz 1976: 7 D³ / (2.4 + D), D in cm."""
    d = lvid_mm / 10
    return 7.0 / (2.4 + d) * d**3


def ejection_fraction(edv_ml: float, esv_ml: float) -> float:
    """Ejection fraction in % of two volumes."""
    return 100 * (edv_ml - esv_ml) / edv_ml


def lv_mass_g(ivs_d: float, lvid_d: float, lvpw_d: float) -> float:
    """Left ventricular mass in g by the cube formula of the ASE (Devereux 1986; Lang 2015).

    0.8 × 1.04 ((IVSd + LVIDd + LVPWd)³ - LVIDd³) + 0.6, lengths in cm.
    """
    cavity, whole = lvid_d / 10, (ivs_d + lvid_d + lvpw_d) / 10
    return 0.8 * 1.04 * (whole**3 - cavity**3) + 0.6


def relative_wall_thickness(lvpw_d: float, lvid_d: float) -> float:
    """Relative wall thickness, 2 LVPWd / LVIDd (Lang 2015)."""
    return 2 * lvpw_d / lvid_d


def relative_wall_thickness_sum(ivs_d: float, lvpw_d: float, lvid_d: float) -> float:
    """Relative wall thickness of both walls, (IVSd + LVPWd) / LVIDd (HUNT study, Open Heart 2016)."""
    return (ivs_d + lvpw_d) / lvid_d


def thickening(wall_d: float, wall_s: float) -> float:
    """Systolic wall thickening in %: 100 (T_ES - T_ED) / T_ED (Lang 2005)."""
    return 100 * (wall_s - wall_d) / wall_d


def post_systolic_index(wall_d: float, wall_s: float, wall_peak: float) -> float:
    """Post-systolic thickening index in %: 100 (T_max - T_ES) / (T_max - T_ED).

    The post-systolic strain index 100 (e_max - e_ES) / e_max with e = (T - T_ED) / T_ED.
    """
    return 100 * (wall_peak - wall_s) / (wall_peak - wall_d)


def velocity_of_shortening(lvid_d: float, lvid_s: float, interval_s: float) -> float:
    """Mean velocity of circumferential fibre shortening in circ/s: (LVIDd - LVIDs) / (LVIDd t)."""
    return (lvid_d - lvid_s) / (lvid_d * interval_s)


def midwall_shortening(ivs_d: float, lvid_d: float, lvpw_d: float, lvid_s: float) -> float:
    """Midwall fractional shortening in % by the two-shell model (Shimizu 1991; de Simone 1994).

    The shell between endocardium and midwall keeps its volume: with H_d = (IVSd + LVPWd) / 2,
    H_s = ((LVIDd + H_d)³ - LVIDd³ + LVIDs³)^(1/3) - LVIDs, and the result is
    100 ((LVIDd + H_d) - (LVIDs + H_s)) / (LVIDd + H_d).
    """
    midwall_d = lvid_d + (ivs_d + lvpw_d) / 2
    midwall_s = (midwall_d**3 - lvid_d**3 + lvid_s**3) ** (1 / 3)
    return 100 * (midwall_d - midwall_s) / midwall_d
