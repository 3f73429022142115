"""A user's folder of clips: which files are clips, and which of them are kept for validation."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from echo_keypoints.data.points import find_labels
from echo_keypoints.data.splits import check_apart
from echo_keypoints.errors import ClipError
from echo_keypoints.readers import open_clip
from echo_keypoints.results import RESULT_NAME

logger = logging.getLogger(__name__)

Item = dict[str, Any]
"""``{"image": path of a clip}``, with ``"label"``, path of its landmarks, or ``"points"``, the landmarks themselves
(`points.Labels`), if it has any: MONAI's form."""

_NOT_CLIPS = {".json", ".csv", ".txt", ".md", ".pt", ".lock"}
_STILLS = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}


def find_clips(path: str | None) -> list[Item]:
    """List the clips at a path, at any depth.

    Files that cannot be read are passed over with a warning; so are folders that hold our results.

    Args:
        path: a folder of clips, or a single clip; None for none.

    Raises:
        ClipError: there is no such file or folder.
    """
    if not path:
        return []
    root = Path(path)
    if not root.exists():
        raise ClipError(f"{root.name} does not exist; give a clip or a folder of clips as dataset_dir.")
    if root.is_file() or _is_still_sequence(root):
        return [_item(root)]
    return [_item(clip) for clip in clip_files(root) if _readable(clip)]


def clip_files(folder: Path) -> list[Path]:
    """List files that may be clips, and folders of stills, in the order of their names; none is opened.

    Args:
        folder: searched at any depth, but for labels, results and hidden files. Links to folders are not followed:
            one that leads back would make a clip many.
    """
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if not may_be_clip(path.name) or (path.is_symlink() and path.is_dir()):
            continue
        if not path.is_dir() or _is_still_sequence(path):
            found.append(path)
        elif path.name != "labels" and not (path / RESULT_NAME).is_file():
            found.extend(clip_files(path))
    return found


def may_be_clip(name: str) -> bool:
    """Tell by its name whether a file may be a clip: not hidden, and no ending of labels, notes or weights."""
    return not name.startswith(".") and Path(name).suffix.lower() not in _NOT_CLIPS


def clip_items(dataset_dir: str | None, part: str, validation_share: float = 0.2) -> list[Item] | None:
    """List the clips of a folder that belong to one part of the data.

    The parts are split by patient if each patient has a subfolder, else by clip, and a file stays in its part
    when others are added.

    Args:
        dataset_dir: the folder, or None for training on the phantom.
        part: ``"train"`` or ``"validate"``.
        validation_share: share of the patients (or clips) that are kept for validation.

    Returns:
        None without a folder.

    Raises:
        ClipError: the folder is missing, a part is empty, or the same clip is in both (`LeakError`).
        ValueError: no such part.
    """
    if part not in ("train", "validate"):
        raise ValueError(f"part must be train or validate, not {part!r}")
    if not dataset_dir:
        return None
    root = Path(dataset_dir)
    parts: dict[str, list[Item]] = {"train": [], "validate": []}
    for item in find_clips(dataset_dir):
        held_out = _held_out(_patient(Path(item["image"]), root), validation_share)
        parts["validate" if held_out else "train"].append(item)
    check_apart(
        {name: [Path(item["image"]) for item in found] for name, found in parts.items()},
        lambda clip: _patient(clip, root),
    )
    items = parts[part]
    if not items:
        raise ClipError(f"{root.name} has no clips to {part} with: add some, or change validation_share.")
    return items


def labelled(items: Sequence[Mapping[str, Any]]) -> list[Item]:
    """Keep the clips that have labels.

    Raises:
        ClipError: none has.
    """
    kept = [dict(item) for item in items if item.get("label") or item.get("points")]
    if not kept:
        raise ClipError(
            "None of the clips has landmarks: put clip.json or clip.csv beside clip.dcm (see docs/README.md)."
        )
    return kept


def _patient(clip: Path, root: Path) -> str:
    """Name that decides on the part of a clip: the first subfolder, else the file."""
    return clip.relative_to(root).parts[0] if clip != root else clip.name


def _held_out(name: str, share: float) -> bool:
    """Tell by a hash of the patient's name: independent of the order, and of the other files."""
    return zlib.crc32(name.encode()) / 2**32 < share


def _is_still_sequence(folder: Path) -> bool:
    """Tell whether a folder holds nothing but pictures, at least two: the frames of one clip."""
    files = [file for file in folder.iterdir() if not file.name.startswith(".")] if folder.is_dir() else []
    stills = [file for file in files if file.suffix.lower() in _STILLS]
    return len(stills) > 1 and all(file in stills or file.suffix.lower() in _NOT_CLIPS for file in files)


def _readable(path: Path) -> bool:
    try:
        open_clip(path)
    except ClipError as error:
        logger.warning("Passed over: %s", error)
        return False
    return True


def _item(path: Path) -> Item:
    label = find_labels(path)
    return {"image": str(path)} | ({"label": str(label)} if label else {})
