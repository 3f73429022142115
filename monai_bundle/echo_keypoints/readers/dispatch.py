"""`open_clip` and `read_clip`: any clip, by what the file is and not by what it is called."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..clip import Clip, ClipSource
from ..errors import ClipError
from .guard import display_name, guarded
from .limits import MAX_CLIP_BYTES
from .sniff import sniff


def open_clip(path: str | os.PathLike[str]) -> ClipSource:
    """Open a clip: header first, size bounded before any pixel is decoded, then frame by frame.

    DICOM ultrasound cines, AVI, MP4, MOV and other videos, GIF and other animations, folders of stills,
    ``.npy`` and ``.npz``, NRRD and MetaImage sequences. Colour becomes Rec. 601 luma.

    Args:
        path: the file or folder.

    Returns:
        The source; each call of its ``frames`` is a fresh pass, which raises `ClipError` at a damaged frame.

    Raises:
        ClipError: the file cannot be used as a clip; one sentence says why.
    """
    file = Path(path)
    source = display_name(file)
    with guarded(source):
        kind = sniff(file)
        if kind == "dicom":
            from .dicom import open_dicom

            return open_dicom(file, source)
        if kind.startswith("video:"):
            from .video import open_video

            return open_video(file, source, kind.removeprefix("video:"))
        if kind in ("image", "folder"):
            from .images import open_animation, open_folder

            return open_animation(file, source) if kind == "image" else open_folder(file, source)
        if kind in ("npy", "npz"):
            from .arrays import open_npy, open_npz

            return open_npy(file, source) if kind == "npy" else open_npz(file, source)
        if kind == "sequence":
            from .sequences import open_sequence

            return open_sequence(file, source)
    if kind == "empty":
        raise ClipError(f"{source} is empty; copy it again.")
    raise ClipError(
        f"{source} is not a clip in a known format; use DICOM, AVI, MP4, MOV, GIF, NPZ, NRRD, MHA or a "
        "folder of images."
    )


def read_clip(path: str | os.PathLike[str]) -> Clip:
    """Read a clip into memory; see `open_clip` for the formats.

    Args:
        path: the file or folder.

    Returns:
        The clip, its pixels ``(T, H, W)`` uint8 grey.

    Raises:
        ClipError: the file cannot be used, or its grey pixels exceed `limits.MAX_CLIP_BYTES` (1 GiB).
    """
    opened = open_clip(path)
    header = opened.header
    shape = (header.frame_count, header.height, header.width)
    size = shape[0] * shape[1] * shape[2]
    if size > MAX_CLIP_BYTES:
        raise ClipError(
            f"{header.source} takes {size / 2**30:.1f} GiB in memory, more than the limit of "
            f"{MAX_CLIP_BYTES // 2**30} GiB; open it frame by frame, or save a shorter clip."
        )
    with guarded(header.source):
        pixels = np.empty(shape, np.uint8)
    for index, frame in enumerate(opened.frames()):
        pixels[index] = frame
    return Clip(header, pixels)
