"""EchoNet-LVH exactly as published: ``Batch1 … Batch4/<HashedFileName>.avi`` and ``MeasurementsList.csv``.

The table has one row per calliper: the length in cm and its two ends in pixels, at end-diastole (``IVSd``, ``LVIDd``,
``LVPWd``) or end-systole (``…s``). There is no pixel spacing; it follows from the callipers. The data are under an
agreement of their own and are not redistributed; this reads what you were given.

Two splits exist: the column ``split`` (10189 / 1145 / 337 videos), and that of the paper of EchoNet-LVH
(9601 / 1200 / 1200), which its authors published later as ``hashed_index_old_split.csv`` (echonet/lvh, issue 13).
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.anatomy import SEGMENTS
from echo_keypoints.data.folders import Item
from echo_keypoints.data.points import LabelError, Labels
from echo_keypoints.errors import ClipError

TABLE = "MeasurementsList.csv"
COLUMNS = (
    "HashedFileName", "Calc", "CalcValue", "Frame", "X1", "X2", "Y1", "Y2", "Frames", "FPS", "Width", "Height", "split",
)  # fmt: skip
SPLITS = ("train", "val", "test")

CALLIPERS = {f"{segment.name}{phase}": (segment.end, segment.start) for segment in SEGMENTS for phase in "ds"}
"""``Calc`` → landmarks of (X1, Y1) and (X2, Y2): callipers are drawn from the posterior wall to the septum."""

SCALE_TOLERANCE = 0.05
"""A row whose cm per px differs more from the median of its file does not measure what it says."""


@dataclass(frozen=True)
class Dropped:
    """A row, or a whole file (``row`` None), that is not used, and why. Rows count from 1 as spreadsheets do."""

    file: str
    row: int | None
    reason: str


@dataclass(frozen=True, eq=False)
class LvhVideo:
    """One video and its callipers.

    Attributes:
        path: of the AVI.
        split: ``"train"``, ``"val"`` or ``"test"``.
        frames: frame, from 0 → landmarks ``(4, 2)`` px; NaN where no calliper ends.
        cm_per_px: scale, the median over its callipers; pixels are taken for square.
        end_diastole, end_systole: frames of the ``d`` and ``s`` callipers, or None.
        gap_px: mean distance of the two marks of one landmark where callipers share it; their mean is the landmark.
    """

    path: Path
    split: str
    frames: Labels
    cm_per_px: float
    end_diastole: int | None
    end_systole: int | None
    gap_px: float


@dataclass(frozen=True)
class LvhSet:
    """What a copy of EchoNet-LVH holds.

    Attributes:
        videos: that can be used, by name.
        dropped: rows and files that cannot.
        swapped: rows whose two ends were given in the other order (septum first), and were turned.
    """

    videos: tuple[LvhVideo, ...]
    dropped: tuple[Dropped, ...]
    swapped: int

    def of(self, split: str) -> list[LvhVideo]:
        """Videos of one split."""
        return [video for video in self.videos if video.split == split]

    def report(self) -> str:
        """What was kept and what was dropped for which reason, in a few lines."""
        counts: dict[str, int] = defaultdict(int)
        for drop in self.dropped:
            counts[f"{'file' if drop.row is None else 'row'}: {drop.reason}"] += 1
        lines = [f"{len(self.of(split))} videos to {split} with" for split in SPLITS]
        lines += [f"dropped {count} × {reason}" for reason, count in sorted(counts.items())]
        return "\n".join(
            [*lines, f"{self.swapped} callipers were drawn from septum to posterior wall, and turned"]
        )


@dataclass(frozen=True)
class _Row:
    number: int
    file: str
    calc: str
    length_cm: float
    frame: int
    ends: NDArray[np.float64]  # (2, 2) px
    split: str
    swapped: bool

    @property
    def cm_per_px(self) -> float:
        return self.length_cm / float(np.linalg.norm(self.ends[1] - self.ends[0]))


@dataclass
class _Sorting:
    """Rows by file, and what was dropped on the way."""

    rows: dict[str, list[_Row]] = field(default_factory=lambda: defaultdict(list))
    dropped: list[Dropped] = field(default_factory=list)


def read_echonet_lvh(folder: Path, split_file: Path | None = None) -> LvhSet:
    """Read the table and find the videos.

    Args:
        folder: with ``MeasurementsList.csv`` and the batches.
        split_file: CSV with the columns ``HashedFileName`` and ``split`` that overrules the table's split.

    Raises:
        LabelError: a table is missing or of another form.
    """
    videos = {path.stem: path for path in sorted(folder.glob("Batch*/*.avi"))}
    splits = None if split_file is None else _read_splits(split_file)
    sorting = _sort(folder / TABLE)
    found = []
    for name, rows in sorted(sorting.rows.items()):
        reason = _unusable(name, rows, videos, splits)
        if reason:
            sorting.dropped.append(Dropped(name, None, reason))
            continue
        video, dropped = _assemble(videos[name], rows, rows[0].split if splits is None else splits[name])
        sorting.dropped += dropped
        found.append(video)
    used = sum(row.swapped for rows in sorting.rows.values() for row in rows)
    return LvhSet(tuple(found), tuple(sorting.dropped), used)


def echonet_lvh_items(dataset_dir: str, part: str, split_file: str | None = None) -> list[Item]:
    """List the videos to ``"train"`` or to ``"validate"`` with, for the bundle's configs: the splits train and val.

    Raises:
        LabelError: a table is missing or of another form.
        ClipError: that part is empty.
        ValueError: no such part.
    """
    split = {"train": "train", "validate": "val", "test": "test"}.get(part)
    if split is None:
        raise ValueError(f"part must be train, validate or test, not {part!r}")
    known = read_echonet_lvh(Path(dataset_dir), Path(split_file) if split_file else None)
    items = [{"image": str(video.path), "points": video.frames} for video in known.of(split)]
    if not items:
        raise ClipError(f"{TABLE} has no usable videos to {part} with:\n{known.report()}")
    return items


def table_rows(
    name: str,
    frame: int,
    points: NDArray[np.floating],
    phase: str,
    facts: Mapping[str, object],
    cm_per_px: float,
) -> Iterator[dict[str, object]]:
    """Give the rows of one frame, as the table of EchoNet-LVH has them.

    Args:
        name: ``HashedFileName``.
        frame: from 0.
        points: ``(4, 2)`` px; callipers with a NaN end are left out.
        phase: ``"d"`` or ``"s"``.
        facts: the columns Frames, FPS, Width, Height and split.
        cm_per_px: scale.
    """
    for segment in SEGMENTS:
        (x1, y1), (x2, y2) = points[segment.end], points[segment.start]
        length = float(np.hypot(x2 - x1, y2 - y1))
        if np.isfinite(length):
            yield {
                "HashedFileName": name, "Calc": f"{segment.name}{phase}", "CalcValue": length * cm_per_px,
                "Frame": frame, "X1": x1, "X2": x2, "Y1": y1, "Y2": y2, **facts,
            }  # fmt: skip


def _sort(table: Path) -> _Sorting:
    sorting = _Sorting()
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise LabelError(
                    f"{table.name} has no column {missing[0]}; give the table of EchoNet-LVH as it came."
                )
            for number, record in enumerate(reader, start=2):
                row = _parse(number, record)
                if isinstance(row, str):
                    sorting.dropped.append(Dropped(record["HashedFileName"] or "", number, row))
                else:
                    sorting.rows[row.file].append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelError(
            f"{table.name} cannot be read; give the folder of EchoNet-LVH as it came."
        ) from error
    return sorting


def _parse(number: int, record: Mapping[str, str]) -> _Row | str:
    """A row, or the reason why it is none."""
    if record["Calc"] not in CALLIPERS:
        return "another measurement"
    try:
        length, x1, y1, x2, y2 = (float(record[key]) for key in ("CalcValue", "X1", "Y1", "X2", "Y2"))
        frame, frames, width, height = (float(record[key]) for key in ("Frame", "Frames", "Width", "Height"))
    except (TypeError, ValueError):
        return "a value is missing or not a number"
    ends = np.array([[x1, y1], [x2, y2]])
    if not np.isfinite([length, *ends.ravel(), frame]).all():
        return "a value is missing or not a number"
    if frame != int(frame) or not 0 <= frame < frames:
        return "the frame is not in the video"
    if (ends < 0).any() or (ends >= (width, height)).any():
        return "an end lies outside of the picture"
    if length <= 0 or not np.ptp(ends, axis=0).any():
        return "the calliper has no length"
    if record["split"] not in SPLITS:
        return "the split is unknown"
    swapped = bool(ends[0, 1] < ends[1, 1])  # the septum is above the posterior wall
    return _Row(
        number, record["HashedFileName"].removesuffix(".avi"), record["Calc"], length, int(frame),
        ends[::-1] if swapped else ends, record["split"], swapped,
    )  # fmt: skip


def _read_splits(path: Path) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
        pairs = [(row["HashedFileName"].removesuffix(".avi"), row["split"].lower()) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, AttributeError) as error:
        raise LabelError(f"{path.name} is not a table with the columns HashedFileName and split.") from error
    splits = dict(pairs)
    twice = next((name for name, split in pairs if splits[name] != split), None)
    if twice:
        raise LabelError(f"{path.name} puts {twice} into two splits; a file may be in one only.")
    return splits


def _unusable(
    name: str, rows: list[_Row], videos: Mapping[str, Path], splits: Mapping[str, str] | None
) -> str | None:
    if name not in videos:
        return "no such video in the batches"
    if splits is not None:
        return None if splits.get(name) in SPLITS else "not in the split file"
    return "in two splits" if len({row.split for row in rows}) > 1 else None


def _assemble(path: Path, rows: list[_Row], split: str) -> tuple[LvhVideo, list[Dropped]]:
    """Put the callipers of one file together."""
    scale = float(np.median([row.cm_per_px for row in rows]))
    kept: dict[tuple[str, int], _Row] = {}
    dropped = []
    for row in rows:
        if abs(row.cm_per_px / scale - 1) > SCALE_TOLERANCE:
            dropped.append(Dropped(path.stem, row.number, "its scale is not that of the file"))
        elif (row.calc, row.frame) in kept:
            dropped.append(Dropped(path.stem, row.number, "measured twice in one frame"))
        else:
            kept[row.calc, row.frame] = row
    marks: dict[int, list[list[NDArray[np.float64]]]] = defaultdict(lambda: [[] for _ in range(4)])
    for row in kept.values():
        for landmark, end in zip(CALLIPERS[row.calc], row.ends, strict=True):
            marks[row.frame][landmark].append(end)
    gaps = [np.linalg.norm(two[1] - two[0]) for four in marks.values() for two in four if len(two) == 2]
    frames = {
        frame: np.array([np.mean(each, axis=0) if each else (np.nan, np.nan) for each in four])
        for frame, four in sorted(marks.items())
    }
    moments = [[row.frame for row in kept.values() if row.calc.endswith(phase)] for phase in "ds"]
    first = [min(frames_of) if frames_of else None for frames_of in moments]
    gap = float(np.mean(gaps)) if gaps else 0.0
    return LvhVideo(path, split, frames, scale, first[0], first[1], gap), dropped
