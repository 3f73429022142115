"""The numbers that the paper prints (Oh et al., Tables 1 and 3 to 6). Lengths are in the order LVPW, LVID, IVS."""

from __future__ import annotations

from echo_keypoints.evaluation.reproduce.report import Column

LENGTHS = ("LVPW", "LVID", "IVS")
POINTS = ("SEnP", "SEpP", "PEnP", "PEpP")

ACCURACY = (
    Column("delta_avg_percent", "δ_avg %", higher=True),
    *(Column(f"mae_{name}_px", f"MAE {name}") for name in LENGTHS),
)
"""Columns of Tables 3 to 5."""

TABLE_1_COLUMNS = (
    *ACCURACY,
    *(Column(f"mae_edes_{name}_px", f"ED/ES {name}") for name in LENGTHS),
    *(Column(f"sigma_{name}_px", f"σ_t {name}") for name in LENGTHS),
    *(Column(f"ave_{name}_px", f"AVE {name}") for name in POINTS),
)

TABLE_1 = {
    "SK-net": (30.3, 5.03, 9.18, 6.15, 4.71, 8.73, 5.25, 1.41, 1.77, 1.46, 3.33, 3.46, 2.23, 1.70),
    "TR-net": (32.8, 4.83, 8.93, 3.35, 4.69, 8.54, 3.50, 1.12, 1.72, 0.98, 1.35, 1.62, 1.13, 0.91),
    "KLT Tracker": (25.9, 7.86, 11.40, 4.44, 7.80, 11.59, 5.11, 4.53, 2.99, 2.58, 1.54, 1.97, 1.29, 1.01),
    "Speckle Tracking": (
        26.7,
        6.09,
        10.85,
        3.84,
        5.68,
        10.46,
        4.01,
        1.64,
        1.98,
        1.23,
        1.46,
        1.60,
        1.19,
        0.94,
    ),
    "Echonet-LVH": (25.0, 7.93, 12.64, 3.46, 5.50, 12.69, 4.29, 1.37, 2.15, 1.13, 3.73, 3.79, 2.89, 2.13),
    "EchoGLAD": (26.2, 13.31, 10.75, 10.15, 19.58, 14.33, 12.20, 2.51, 2.50, 1.62, 4.79, 4.78, 4.05, 2.53),
    "EchoTracker": (31.3, 4.66, 9.81, 3.67, 4.51, 9.87, 4.00, 1.11, 1.85, 1.19, 1.42, 1.65, 1.33, 1.02),
    "CoTracker3 offline": (
        29.5,
        6.69,
        10.48,
        4.52,
        6.34,
        10.44,
        5.00,
        5.00,
        4.03,
        2.50,
        1.63,
        2.11,
        1.57,
        1.80,
    ),
    "CoTracker3 online": (
        26.4,
        6.97,
        12.93,
        4.51,
        6.71,
        13.48,
        5.39,
        4.85,
        7.48,
        2.38,
        2.24,
        2.82,
        2.30,
        2.00,
    ),
    "CoTracker2": (20.6, 8.71, 18.56, 6.10, 9.25, 21.02, 7.29, 5.85, 6.13, 2.71, 3.69, 3.92, 3.28, 3.25),
    "BootsTAPIR": (30.5, 5.12, 9.58, 3.51, 4.94, 11.20, 3.88, 3.50, 1.75, 1.17, 1.46, 1.55, 1.29, 0.93),
    "TAPIR": (18.6, 12.29, 24.56, 7.90, 11.90, 24.99, 9.37, 3.62, 5.51, 2.43, 4.97, 4.19, 2.77, 2.76),
}

TABLE_3 = {
    "none (SK-net)": (30.3, 5.03, 9.18, 6.15),
    "L_pseudo": (31.3, 4.99, 9.04, 3.41),
    "L_pseudo + L_patch": (32.8, 4.83, 8.93, 3.35),
}
TABLE_4 = {"with": (32.8, 4.83, 8.93, 3.35), "without": (31.3, 4.87, 8.97, 3.37)}
TABLE_5 = {
    "first": (32.4, 5.22, 9.71, 3.52),
    "random": (32.7, 5.08, 9.65, 3.78),
    "confidence": (32.8, 4.83, 8.93, 3.35),
}

DISEASES = ("heart failure", "cardiomyopathy", "myocardial infarction")
TABLE_6_COLUMNS = tuple(
    Column(f"{disease} {metric}", f"{disease}: {heading}", higher=True)
    for disease in DISEASES
    for metric, heading in (("auc", "AUROC"), ("specificity", "spec."), ("sensitivity", "sens."))
)
TABLE_6 = {
    "TR-net": (0.85, 0.77, 0.70, 0.83, 0.68, 0.80, 0.82, 0.80, 0.73),
    "SK-net": (0.82, 0.70, 0.69, 0.73, 0.60, 0.60, 0.75, 0.67, 0.70),
    "Kumar, et al": (0.75, 0.73, 0.63, 0.70, 0.65, 0.70, 0.62, 0.60, 0.60),
    "Speckle tracking": (0.78, 0.67, 0.63, 0.66, 0.59, 0.63, 0.75, 0.67, 0.67),
    "EchoNet-LVH": (0.66, 0.61, 0.43, 0.76, 0.40, 0.60, 0.65, 0.60, 0.67),
    "EchoTracker": (0.70, 0.73, 0.57, 0.71, 0.40, 0.60, 0.73, 0.67, 0.73),
    "CoTracker3 offline": (0.73, 0.65, 0.63, 0.62, 0.57, 0.53, 0.73, 0.60, 0.67),
}
