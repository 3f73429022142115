"""Clips as NumPy files: ``.npy`` holds the video, ``.npz`` holds it as `video` with optional facts beside it.

``video`` is uint8 ``(T, H, W)`` or ``(T, H, W, 3)`` RGB; ``fps`` a number; ``mm_per_px`` a number, or
``spacing_mm`` ``(sx, sy)``. Pickled objects are never loaded.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from ..clip import ClipSource
from ..errors import ClipError
from .grey import DOPPLER_WARNING, luma, shows_doppler
from .guard import guarded_source
from .header import Scale, make_header, unknown_scale
from .limits import check_size, plausible_scale
from .timing import Timing, plausible_step, uniform_times, unknown_timing

_FACT_BYTES = 4096
_FACTS = ("fps", "mm_per_px", "spacing_mm")


def open_npy(path: Path, source: str) -> ClipSource:
    """Open a ``.npy`` file that holds a video; see `open_npz` for its form and errors."""
    return _open(lambda: path.open("rb"), source, {})


def open_npz(path: Path, source: str) -> ClipSource:
    """Open a ``.npz`` file; the video is read frame by frame, other arrays are left alone.

    Args:
        path: the file.
        source: its base name.

    Raises:
        ClipError: no `video` of the right form in it, an impossible fps or scale, too large, or damaged.
    """
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if "video.npy" not in names:
            raise ClipError(
                f"{source} is an archive without an array named video; save one with "
                "numpy.savez(path, video=frames, fps=fps, mm_per_px=mm_per_px)."
            )
        if archive.getinfo("video.npy").compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ClipError(
                f"{source} is compressed in a way that NumPy does not use; save it with numpy.savez."
            )
        facts = {name: _fact(archive, name, source) for name in _FACTS if f"{name}.npy" in names}
    return _open(lambda: _video_member(path), source, facts)


def _open(
    start: Callable[[], AbstractContextManager[IO[bytes]]], source: str, facts: dict[str, NDArray[np.float64]]
) -> ClipSource:
    with start() as stream:
        shape = _video_shape(stream, source)
        coloured = shows_doppler(_next_frame(stream, shape[1:]))
    frame_count, height, width = shape[:3]

    def decode() -> Iterator[NDArray[np.uint8]]:
        with start() as stream:
            _video_shape(stream, source)
            for _ in range(frame_count):
                yield luma(_next_frame(stream, shape[1:]))

    header = make_header(
        source,
        (frame_count, height, width),
        _timing(facts, frame_count, source),
        _scale(facts, source),
        {"format": "NumPy", "colour": coloured},
        (DOPPLER_WARNING,) if coloured else (),
    )
    return guarded_source(header, decode)


@contextmanager
def _video_member(path: Path) -> Iterator[IO[bytes]]:
    """Open the video of an archive."""
    with zipfile.ZipFile(path) as archive, archive.open("video.npy") as stream:
        yield stream


def _video_shape(stream: IO[bytes], source: str) -> tuple[int, ...]:
    """Read the header of an array and leave the stream at its first frame.

    Raises:
        ClipError: not a uint8 video in C order, or out of bounds.
    """
    version = npy_format.read_magic(stream)
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, fortran_order, dtype = read(stream)
    colour = len(shape) == 4 and shape[3] == 3
    if dtype != np.uint8 or not (len(shape) == 3 or colour) or fortran_order:
        raise ClipError(
            f"{source} holds {dtype} of shape {shape}{' in Fortran order' if fortran_order else ''}, "
            "and a video must be uint8 of shape (T, H, W) or (T, H, W, 3) in C order."
        )
    check_size(source, *shape[:3])
    return tuple(shape)


def _next_frame(stream: IO[bytes], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    count = int(np.prod(shape))
    data = stream.read(count)
    if len(data) < count:
        raise EOFError("the array is cut short")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _fact(archive: zipfile.ZipFile, name: str, source: str) -> NDArray[np.float64]:
    """Load one small array of an archive as floats.

    Raises:
        ClipError: it is not one or two numbers.
    """
    with archive.open(f"{name}.npy") as stream:
        if archive.getinfo(f"{name}.npy").file_size <= _FACT_BYTES:
            values = npy_format.read_array(stream, allow_pickle=False)
            if values.size in (1, 2) and values.dtype.kind in "iuf":
                return values.astype(np.float64).reshape(-1)
    raise ClipError(f"The array {name} in {source} must be one number{' or two' if name != 'fps' else ''}.")


def _timing(facts: dict[str, NDArray[np.float64]], frame_count: int, source: str) -> Timing:
    if "fps" not in facts:
        return unknown_timing(frame_count, "The file has no fps")
    rate = float(facts["fps"][0])
    if not (rate > 0 and plausible_step(1 / rate)):
        raise ClipError(
            f"The fps in {source} is {rate:g}, which no echo clip has; store frames a second, 1 to 1000."
        )
    return Timing(uniform_times(frame_count, 1 / rate), "fps")


def _scale(facts: dict[str, NDArray[np.float64]], source: str) -> Scale:
    name = next((name for name in ("spacing_mm", "mm_per_px") if name in facts), None)
    if name is None:
        return unknown_scale("the file has neither mm_per_px nor spacing_mm")
    spacing = (float(facts[name][0]), float(facts[name][-1]))
    if not plausible_scale(spacing):
        raise ClipError(
            f"The {name} in {source} is not a scale of an ultrasound image; store mm per pixel, 0.01 to 2."
        )
    return Scale(spacing, name)
