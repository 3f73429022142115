"""Which files of a folder are clips, and what their folders of results are called."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from echo_keypoints.readers.sniff import sniff
from echo_keypoints.results import RESULT_NAME, clip_stem
from echo_keypoints.writers.files import CURVES_NAME, PICTURES

_FRAME_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})


@dataclass(frozen=True)
class FoundClip:
    """A file, or a folder of frames, that looks like a clip.

    Attributes:
        path: relative to the input folder, with ``/``; bytes that are no UTF-8 stand as ``\\xff``.
        folder: of its results, relative to the output folder, with ``/``.
        size: bytes; of a folder the sum over its files.
        mtime_ns: last change; of a folder the latest of its files'.
        name_is_text: False where the path is no UTF-8, which a work-list cannot keep.
    """

    path: str
    folder: str
    size: int
    mtime_ns: int
    name_is_text: bool = True


def find_clips(root: Path, output: Path) -> list[FoundClip]:
    """Look through a folder and all below it; hidden files, results and the output folder are passed over.

    What a file is, its first bytes tell. Two or more stills in one folder (PNG, JPEG, BMP, TIFF) are the frames
    of one clip.

    Args:
        root: input folder.
        output: folder of the results, which may lie within `root`.
    """
    found = sorted(_walk(root, output.resolve()))
    stems = Counter(str(_stem(path.relative_to(root))).casefold() for path in found)
    clips = []
    for path in found:
        relative = path.relative_to(root)
        alone = stems[str(_stem(relative)).casefold()] == 1
        # a.dcm and a.mp4 side by side keep their endings, so that each has a folder of its own.
        folder = _stem(relative) if alone and path.is_file() else relative
        files = [path] if path.is_file() else [item for item in path.iterdir() if item.is_file()]
        stats = [file.stat() for file in files]
        size, changed = sum(s.st_size for s in stats), max(s.st_mtime_ns for s in stats)
        name, place = (
            os.fsencode(p.as_posix()).decode("utf-8", "backslashreplace") for p in (relative, folder)
        )
        clips.append(FoundClip(name, place, size, changed, name == relative.as_posix()))
    return clips


def _stem(path: Path) -> Path:
    return path.with_name(clip_stem(path.name)) if path.name else path  # the input folder itself


def _walk(folder: Path, output: Path) -> Iterator[Path]:
    """Give the clips of a folder and of those below it; what may not be read is passed over."""
    try:
        items = [item for item in folder.iterdir() if not item.name.startswith(".")]
    except OSError:
        return
    files = [item for item in items if item.is_file()]
    if any((folder / name).is_file() for name in (RESULT_NAME, CURVES_NAME)):  # made by analyze or batch
        files = [file for file in files if file.name not in PICTURES]
    frames = {file for file in files if file.suffix.lower() in _FRAME_ENDINGS}
    if len(frames) > 1:
        yield folder
        files = [file for file in files if file not in frames]
    for file in files:
        if _is_clip(file):
            yield file
    for item in items:
        if item.is_dir() and not item.is_symlink() and item.resolve() != output:
            yield from _walk(item, output)


def _is_clip(file: Path) -> bool:
    try:
        return sniff(file) not in ("unknown", "empty", "special")
    except OSError:
        return True  # whatever it is, the work-list says why it cannot be used
