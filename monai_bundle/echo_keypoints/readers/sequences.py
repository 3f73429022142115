"""Image sequences as NRRD (3D Slicer's .seq.nrrd too) and MetaImage files (MHA, MHD)."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..clip import ClipSource
from ..errors import ClipError
from .grey import DOPPLER_WARNING, luma, shows_doppler
from .guard import guarded_source
from .header import Scale, make_header, unknown_scale
from .limits import check_size, check_whole_file, plausible_scale
from .sequence_header import SequenceHeader, read_sequence_header
from .timing import Timing, stamped_timing, unknown_timing

_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32
_CHUNK = 2**16


def open_sequence(path: Path, source: str) -> ClipSource:
    """Open a NRRD or MetaImage sequence of 8-bit grey or RGB images.

    Files whose frames lie one after another are read frame by frame; those of 3D Slicer, which interleave all
    frames pixel by pixel, are held in memory within `limits.MAX_WHOLE_FILE_BYTES` while they are read.

    Args:
        path: the file, or the header of a pair of files.
        source: its base name.

    Raises:
        ClipError: not 8-bit, not 2-D and time, too large, or damaged.
    """
    with path.open("rb") as stream:
        layout = read_sequence_header(stream, source)
    if layout.data_file and Path(layout.data_file).name != layout.data_file:
        raise ClipError(
            f"{source} keeps its pixels in another folder, which is not read; save it as one file."
        )
    shape = tuple(layout.sizes[axis] for axis in (layout.frame_axis, layout.row_axis, layout.column_axis))
    check_size(source, *shape)
    if not _is_sequential(layout):
        check_whole_file(source, math.prod(layout.sizes))
    data_path = path.with_name(layout.data_file) if layout.data_file else path
    if not data_path.is_file():
        raise ClipError(
            f"{source} keeps its pixels in a second file, which is not beside it; copy both files."
        )
    first = next(_pictures(data_path, layout))
    coloured = shows_doppler(first)
    header = make_header(
        source,
        (shape[0], shape[1], shape[2]),
        _timing(layout, shape[0]),
        _scale(layout),
        {"format": "NRRD or MetaImage", "colour": coloured},
        (DOPPLER_WARNING,) if coloured else (),
    )
    return guarded_source(header, lambda: (luma(picture) for picture in _pictures(data_path, layout)))


def _is_sequential(layout: SequenceHeader) -> bool:
    """Tell whether the frames lie one after another."""
    return layout.frame_axis == len(layout.sizes) - 1


def _pictures(path: Path, layout: SequenceHeader) -> Iterator[NDArray[np.uint8]]:
    """Give each frame as ``(H, W)`` grey or ``(H, W, 3)`` RGB uint8."""
    size = math.prod(layout.sizes)
    frame_count = layout.sizes[layout.frame_axis]
    block_size = size // frame_count if _is_sequential(layout) else size
    axes = [layout.frame_axis, layout.row_axis, layout.column_axis]
    axes += [] if layout.channel_axis is None else [layout.channel_axis]
    for block in _blocks(path, layout, block_size, size // block_size):
        frames_here = 1 if _is_sequential(layout) else frame_count
        sizes = [
            frames_here if axis == layout.frame_axis else count for axis, count in enumerate(layout.sizes)
        ]
        # NumPy's first axis is the slowest. Axes that are left over have length 1.
        values = np.frombuffer(block, np.uint8).reshape(sizes[::-1])
        order = [len(sizes) - 1 - axis for axis in axes]
        order += [axis for axis in range(len(sizes)) if axis not in order]
        pictures = values.transpose(order).reshape([sizes[axis] for axis in axes])
        for picture in pictures:
            single = picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
            yield np.ascontiguousarray(single[..., :3] if single.ndim == 3 else single)


def _blocks(path: Path, layout: SequenceHeader, size: int, count: int) -> Iterator[bytes]:
    """Read, and inflate within that size, `count` blocks of `size` bytes.

    Raises:
        EOFError: the file is cut short.
    """
    with path.open("rb") as stream:
        stream.seek(layout.offset)
        inflater = zlib.decompressobj(_ZLIB_OR_GZIP) if layout.compressed else None
        pending = b""
        for _ in range(count):
            if inflater is None:
                block = stream.read(size)
            else:
                parts, missing = [], size
                while missing and (pending or (pending := stream.read(_CHUNK))):
                    part = inflater.decompress(pending, missing)
                    pending = inflater.unconsumed_tail
                    if inflater.eof:  # a gzip file may go on with another member
                        pending, inflater = inflater.unused_data, zlib.decompressobj(_ZLIB_OR_GZIP)
                    parts.append(part)
                    missing -= len(part)
                block = b"".join(parts)
            if len(block) < size:
                raise EOFError("the pixels are cut short")
            yield block


def _timing(layout: SequenceHeader, frame_count: int) -> Timing:
    if not layout.stamps_s:
        return unknown_timing(frame_count, "The file has no frame times")
    return stamped_timing(layout.stamps_s, "sequence time stamps")


def _scale(layout: SequenceHeader) -> Scale:
    """Use the spacing unless it is 1, which these formats write where none is known."""
    if layout.spacing_mm is None:
        return unknown_scale("the file has no pixel spacing in mm")
    if layout.spacing_mm == (1.0, 1.0):
        return unknown_scale("a spacing of 1 is what the format writes where none is known")
    if not plausible_scale(layout.spacing_mm):
        return unknown_scale("the pixel spacing in the file is not that of an ultrasound image")
    return Scale(layout.spacing_mm, "pixel spacing of the file")
