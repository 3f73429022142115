"""The text headers of NRRD and MetaImage files, read into one description of an image sequence.

NRRD: teem.sourceforge.net/nrrd/format.html, with 3D Slicer's and PLUS's own fields for time. MetaImage: ITK's
MetaIO. Both are parsed here and not by ITK, because ITK does not open the grey sequences that Slicer writes
as images, drops the time stamps, and takes a gigabyte to install.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import ClipError

MAX_HEADER_BYTES = 2**24
"""PLUS writes several lines a frame; 16 MiB hold tens of thousands of frames."""

_BYTE_TYPES = ("uchar", "unsigned char", "uint8", "uint8_t", "met_uchar")
_SECONDS = {"s": 1.0, "sec": 1.0, "ms": 0.001}
_FRAME_KINDS = ("list", "time")
_SPACE_KINDS = ("domain", "space", "none", "???")


@dataclass(frozen=True)
class SequenceHeader:
    """How an image sequence lies in its file.

    Attributes:
        sizes: lengths of the axes, the fastest first.
        frame_axis, row_axis, column_axis: which of them counts frames, rows and columns.
        channel_axis: which of them counts colours, or None.
        compressed: whether the pixels are a zlib or gzip stream.
        data_file: name of the file beside this one that holds the pixels; empty where they follow the header.
        offset: where they start in it.
        spacing_mm: ``(sx, sy)``, or None where the file has none.
        stamps_s: a time stamp a frame in seconds; empty where the file has none.
    """

    sizes: tuple[int, ...]
    frame_axis: int
    row_axis: int
    column_axis: int
    channel_axis: int | None
    compressed: bool
    data_file: str
    offset: int
    spacing_mm: tuple[float, float] | None
    stamps_s: tuple[float, ...]


def read_sequence_header(stream: BinaryIO, source: str) -> SequenceHeader:
    """Read the header of a NRRD or MetaImage file.

    Args:
        stream: the file, at its start.
        source: its base name, for messages.

    Raises:
        ClipError: not 8-bit, not a sequence of 2-D images, or of a layout that is not read.
        KeyError, ValueError, IndexError: the header is damaged.
    """
    if stream.read(4) == b"NRRD":
        return _from_nrrd(_nrrd_fields(stream), stream.tell(), source)
    stream.seek(0)
    return _from_meta(_meta_fields(stream), stream.tell(), source)


def _lines(stream: BinaryIO) -> Iterator[str]:
    """Give the header's lines without their ends.

    Raises:
        ValueError: no end of the header within its bound.
    """
    while stream.tell() < MAX_HEADER_BYTES and (line := stream.readline(MAX_HEADER_BYTES)):
        yield line.decode("latin-1").rstrip("\r\n")
    raise ValueError("the header has no end")


def _nrrd_fields(stream: BinaryIO) -> dict[str, str]:
    """Read ``key: value`` and ``key:=value`` lines up to the empty line; keys become lower case."""
    fields: dict[str, str] = {}
    for line in _lines(stream):
        if not line:
            break
        if match := re.match(r"([^#:][^:]*):[= ](.*)", line):
            fields[match[1].strip().lower()] = match[2].strip()
    return fields


def _meta_fields(stream: BinaryIO) -> dict[str, str]:
    """Read ``Key = value`` lines up to ElementDataFile, which ends the header; keys become lower case."""
    fields: dict[str, str] = {}
    for line in _lines(stream):
        key, _, value = line.partition("=")
        fields[key.strip().lower()] = value.strip()
        if "elementdatafile" in fields:
            break
    return fields


def _from_nrrd(fields: dict[str, str], end: int, source: str) -> SequenceHeader:
    sizes = _integers(fields["sizes"])
    kinds = fields.get("kinds", "domain " * len(sizes)).lower().split()
    encoding = fields["encoding"].lower()
    if encoding not in ("raw", "gzip", "gz"):
        raise ClipError(f"{source} is NRRD with {encoding[:12]} encoding; save it with raw or gzip encoding.")
    if any(fields.get(key, "0") != "0" for key in ("line skip", "byte skip", "lineskip", "byteskip")):
        raise ClipError(
            f"{source} skips bytes before its pixels, which is not read; save it as one NRRD file."
        )
    spatial = [axis for axis, kind in enumerate(kinds) if kind in _SPACE_KINDS]
    frames = [axis for axis, kind in enumerate(kinds) if kind in _FRAME_KINDS] or _last_long(sizes, spatial)
    channels = [axis for axis in range(len(sizes)) if axis not in (*spatial, *frames)]
    spatial = [axis for axis in spatial if axis not in frames]
    _check(fields["type"], sizes, (frames, spatial, channels), source)
    return SequenceHeader(
        sizes,
        frames[0],
        spatial[1],
        spatial[0],
        channels[0] if channels else None,
        encoding != "raw",
        fields.get("data file", fields.get("datafile", "")),
        end if "data file" not in fields and "datafile" not in fields else 0,
        _nrrd_spacing(fields, spatial),
        _nrrd_stamps(fields, frames[0], sizes[frames[0]]),
    )


def _from_meta(fields: dict[str, str], end: int, source: str) -> SequenceHeader:
    sizes = _integers(fields["dimsize"])
    channel_count = int(fields.get("elementnumberofchannels", 1))
    if channel_count > 1:
        sizes = (channel_count, *sizes)
    spatial = list(range(len(sizes)))[channel_count > 1 :]
    frames = _last_long(sizes, spatial)
    spatial = [axis for axis in spatial if axis not in frames]
    channels = [0] if channel_count > 1 else []
    _check(fields["elementtype"], sizes, (frames, spatial, channels), source)
    if fields.get("headersize", "0") != "0":
        raise ClipError(
            f"{source} skips bytes before its pixels, which is not read; save it as one MHA file."
        )
    if fields.get("binarydata", "true").lower() == "false":
        raise ClipError(f"{source} holds its pixels as text; save it as binary.")
    steps = [float(value) for value in fields.get("elementspacing", "").split()[:2]]
    local = fields["elementdatafile"].upper() == "LOCAL"
    return SequenceHeader(
        sizes,
        frames[0],
        spatial[1],
        spatial[0],
        channels[0] if channels else None,
        fields.get("compresseddata", "").lower() == "true",
        "" if local else fields["elementdatafile"],
        end if local else 0,
        (steps[0], steps[1]) if len(steps) == 2 else None,
        _plus_stamps(fields, sizes[frames[0]]),
    )


def _last_long(sizes: Sequence[int], spatial: Sequence[int]) -> list[int]:
    """Take the last spatial axis beyond the second that is longer than 1 as that of the frames."""
    return [axis for axis in spatial[2:] if sizes[axis] > 1][-1:]


def _check(
    pixel_type: str, sizes: Sequence[int], axes: tuple[list[int], list[int], list[int]], source: str
) -> None:
    """Refuse what is not a sequence of 2-D images of bytes.

    Raises:
        ClipError: deeper pixels, a volume a frame, a still, or an unknown kind of axis.
    """
    frames, spatial, channels = axes
    if pixel_type.lower() not in _BYTE_TYPES:
        raise ClipError(
            f"{source} holds pixels that are not 8-bit, whose grey scale is not known; save as 8-bit."
        )
    if len(spatial) < 2 or any(sizes[axis] != 1 for axis in spatial[2:]) or min(sizes) < 1:
        raise ClipError(f"{source} does not hold a sequence of 2-D images; export a 2-D cine loop.")
    if not frames:
        raise ClipError(f"{source} is a still image, and tracking needs a cine loop; choose the moving clip.")
    if len(frames) > 1 or len(channels) > 1 or any(sizes[axis] not in (1, 3, 4) for axis in channels):
        raise ClipError(f"{source} has axes that are neither space, time nor colour; export a 2-D cine loop.")


def _nrrd_spacing(fields: dict[str, str], spatial: Sequence[int]) -> tuple[float, float] | None:
    """Give the steps between columns and rows in mm; None without them or in another unit."""
    units = re.findall(r'"([^"]*)"', fields.get("space units", "") or fields.get("units", ""))
    if any(unit not in ("", "mm", *_SECONDS) for unit in units):
        return None
    steps = [
        math.hypot(*map(float, vector.strip("()").split(","))) if vector.startswith("(") else math.nan
        for vector in re.findall(r"\([^)]*\)|none", fields.get("space directions", ""))
    ] or [float(value) for value in fields.get("spacings", "").split()]
    return (steps[spatial[0]], steps[spatial[1]]) if len(steps) > max(spatial[:2]) else None


def _nrrd_stamps(fields: dict[str, str], axis: int, frame_count: int) -> tuple[float, ...]:
    """Give Slicer's index values where their unit is one of time, else PLUS's stamps."""
    units = re.findall(r'"([^"]*)"', fields.get("units", ""))
    unit = _SECONDS.get(units[axis].lower()) if len(units) > axis else None
    values = fields.get(f"axis {axis} index values", "").split()
    if unit is None or len(values) != frame_count:
        return _plus_stamps(fields, frame_count)
    return tuple(float(value) * unit for value in values)


def _plus_stamps(fields: dict[str, str], frame_count: int) -> tuple[float, ...]:
    """Give the time stamps that PLUS and SlicerIGSIO write, in seconds."""
    # The frame count is the file's claim and not checked yet: a header of fewer lines cannot hold its stamps.
    if len(fields) < frame_count:
        return ()
    names = [f"seq_frame{index:04d}_timestamp" for index in range(frame_count)]
    return tuple(float(fields[name]) for name in names) if all(name in fields for name in names) else ()


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(value) for value in text.split())
