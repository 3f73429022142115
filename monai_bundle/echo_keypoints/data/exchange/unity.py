"""Landmarks as Unity Imaging publishes them: one JSON, one entry per picture (data.unityimaging.net).

``{"<code>-<frame>.png": {"labels": {"lv-ivs-top": {"type": "point", "x": "12.5", "y": "40.0"}}}}``: numbers are
text, ``type`` is ``point``, ``curve``, ``blurred`` or ``off``; further keys are left alone. A picture is one frame of a
video, numbered from 0 in its last four digits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from echo_keypoints.data.marks import Marks
from echo_keypoints.data.points import LabelError, Labels
from echo_keypoints.results.files import atomic_path

KEYS = ("lv-ivs-top", "lv-ivs-bottom", "lv-pw-top", "lv-pw-bottom")
"""Unity's names of SEpP, SEnP, PEnP, PEpP."""

_PICTURE = re.compile(r"(?P<clip>.+)-(?P<frame>\d{4,})(\.png)?")


def read_unity(path: Path) -> dict[str, Marks]:
    """Read the landmarks of all clips, by code. Only points count: what is blurred or off is not set.

    Raises:
        LabelError: this is not such a file.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        clips: dict[str, Labels] = {}
        for name, entry in document.items():
            picture = _PICTURE.fullmatch(name)
            points = np.array([_point(entry["labels"].get(key)) for key in KEYS])
            if picture is None:
                raise ValueError(f"{name} has no frame number")
            if np.isfinite(points).any():
                clips.setdefault(picture["clip"], {})[int(picture["frame"])] = points
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabelError(f"{path.name} does not hold labels of Unity Imaging: {error}.") from error
    return {clip: Marks(frames) for clip, frames in clips.items()}


def write_unity(clips: Mapping[str, Marks], path: Path) -> None:
    """Write the landmarks of all clips; one that is not set is ``off``.

    Raises:
        OSError: the folder cannot be written to.
    """
    document = {
        f"{clip}-{frame:04d}.png": {
            "labels": {key: _label(point) for key, point in zip(KEYS, marks.frames[frame], strict=True)}
        }
        for clip, marks in sorted(clips.items())
        for frame in sorted(marks.frames)
    }
    with atomic_path(path) as part:
        part.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _point(label: Mapping[str, Any] | None) -> tuple[float, float]:
    if label is None or label["type"] != "point":
        return (float("nan"), float("nan"))
    return float(label["x"]), float(label["y"])


def _label(point: np.ndarray) -> dict[str, str]:
    if not np.isfinite(point).all():
        return {"type": "off", "x": "", "y": ""}
    return {"type": "point", "x": f"{point[0]:.3f}", "y": f"{point[1]:.3f}"}
