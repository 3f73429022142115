"""A user's folder of clips: which files are clips, and which of them are kept for validation."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from echo_keypoints.data.points import find_labels
from echo_keypoints.errors import ClipError
from echo_keypoints.readers import open_clip

logger = logging.getLogger(__name__)

Item = dict[str, str]
"""``{"image": path of a clip}`` and, if there is one, ``"label"``: path of its landmarks. MONAI's usual form."""

_NOT_CLIPS = {".json", ".csv", ".txt", ".md", ".pt", ".lock"}
_STILLS = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}


def clip_items(dataset_dir: str | None, part: str, validation_share: float = 0.2) -> list[Item] | None:
    """List the clips of a folder, at any depth, that belong to one part of the data.

    The parts are split by patient if each patient has a subfolder, else by clip, and a file stays in its part when
    others are added. Files that cannot be read are passed over with a warning.

    Args:
        dataset_dir: the folder, or None for training on the phantom.
        part: ``"train"`` or ``"validate"``.
        validation_share: share of the patients (or clips) that are kept for validation.

    Returns:
        None without a folder.

    Raises:
        ClipError: the folder is missing, or a part is empty.
        ValueError: no such part.
    """
    if part not in ("train", "validate"):
        raise ValueError(f"part must be train or validate, not {part!r}")
    if not dataset_dir:
        return None
    root = Path(dataset_dir)
    if not root.is_dir():
        raise ClipError(f"{root.name} is not a folder; give the folder that holds your clips as dataset_dir.")
    chosen = [
        path
        for path in _candidates(root)
        if _held_out(path.relative_to(root).parts[0], validation_share) == (part == "validate")
    ]
    items = [_item(path) for path in chosen if _readable(path)]
    if not items:
        raise ClipError(
            f"{root.name} has no clips to {part} with; add clips, or change validation_share ({validation_share})."
        )
    return items


def labelled(items: Sequence[Mapping[str, str]]) -> list[Item]:
    """Keep the clips that have labels.

    Raises:
        ClipError: none has.
    """
    kept = [dict(item) for item in items if item.get("label")]
    if not kept:
        raise ClipError(
            "None of the clips has landmarks: put clip.json or clip.csv beside clip.dcm (see the bundle's README)."
        )
    return kept


def _held_out(name: str, share: float) -> bool:
    """Tell by a hash of the patient's name: independent of the order, and of the other files."""
    return zlib.crc32(name.encode()) / 2**32 < share


def _candidates(folder: Path) -> list[Path]:
    """Files that may be clips, and folders of stills, in the order of their names."""
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name == "labels" or path.suffix.lower() in _NOT_CLIPS:
            continue
        if not path.is_dir():
            found.append(path)
        elif sum(file.suffix.lower() in _STILLS for file in path.iterdir()) > 1:
            found.append(path)
        else:
            found.extend(_candidates(path))
    return found


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
