"""`Marks`: the landmarks of a clip with what a test needs besides, and our files for them.

``clip.json`` beside ``clip.dcm``: ``{"frames": {"12": [[x, y], null, …]}, "mm_per_px": [sx, sy], "ed_frame": 3,
"es_frame": 14}``, all but ``frames`` optional. ``clip.csv``: ``frame,landmark,x,y``, landmarks only. Original pixels,
the centre of the first one at 0, frames from 0.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from echo_keypoints.anatomy import LANDMARK_NAMES
from echo_keypoints.data.points import LabelError, Labels, read_labels
from echo_keypoints.results import plain
from echo_keypoints.results.files import atomic_path


@dataclass(frozen=True, eq=False)
class Marks:
    """Landmarks of some or all frames of one clip.

    Attributes:
        frames: frame → ``(4, 2)`` original px, NaN where a landmark was not set.
        spacing_mm: ``(sx, sy)`` mm per px, or None to go by the clip's own.
        ed_frame, es_frame: end-diastole and end-systole where somebody says so, or None.
    """

    frames: Labels
    spacing_mm: tuple[float, float] | None = None
    ed_frame: int | None = None
    es_frame: int | None = None

    def complete(self) -> list[int]:
        """Frames on which all four landmarks are known, ascending."""
        return sorted(frame for frame, points in self.frames.items() if np.isfinite(points).all())


def read_marks(path: Path) -> Marks:
    """Read landmarks in any form that `read_labels` knows, with scale and moments where the file has them.

    Raises:
        LabelError: the file is damaged or of another kind.
    """
    frames = read_labels(path)
    if path.suffix.lower() == ".csv":
        return Marks(frames)
    document = json.loads(path.read_text(encoding="utf-8-sig"))
    try:
        return Marks(
            frames,
            _spacing(document.get("mm_per_px")),
            _frame(document.get("ed_frame")),
            _frame(document.get("es_frame")),
        )
    except (TypeError, ValueError) as error:
        raise LabelError(f"{path.name} has a scale or a frame that is not a number.") from error


def write_marks(marks: Marks, path: Path) -> None:
    """Write our JSON, or our CSV where the path ends so (landmarks only).

    Raises:
        OSError: the folder cannot be written to.
    """
    with atomic_path(path) as part:
        if path.suffix.lower() == ".csv":
            _write_csv(marks, part)
        else:
            part.write_text(json.dumps(_document(marks), allow_nan=False) + "\n", encoding="utf-8")


def _document(marks: Marks) -> dict[str, object]:
    known = {
        str(frame): [plain(point) if np.isfinite(point).all() else None for point in marks.frames[frame]]
        for frame in sorted(marks.frames)
    }
    extras = {"mm_per_px": marks.spacing_mm, "ed_frame": marks.ed_frame, "es_frame": marks.es_frame}
    return {"frames": known, **{name: plain(value) for name, value in extras.items() if value is not None}}


def _write_csv(marks: Marks, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("frame", "landmark", "x", "y"))
        for frame in sorted(marks.frames):
            for name, point in zip(LANDMARK_NAMES, marks.frames[frame], strict=True):
                if np.isfinite(point).all():
                    writer.writerow((frame, name, *plain(point)))


def _spacing(value: object) -> tuple[float, float] | None:
    if value is None:
        return None
    x, y = np.broadcast_to(np.asarray(value, np.float64), 2)
    if not (0 < x < np.inf and 0 < y < np.inf):
        raise ValueError("a scale is positive")
    return float(x), float(y)


def _frame(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or value < 0:
        raise ValueError("frames are whole numbers from 0")
    return value
