"""Animated images (GIF, PNG, WebP, multi-page TIFF) and folders of stills, through Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from ..clip import ClipSource
from ..errors import ClipError
from .grey import DOPPLER_WARNING, shows_doppler
from .guard import guarded_source
from .header import make_header, unknown_scale
from .limits import check_size
from .stills import stills
from .timing import Timing, stamped_timing, unknown_timing

_FORMATS = ("GIF", "PNG", "WEBP", "TIFF", "JPEG", "BMP")
_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
_PROBES = (0, 1, 2, 4, 8, 16, 32)
_DELAY_WARNING = (
    "The times are the delays at which the animation is played, not those at which it was acquired: "
    "durations, velocities and the heart rate are not to be trusted."
)


def open_animation(path: Path, source: str) -> ClipSource:
    """Open an animated image; it is decoded once to read the delays, keeping nothing.

    Args:
        path: the file.
        source: its base name.

    Raises:
        ClipError: a still, too large, deeper than 8 bits, or damaged.
    """
    delays_ms: list[float] = []
    coloured = False
    with _opened(path, source) as image:
        kind, (width, height) = image.format or "image", image.size
        check_size(source, getattr(image, "n_frames", 1), height, width)
        for index, page in enumerate(ImageSequence.Iterator(image)):
            # Loading composes the frame; only then is its own delay known.
            page.load()
            delays_ms.append(float(page.info.get("duration") or 0))
            coloured = coloured or (index in _PROBES and shows_doppler(np.asarray(page.convert("RGB"))))
    header = make_header(
        source,
        (len(delays_ms), height, width),
        _delay_timing(delays_ms, kind),
        unknown_scale(f"{kind} images do not hold one"),
        {"format": kind, "colour": coloured},
        (DOPPLER_WARNING,) if coloured else (),
    )
    return guarded_source(header, lambda: _animation_frames(path, source))


def open_folder(path: Path, source: str) -> ClipSource:
    """Open a folder of PNG, JPEG, BMP or TIFF stills as a clip, in the natural order of their names.

    Other files in the folder are left alone. All images must have one size.

    Args:
        path: the folder.
        source: its base name.

    Raises:
        ClipError: fewer than two images in it, too large, or damaged.
    """
    files = stills(path)
    if not files:
        raise ClipError(
            f"{source} is a folder without images; choose a clip, or a folder of PNG or JPEG frames."
        )
    with _opened(files[0], source) as image:
        kind, (width, height) = image.format or "image", image.size
        check_size(source, len(files), height, width)
        coloured = shows_doppler(np.asarray(image.convert("RGB")))
    header = make_header(
        source,
        (len(files), height, width),
        unknown_timing(len(files), "A folder of images has no frame times"),
        unknown_scale("images do not hold one"),
        {"format": f"folder of {kind} images", "colour": coloured},
        (DOPPLER_WARNING,) if coloured else (),
    )
    return guarded_source(header, lambda: (_grey_file(file, source, (width, height)) for file in files))


def _delay_timing(delays_ms: list[float], kind: str) -> Timing:
    """Add up the delays, each of which is the time that its frame is shown."""
    if min(delays_ms) <= 0:
        return unknown_timing(len(delays_ms), f"The {kind} has no delays between its frames")
    stamps = np.concatenate([[0.0], np.cumsum(delays_ms[:-1])]) / 1000
    return stamped_timing(list(stamps), f"{kind} delays", _DELAY_WARNING)


def _animation_frames(path: Path, source: str) -> Iterator[NDArray[np.uint8]]:
    with _opened(path, source) as image:
        for page in ImageSequence.Iterator(image):
            yield np.asarray(page.convert("L"))


def _grey_file(file: Path, source: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode one still of a folder; its size is compared before it is decoded."""
    with _opened(file, source) as image:
        if image.size != size:
            raise ClipError(
                f"The images in {source} differ in size; all frames of a clip must have one size."
            )
        return np.asarray(image.convert("L"))


def _opened(path: Path, source: str) -> Image.Image:
    """Open an image without decoding it.

    Raises:
        ClipError: its pixels are deeper than 8 bits.
    """
    image = Image.open(path, formats=_FORMATS)
    if image.mode not in _EIGHT_BIT_MODES:
        raise ClipError(
            f"{source} holds images deeper than 8 bits, whose grey scale is not known; save as 8-bit."
        )
    return image
