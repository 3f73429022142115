"""The test sets: fresh phantoms of ours, phantoms of another maker, and real clips with two readers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.errors import ClipError
from echo_keypoints.evaluation.cases import Case, exact_case
from echo_keypoints.evaluation.labelled_sets import echonet_lvh_cases, is_echonet_lvh, labelled_cases
from echo_keypoints.readers import read_clip

TEST_SEED = 9_000_000
"""Seeds from here on are for testing; training must stay below."""

PHANTOM_FRAMES = 48


@dataclass(frozen=True)
class DataSet:
    """Cases that are loaded one at a time.

    Attributes:
        name: short, for files.
        title: for people; says what the clips are.
        phantom: whether the numbers are from phantoms and say little about patients.
        cases: one loader per clip; raises `ClipError` if the clip cannot be used.
    """

    name: str
    title: str
    phantom: bool
    cases: tuple[Callable[[], Case], ...]


def find_datasets(phantoms: int, folder: Path | None) -> tuple[list[DataSet], list[str]]:
    """Collect what there is to test on.

    Args:
        phantoms: number of fresh phantom clips; 0 leaves them out.
        folder: with ``phantom_physics/*.npz`` and ``plax/annotations.json``, or EchoNet-LVH as published, or clips
            with landmarks beside them (`labelled_sets`); None for none.

    Returns:
        The data sets, and a sentence for each that is missing.

    Raises:
        ClipError: the annotations cannot be read.
    """
    found = [fresh_phantoms(phantoms)] if phantoms else []
    notes: list[str] = []
    if folder is None:
        return found, ["No data folder was given: only fresh phantoms were evaluated."]
    if is_echonet_lvh(folder):
        cases = tuple(echonet_lvh_cases(folder))
        title = f"{len(cases)} test videos of EchoNet-LVH, annotated frames only"
        return [*found, DataSet("echonet_lvh", title, False, cases)], notes
    physics = sorted((folder / "phantom_physics").glob("*.npz"))
    annotations = folder / "plax" / "annotations.json"
    if not physics and not annotations.is_file():
        cases = tuple(labelled_cases(folder))
        if not cases:
            return found, [f"{folder.name} holds no labelled clips: only fresh phantoms were evaluated."]
        return [
            *found,
            DataSet("labelled", f"{len(cases)} labelled clips of {folder.name}", False, cases),
        ], notes
    if physics:
        found.append(third_party_phantoms(physics))
    else:
        notes.append("phantom_physics has no .npz files: skipped.")
    if annotations.is_file():
        found.append(annotated_clips(annotations))
    else:
        notes.append("plax/annotations.json is not there: real clips were skipped.")
    return found, notes


def fresh_phantoms(count: int) -> DataSet:
    """Phantom clips of ours with seeds that training never sees."""
    loaders = tuple(partial(_simulated, TEST_SEED + i) for i in range(count))
    return DataSet("phantoms", f"{count} fresh phantom clips of ours (PHANTOM numbers)", True, loaders)


def third_party_phantoms(paths: list[Path]) -> DataSet:
    """Phantom clips of another simulator: npz with video, points, mm_per_px, fps, phase."""
    loaders = tuple(partial(_npz_phantom, path) for path in paths)
    title = f"{len(paths)} phantom clips of another acoustic simulator (PHANTOM numbers)"
    return DataSet("phantom_physics", title, True, loaders)


def annotated_clips(annotations: Path) -> DataSet:
    """Real clips, some of whose frames were read by several readers independently.

    Args:
        annotations: JSON: file name → ``{"width", "height", "frames": {index: {"phase": "ED" | "ES" | …,
            "reader_…": {"points": [[x, y], … 4]}}}}``, original pixels; the clips are beside it.

    Raises:
        ClipError: this is not such a file.
    """
    try:
        entries = json.loads(annotations.read_text(encoding="utf-8"))
        loaders = tuple(partial(_annotated, annotations.parent / name, entries[name]) for name in entries)
    except (OSError, ValueError, TypeError) as error:
        raise ClipError(f"{annotations.name} is not a JSON file of annotated clips.") from error
    title = f"{len(loaders)} real clips, annotated frames only, against the mean of the readers"
    return DataSet("real", title, False, loaders)


def _simulated(seed: int) -> Case:
    clip = simulate_clip(seed, frame_count=PHANTOM_FRAMES)
    return exact_case(f"phantom_{seed}", clip.video, clip.points, clip.phase, clip.times_s, clip.mm_per_px)


def _npz_phantom(path: Path) -> Case:
    try:
        with np.load(path, allow_pickle=False) as data:
            video, points, phase = data["video"], data["points"], data["phase"]
            times, scale = np.arange(len(video)) / float(data["fps"]), float(data["mm_per_px"])
    except (OSError, ValueError, KeyError) as error:
        raise ClipError(
            f"{path.name} is not a phantom clip with video, points, phase, fps, mm_per_px."
        ) from error
    return exact_case(path.stem, video, points, phase, times, scale)


def _annotated(path: Path, entry: dict[str, Any]) -> Case:
    clip = read_clip(path)
    try:
        frames = sorted(int(index) for index in entry["frames"])
        marks = [entry["frames"][str(index)] for index in frames]
        names = sorted(name for name in marks[0] if name.startswith("reader_"))
        readers = tuple(np.array([mark[name]["points"] for mark in marks], np.float64) for name in names)
        phases = [mark["phase"] for mark in marks]
        diastole, systole = frames[phases.index("ED")], frames[phases.index("ES")]
        expected = (entry["height"], entry["width"])
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ClipError(
            f"The annotations of {path.name} are incomplete: each frame needs a phase and readers."
        ) from error
    header = clip.header
    if (header.height, header.width) != expected or not 0 <= frames[0] <= frames[-1] < header.frame_count:
        raise ClipError(f"The annotations of {path.name} are for another clip: size or frame numbers differ.")
    if not readers or any(points.shape != (len(frames), 4, 2) for points in readers):
        raise ClipError(f"The annotations of {path.name} need four points per frame and reader.")
    return Case(path.stem, clip, np.array(frames), np.mean(readers, axis=0), diastole, systole, readers)
