"""Which files of a folder are clips, and what their folders of results are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from echo_keypoints.readers.sniff import sniff

_FRAME_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})


@dataclass(frozen=True)
class FoundClip:
    """A file, or a folder of frames, that looks like a clip.

    Attributes:
        path: relative to the input folder, with ``/``.
        folder: of its results, relative to the output folder, with ``/``.
        size: bytes; of a folder the sum over its files.
        mtime_ns: last change; of a folder the latest of its files'.
    """

    path: str
    folder: str
    size: int
    mtime_ns: int


def find_clips(root: Path, output: Path) -> list[FoundClip]:
    """Look through a folder and all below it; hidden files and the output folder are passed over.

    What a file is, its first bytes tell. Two or more stills in one folder (PNG, JPEG, BMP, TIFF) are the frames
    of one clip.

    Args:
        root: input folder.
        output: folder of the results, which may lie within `root`.
    """
    found = sorted(_walk(root, output.resolve()))
    stems = Counter(str(path.relative_to(root).with_suffix("")).casefold() for path in found)
    clips = []
    for path in found:
        relative = path.relative_to(root)
        alone = stems[str(relative.with_suffix("")).casefold()] == 1
        # a.dcm and a.mp4 side by side keep their endings, so that each has a folder of its own.
        folder = relative.with_suffix("") if alone and path.is_file() else relative
        files = [path] if path.is_file() else [item for item in path.iterdir() if item.is_file()]
        stats = [file.stat() for file in files]
        size, changed = sum(s.st_size for s in stats), max(s.st_mtime_ns for s in stats)
        clips.append(FoundClip(relative.as_posix(), folder.as_posix(), size, changed))
    return clips


def _walk(folder: Path, output: Path) -> Iterator[Path]:
    """Give the clips of a folder and of those below it; what may not be read is passed over."""
    try:
        items = [item for item in folder.iterdir() if not item.name.startswith(".")]
    except OSError:
        return
    files = [item for item in items if item.is_file()]
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
