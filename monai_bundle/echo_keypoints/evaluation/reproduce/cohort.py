"""The patients of Table 6: phantoms with the pathology presets, or a user's clips with their diagnoses."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from echo_keypoints.data.simulation import Phantom
from echo_keypoints.errors import ClipError
from echo_keypoints.evaluation.cases import Case, exact_case
from echo_keypoints.evaluation.datasets import TEST_SEED, DataSet
from echo_keypoints.evaluation.labelled_sets import labelled_cases
from echo_keypoints.evaluation.reproduce.paper import DISEASES

HEALTHY = "normal"
PRESETS = {
    HEALTHY: ("normal",),
    "heart failure": ("heart_failure",),
    "cardiomyopathy": ("hypertrophy",),
    "myocardial infarction": ("septal_infarct", "posterior_infarct"),
}
"""Diagnosis → pathologies of the phantom, in turn."""

_FIRST_SEED = TEST_SEED + 500_000
TABLE = "cohort.csv"


@dataclass(frozen=True)
class Cohort:
    """Clips with what their patients have.

    Attributes:
        data: the clips; curves start at their end-diastole.
        diagnoses: name of a case → `HEALTHY` or one of the paper's three diseases.
        patients: name of a case → whose clip it is.
    """

    data: DataSet
    diagnoses: dict[str, str]
    patients: dict[str, str]


def phantom_cohort(healthy: int, ill: int, frames: int) -> Cohort:
    """Phantoms over one beat of so many frames from end-diastole on, one clip a patient, with seeds of their own."""
    loaders: list[partial[Case]] = []
    diagnoses: dict[str, str] = {}
    for diagnosis, presets in PRESETS.items():
        for index in range(healthy if diagnosis == HEALTHY else ill):
            seed = _FIRST_SEED + len(loaders)
            loaders.append(partial(one_beat, seed, presets[index % len(presets)], frames))
            diagnoses[f"phantom_{seed}"] = diagnosis
    title = f"{len(loaders)} phantoms (PHANTOM numbers)"
    return Cohort(
        DataSet("cohort", title, True, tuple(loaders)), diagnoses, {name: name for name in diagnoses}
    )


def one_beat(seed: int, pathology: str, frames: int) -> Case:
    """One phantom from end-diastole to the next one."""
    phantom = Phantom(seed, pathology=pathology)
    cycle = phantom.heart.cycle
    start = (1 - cycle.offset) * cycle.period_s
    clip = phantom.render(start + np.linspace(0, cycle.period_s, frames, endpoint=False))
    times = clip.times_s - clip.times_s[0]
    return exact_case(f"phantom_{seed}", clip.video, clip.points, clip.phase, times, clip.mm_per_px)


def read_cohort(folder: Path) -> Cohort:
    """A user's cohort: labelled clips (`labelled_sets`) and ``cohort.csv`` with ``clip,patient,diagnosis``.

    ``clip`` is a name without ending; ``diagnosis`` is normal or one of the paper's three diseases.

    Raises:
        ClipError: the table is missing, names a disease that is not asked for, or nothing is labelled.
    """
    try:
        with (folder / TABLE).open(encoding="utf-8-sig", newline="") as stream:
            rows = [
                (row["clip"], row["patient"], row["diagnosis"].strip().lower())
                for row in csv.DictReader(stream)
            ]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, AttributeError) as error:
        raise ClipError(
            f"{folder.name} needs {TABLE} with the columns clip, patient and diagnosis beside its clips."
        ) from error
    for clip, _, diagnosis in rows:
        if diagnosis not in (HEALTHY, *DISEASES):
            raise ClipError(
                f"{clip} has the diagnosis {diagnosis!r}; {TABLE} takes {HEALTHY}, {', '.join(DISEASES)}."
            )
    known = {clip for clip, _, _ in rows}
    loaders = tuple(case for case in labelled_cases(folder) if case.args[0].stem in known)
    if not loaders:
        raise ClipError(f"{TABLE} names none of the labelled clips of {folder.name}.")
    data = DataSet("cohort", f"{len(loaders)} clips of {folder.name}", False, loaders)
    return Cohort(data, {clip: d for clip, _, d in rows}, {clip: patient for clip, patient, _ in rows})
