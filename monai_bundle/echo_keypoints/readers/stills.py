"""Which files of a folder are the frames of a clip, and in which order."""

from __future__ import annotations

import re
from pathlib import Path

from .sniff import HEAD_BYTES, sniff_bytes


def stills(folder: Path) -> list[Path]:
    """Give the images in a folder, in the natural order of their names (frame2 before frame10).

    Raises:
        OSError: the folder or a file in it cannot be read.
    """
    return sorted(filter(_is_still, folder.iterdir()), key=_natural_key)


def _is_still(path: Path) -> bool:
    if path.name.startswith(".") or not path.is_file():
        return False
    with path.open("rb") as stream:
        return sniff_bytes(stream.read(HEAD_BYTES)) == "image"


def _natural_key(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]
