"""Landmarks that people set, from files beside their clips."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.anatomy import LANDMARK_NAMES
from echo_keypoints.errors import EchoKeypointsError

Labels = dict[int, NDArray[np.float64]]
"""Frame, from 0 → points ``(4, 2)`` in original pixels, NaN where a landmark was not set."""


FOLDERS_ABOVE = 8
"""So many folders, from the clip upwards, may be that of a Label server."""


class LabelError(EchoKeypointsError):
    """A file of labels is damaged or of another kind."""


def find_labels(clip: Path) -> Path | None:
    """Find the labels of a clip.

    They are beside it under its stem, ``.json`` or ``.csv``, or where a Label server keeps those that a person
    submitted: ``labels/final`` of its folder or one above, by the way from there, under its stem or its whole name.
    """
    beside = [clip.parent / f"{clip.stem}{ending}" for ending in (".json", ".csv")]
    return next((path for path in (*beside, *_submitted(clip)) if path.is_file()), None)


def _submitted(clip: Path) -> Iterator[Path]:
    """Where the label of a clip may be: ``labels/final/pat1/clip.dcm.json`` of the folder that holds ``pat1``."""
    for folder in clip.absolute().parents[:FOLDERS_ABOVE]:
        label = folder / "labels/final" / clip.absolute().relative_to(folder)
        yield label.with_suffix(".json")
        yield label.with_name(f"{label.name}.json")


def read_labels(path: Path) -> Labels:
    """Read the landmarks of some frames.

    Args:
        path: one of

            - JSON ``{"frames": {"12": [[x, y], null, [x, y], [x, y]], …}}``, null for one not set;
            - a ``result.json`` of ours, of which only the anchors count, the frames that a person set;
            - the truth that ``echo-keypoints simulate`` writes beside a phantom clip: all of its frames;
            - CSV with the columns ``frame, landmark, x, y``, one landmark a row.

    Raises:
        LabelError: the file is none of these, or damaged.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        return _from_csv(text) if path.suffix.lower() == ".csv" else _from_json(json.loads(text))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabelError(
            f"{path.name} does not hold landmarks; docs/README.md, 'Your own data', has the formats."
        ) from error


def _from_json(document: Mapping[str, Any]) -> Labels:
    if "tracks" in document:
        anchors = document["tracks"]["anchors"]
        return {int(anchor["frame"]): _four(anchor["points_px"]) for anchor in anchors}
    if "points_px" in document:
        return {frame: _four(points) for frame, points in enumerate(document["points_px"])}
    return {_frame(frame): _four(points) for frame, points in document["frames"].items()}


def _from_csv(text: str) -> Labels:
    labels: Labels = {}
    for row in csv.DictReader(text.splitlines()):
        points = labels.setdefault(_frame(row["frame"]), np.full((4, 2), np.nan))
        points[LANDMARK_NAMES.index(row["landmark"].strip())] = _number(row["x"]), _number(row["y"])
    return labels


def _frame(text: str) -> int:
    frame = int(text)
    if frame < 0:
        raise ValueError("frames are counted from 0")
    return frame


def _number(text: str) -> float:
    value = float(text)
    if not np.isfinite(value):
        raise ValueError("coordinates are finite")
    return value


def _four(points: Any) -> NDArray[np.float64]:
    """Four points, each ``[x, y]`` or null (or two nulls)."""
    rows = [[np.nan, np.nan] if point is None else point for point in points]
    array = np.array(rows, dtype=np.float64)
    if array.shape != (4, 2):
        raise ValueError("a frame has four points")
    return array
