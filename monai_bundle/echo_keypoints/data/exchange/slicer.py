"""Landmarks as 3D Slicer's markups: one point list a frame, ``<clip>.<frame>.mrk.json`` (schema 1.0.3).

Positions are LPS millimetres: the pixel times the spacing, z = 0, as Slicer places a single frame whose origin is 0.
Where the scale is not known a pixel counts as one millimetre.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.anatomy import LANDMARK_NAMES
from echo_keypoints.data.marks import Marks
from echo_keypoints.data.points import LabelError, Labels
from echo_keypoints.results import plain
from echo_keypoints.results.files import atomic_path
from echo_keypoints.writers.slicer import MARKUPS_SCHEMA

_FILE = re.compile(r"(?P<clip>.+)\.(?P<frame>\d+)\.mrk\.json")
_TO_LPS = {"LPS": (1.0, 1.0), "RAS": (-1.0, -1.0), "0": (-1.0, -1.0), "1": (1.0, 1.0)}


def read_slicer(paths: Iterable[Path], spacing_mm: tuple[float, float] | None = None) -> dict[str, Marks]:
    """Read point lists; control points are taken by their label, in any order.

    Args:
        paths: of ``<clip>.<frame>.mrk.json``.
        spacing_mm: mm per px along x and y; None counts a millimetre as a pixel.

    Raises:
        LabelError: a file is not such a list, or its name does not say clip and frame.
    """
    clips: dict[str, Labels] = {}
    for path in paths:
        name = _FILE.fullmatch(path.name)
        if name is None:
            raise LabelError(
                f"{path.name} does not say its frame; name it clip.frame.mrk.json, frames from 0."
            )
        try:
            markup = json.loads(path.read_text(encoding="utf-8"))["markups"][0]
            points = _points(markup) / np.asarray(spacing_mm or (1.0, 1.0))
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise LabelError(f"{path.name} is not a point list of 3D Slicer.") from error
        clips.setdefault(name["clip"], {})[int(name["frame"])] = points
    return {clip: Marks(frames, spacing_mm) for clip, frames in clips.items()}


def write_slicer(clips: Mapping[str, Marks], folder: Path) -> None:
    """Write one file per labelled frame into a folder.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for clip, marks in clips.items():
        for frame, points in marks.frames.items():
            scaled = points * np.asarray(marks.spacing_mm or (1.0, 1.0))
            document = {"@schema": MARKUPS_SCHEMA, "markups": [_markup(scaled, f"{clip} {frame}")]}
            with atomic_path(folder / f"{clip}.{frame:04d}.mrk.json") as part:
                part.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _points(markup: Mapping[str, Any]) -> NDArray[np.float64]:
    flip = _TO_LPS[str(markup.get("coordinateSystem", "LPS"))]
    points = np.full((4, 2), np.nan)
    for control in markup["controlPoints"]:
        if control.get("positionStatus", "defined") == "defined" and control["label"] in LANDMARK_NAMES:
            points[LANDMARK_NAMES.index(control["label"])] = np.array(control["position"][:2], float) * flip
    return points


def _markup(points: NDArray[np.float64], name: str) -> dict[str, Any]:
    known = [bool(np.isfinite(point).all()) for point in points]
    return {
        "type": "Fiducial",
        "name": name,
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "controlPoints": [
            {
                "id": str(index + 1),
                "label": label,
                "position": [*plain(points[index]), 0.0] if known[index] else [0.0, 0.0, 0.0],
                "positionStatus": "defined" if known[index] else "undefined",
            }
            for index, label in enumerate(LANDMARK_NAMES)
        ],
    }
