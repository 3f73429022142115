"""How large a clip may be: checked against the file's header before any pixel is decoded."""

from __future__ import annotations

from ..errors import ClipError

MIN_FRAMES = 2
MAX_FRAMES = 200_000
MIN_SIDE = 32
MAX_FRAME_PIXELS = 2**24
"""4096 x 4096: more than any ultrasound screen."""

MAX_CLIP_BYTES = 2**30
"""What `read_clip` may hold in memory, in bytes of uint8 grey (1 GiB). `open_clip` has no such bound."""

MAX_WHOLE_FILE_BYTES = 2**29
"""Bound for what can only be loaded whole: deflated DICOM, MPEG in DICOM, interleaved NRRD."""

MM_PER_PX_RANGE = (0.01, 2.0)
"""Scales outside these are not ultrasound: 0.001 to 0.2 cm a pixel."""


def check_size(source: str, frame_count: int, height: int, width: int) -> None:
    """Refuse a clip whose header promises too little or too much.

    Args:
        source: base name of the file.
        frame_count: number of frames.
        height: rows of a frame in pixels.
        width: columns of a frame in pixels.

    Raises:
        ClipError: a still, a frame too small to hold a heart, or sizes beyond the limits of this module.
    """
    if frame_count < MIN_FRAMES:
        raise ClipError(
            f"{source} holds {'one still image' if frame_count == 1 else 'no image'}, and tracking needs a "
            f"cine loop of at least {MIN_FRAMES} frames; choose the moving clip."
        )
    if min(height, width) < MIN_SIDE:
        raise ClipError(
            f"{source} has frames of {width} x {height} pixels, too small to hold a heart; "
            f"both sides must be at least {MIN_SIDE} pixels."
        )
    if frame_count > MAX_FRAMES or height * width > MAX_FRAME_PIXELS:
        raise ClipError(
            f"{source} claims {frame_count} frames of {width} x {height} pixels, more than this software "
            f"reads ({MAX_FRAMES} frames of {MAX_FRAME_PIXELS} pixels); the file is damaged or not an "
            "ultrasound clip."
        )


def check_whole_file(source: str, byte_count: int) -> None:
    """Refuse to load a file whole when that would take more than `MAX_WHOLE_FILE_BYTES`.

    Raises:
        ClipError: too many bytes.
    """
    if byte_count > MAX_WHOLE_FILE_BYTES:
        raise ClipError(
            f"{source} would need {byte_count / 2**20:.0f} MiB of memory to be read, more than the limit of "
            f"{MAX_WHOLE_FILE_BYTES // 2**20} MiB for its format; save a shorter clip, or use DICOM or MP4."
        )


def plausible_scale(spacing_mm: tuple[float, float]) -> bool:
    """Tell whether both ``(sx, sy)``, in mm per pixel, are those of an ultrasound image; NaN is not."""
    low, high = MM_PER_PX_RANGE
    return all(low <= value <= high for value in spacing_mm)
