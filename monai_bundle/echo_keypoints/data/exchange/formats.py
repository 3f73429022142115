"""The formats of `echo-keypoints convert`: from any of them to any other."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

from echo_keypoints.data.echonet_lvh import COLUMNS, TABLE, read_echonet_lvh, table_rows
from echo_keypoints.data.exchange.slicer import read_slicer, write_slicer
from echo_keypoints.data.exchange.unity import read_unity, write_unity
from echo_keypoints.data.folders import find_clips
from echo_keypoints.data.marks import Marks, read_marks, write_marks
from echo_keypoints.data.points import LabelError
from echo_keypoints.readers import open_clip
from echo_keypoints.results.files import atomic_path

Clips = dict[str, Marks]
"""Name of the clip, without folder and ending → its landmarks."""

FORMATS = ("json", "csv", "unity", "slicer", "echonet-lvh")


def recognise(source: Path) -> str:
    """Tell the format of what was given.

    Raises:
        LabelError: it is none of `FORMATS`.
    """
    if (source / TABLE).is_file():
        return "echonet-lvh"
    if source.is_dir():
        endings = (("slicer", ".mrk.json"), ("json", ".json"), ("csv", ".csv"))
        found = next((name for name, ending in endings if any(source.glob(f"*{ending}"))), None)
    elif source.name.endswith(".mrk.json"):
        found = "slicer"
    else:
        found = {".csv": "csv", ".json": "json"}.get(source.suffix.lower())
    if found is None:
        raise LabelError(f"{source.name} holds no landmarks in a known format: {', '.join(FORMATS)}.")
    return "unity" if found == "json" and source.is_file() and _is_unity(source) else found


def read_clips(source: Path, form: str, spacing_mm: tuple[float, float] | None = None) -> Clips:
    """Read the landmarks of all clips.

    Args:
        source: a file, or a folder of files of that format; for EchoNet-LVH its folder.
        form: of `FORMATS`.
        spacing_mm: for Slicer's millimetres.

    Raises:
        LabelError: the files are damaged, or there are none.
    """
    if form == "echonet-lvh":
        clips = {
            video.path.stem: Marks(
                video.frames, (10 * video.cm_per_px,) * 2, video.end_diastole, video.end_systole
            )
            for video in read_echonet_lvh(source).videos
        }
    elif form == "unity":
        clips = read_unity(source)
    elif form == "slicer":
        clips = read_slicer(_files(source, ".mrk.json"), spacing_mm)
    else:
        clips = {path.stem: read_marks(path) for path in _files(source, f".{form}")}
    if not clips:
        raise LabelError(f"{source.name} holds no landmarks.")
    return clips


def write_clips(clips: Clips, target: Path, form: str, videos: Path | None = None) -> None:
    """Write the landmarks of all clips.

    Args:
        clips: to write.
        target: a folder, or for Unity Imaging a file.
        form: of `FORMATS`.
        videos: the clips themselves, for EchoNet-LVH, whose table tells their sizes.

    Raises:
        LabelError: EchoNet-LVH cannot hold them: no scale, no moments, or no clip.
        OSError: the target cannot be written to.
    """
    writers: Mapping[str, Callable[[Clips, Path], None]] = {"unity": write_unity, "slicer": write_slicer}
    if form in writers:
        writers[form](clips, target)
    elif form == "echonet-lvh":
        _write_table(clips, target, videos)
    else:
        target.mkdir(parents=True, exist_ok=True)
        for name, marks in clips.items():
            write_marks(marks, target / f"{name}.{form}")


def _write_table(clips: Clips, folder: Path, videos: Path | None) -> None:
    known = {
        Path(item["image"]).stem: Path(item["image"]) for item in find_clips(str(videos) if videos else None)
    }
    rows: list[dict[str, object]] = []
    for name, marks in sorted(clips.items()):
        if name not in known:
            raise LabelError(
                f"The clip of {name} is needed for the table of EchoNet-LVH; give its folder as --clips."
            )
        header = open_clip(known[name]).header
        spacing = marks.spacing_mm or header.spacing_mm
        moments = {marks.ed_frame: "d", marks.es_frame: "s"}
        if spacing is None or spacing[0] != spacing[1] or not set(moments) & set(marks.frames):
            raise LabelError(
                f"{name} does not fit into the table of EchoNet-LVH: it needs a scale with square pixels, and "
                "landmarks at ed_frame or es_frame."
            )
        step = header.frame_times_s[-1] / max(1, header.frame_count - 1)
        facts = {
            "Frames": header.frame_count, "FPS": round(1 / step, 3) if step > 0 else 0, "Width": header.width,
            "Height": header.height, "split": "test",
        }  # fmt: skip
        for frame, phase in moments.items():
            if frame in marks.frames and frame is not None:
                rows += table_rows(name, frame, marks.frames[frame], phase, facts, spacing[0] / 10)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / TABLE) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["", *COLUMNS])
        writer.writeheader()
        writer.writerows({"": number, **row} for number, row in enumerate(rows))


def _files(source: Path, ending: str) -> list[Path]:
    if source.is_file():
        return [source]
    return sorted(
        path for path in source.glob(f"*{ending}") if ending == ".mrk.json" or ".mrk" not in path.suffixes
    )


def _is_unity(path: Path) -> bool:
    try:
        return bool(read_unity(path))
    except LabelError:
        return False
