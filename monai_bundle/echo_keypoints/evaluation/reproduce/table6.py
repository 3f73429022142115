"""Table 6: do the curves tell disease from health? A support vector machine, cross-validated by patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from echo_keypoints.biomarkers.lengths import measure_lengths
from echo_keypoints.errors import ClipError
from echo_keypoints.evaluation.cases import Case
from echo_keypoints.evaluation.peers.registry import TRACKERS, Entry
from echo_keypoints.evaluation.reproduce.cohort import HEALTHY, Cohort, phantom_cohort, read_cohort
from echo_keypoints.evaluation.reproduce.context import Context, compare, installed_peers
from echo_keypoints.evaluation.reproduce.kumar import Vocabulary, motion_features
from echo_keypoints.evaluation.reproduce.paper import DISEASES, TABLE_6, TABLE_6_COLUMNS
from echo_keypoints.evaluation.reproduce.report import Line, Report
from echo_keypoints.evaluation.reproduce.table1 import detector_entry
from echo_keypoints.evaluation.run import Run
from echo_keypoints.evaluation.statistics import Estimate, bootstrap

Floats = NDArray[np.float64]

FOLDS = 5
SAMPLES = 32
"""Moments of the beat, evenly spaced from end-diastole on, at which each length is read."""
TRUTH, KUMAR = "truth", "kumar"
PAPER_ROWS = {
    "trnet": "TR-net", "sknet": "SK-net", KUMAR: "Kumar, et al", "speckle": "Speckle tracking",
    "echonet_lvh": "EchoNet-LVH", "echotracker": "EchoTracker", "cotracker3_offline": "CoTracker3 offline",
}  # fmt: skip


def table_6(context: Context) -> list[Report]:
    """Track a cohort by every method, and classify healthy against each disease from the curves."""
    cohort = _cohort(context)
    entries = _trackers(context)
    features: dict[str, dict[str, Any]] = {name: {} for name in (TRUTH, *entries, KUMAR)}

    def look(case: Case, runs: list[Run]) -> None:
        features[KUMAR][case.name] = motion_features(case.video)
        if case.consecutive:
            features[TRUTH][case.name] = beat_curves(case, case.model_truth)
        for run in runs:
            if run.tracker in entries:  # readers of real clips are no trackers
                features[run.tracker][case.name] = beat_curves(case, run.points)

    _, skipped = compare(context, "table6", cohort.data, entries, look)
    titles = {name: entry.title for name, entry in entries.items()}
    titles |= {TRUTH: "true curves: what the phantom itself tells", KUMAR: "motion features of Kumar et al."}
    lines = [
        Line(titles[name], classify(found, cohort, motion=name == KUMAR), PAPER_ROWS.get(name))
        for name, found in features.items()
        if found
    ]
    notes = [
        f"Support vector machine (RBF kernel, balanced classes, no tuning) on IVS, LVID and LVPW at {SAMPLES} moments "
        f"of one beat from end-diastole; {FOLDS}-fold cross-validation by patient; healthy against one disease.",
        "AUROC over all held-out patients; sensitivity and specificity at the machine's own threshold; 95 % bootstrap "
        "intervals over patients.",
        *skipped,
    ]
    keys = [column.key for column in TABLE_6_COLUMNS]
    title = f"Table 6 on {cohort.data.title}"
    settings = context.settings() | {"diagnoses": _counts(cohort)}
    return [Report("table6", title, TABLE_6_COLUMNS, lines, TABLE_6, keys, notes, settings)]


def beat_curves(case: Case, points: Floats) -> Floats:
    """Lengths over the beat: ``(3 * SAMPLES,)``, in mm where the scale is known, else model px.

    Args:
        case: its beat starts at end-diastole and ends with the clip.
        points: ``(T, 4, 2)`` model px, all frames.
    """
    scale = case.mm_per_px or 1.0
    curves = [length.px[case.end_diastole :] * scale for length in measure_lengths(points).values()]
    moments = np.linspace(0, len(curves[0]) - 1, SAMPLES)
    return np.concatenate([np.interp(moments, np.arange(len(curve)), curve) for curve in curves])


def classify(features: Mapping[str, Any], cohort: Cohort, *, motion: bool = False) -> dict[str, Estimate]:
    """Tell every disease from health by features of the clips.

    Args:
        features: name of a case → vector, or with `motion` its set of features.
        cohort: diagnoses and patients.
        motion: features are those of `kumar`.

    Returns:
        ``"<disease> auc"``, ``"<disease> specificity"`` and ``"<disease> sensitivity"`` in 0..1, for the diseases of
        which there are enough patients.
    """
    machine = make_pipeline(
        *([Vocabulary()] if motion else []), StandardScaler(), SVC(kernel="rbf", class_weight="balanced")
    )
    found = {}
    for disease in DISEASES:
        names = [name for name in features if cohort.diagnoses.get(name) in (HEALTHY, disease)]
        ill = np.array([cohort.diagnoses[name] == disease for name in names])
        if min(ill.sum(), (~ill).sum()) < FOLDS:
            continue
        values = held_out(
            [features[name] for name in names], ill, [cohort.patients[name] for name in names], machine
        )
        for metric, statistic in (
            ("auc", _auc),
            ("specificity", _specificity),
            ("sensitivity", _sensitivity),
        ):
            found[f"{disease} {metric}"] = bootstrap(statistic, ill, values)
    return found


def held_out(
    features: Sequence[Any], ill: NDArray[np.bool_], patients: Sequence[str], machine: Any
) -> Floats:
    """Decision values ``(N,)`` of a classifier on patients that it was not fitted on; above 0 it says ill."""
    values = np.full(len(ill), np.nan)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for train, test in folds.split(np.zeros(len(ill)), ill, patients):
        fitted = clone(machine).fit([features[i] for i in train], ill[train])
        values[test] = fitted.decision_function([features[i] for i in test])
    return values


def _auc(ill: NDArray[np.bool_], values: Floats) -> float:
    return float(roc_auc_score(ill, values)) if 0 < ill.sum() < len(ill) else float("nan")


def _sensitivity(ill: NDArray[np.bool_], values: Floats) -> float:
    return float((values[ill] > 0).mean()) if ill.any() else float("nan")


def _specificity(ill: NDArray[np.bool_], values: Floats) -> float:
    return float((values[~ill] <= 0).mean()) if not ill.all() else float("nan")


def _cohort(context: Context) -> Cohort:
    budget = context.budget
    if context.data:
        cohort = read_cohort(context.data)
    else:
        cohort = phantom_cohort(budget.healthy, budget.ill, budget.beat_frames)
    counts = _counts(cohort)
    if counts.get(HEALTHY, 0) < FOLDS or not any(counts.get(disease, 0) >= FOLDS for disease in DISEASES):
        raise ClipError(
            f"{FOLDS}-fold cross-validation needs {FOLDS} healthy clips and as many of one disease."
        )
    return cohort


def _counts(cohort: Cohort) -> dict[str, int]:
    names = list(cohort.diagnoses.values())
    return {name: names.count(name) for name in dict.fromkeys(names)}


def _trackers(context: Context) -> dict[str, Entry]:
    entries = {name: TRACKERS[name] for name in context.budget.cohort_trackers}
    return {**entries, "echonet_lvh": detector_entry(context, "echonet_lvh"), **installed_peers()}
