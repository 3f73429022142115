"""Find each frame's bytes in DICOM pixel data by walking over it: an index of spans, no bulk data read.

PS3.5 A.4: encapsulated pixel data are items (FFFE,E000), the first of which is the basic offset table.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import BinaryIO

from pydicom.dataset import Dataset

from ..errors import ClipError
from .dicom_file import PixelElement

Span = tuple[int, int]
"""``(offset in the stream, length)`` in bytes."""

_ITEM = b"\xfe\xff\x00\xe0"
_DELIMITER = b"\xfe\xff\xdd\xe0"
# A frame split over several items starts where a code stream does: JPEG and JPEG-LS, JPEG 2000, JPEG XL.
_CODE_STREAM_STARTS = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\x00\x00\x00\x0c")


def native_frames(
    pixels: PixelElement, available: int, frame_count: int, frame_bytes: int, source: str
) -> list[list[Span]]:
    """Index uncompressed frames, which lie one after another.

    Args:
        pixels: the pixel data.
        available: bytes in the stream from the start of the pixel data on.
        frame_count: number of frames.
        frame_bytes: size of one frame.
        source: base name of the file, for messages.

    Raises:
        ClipError: the stream holds fewer bytes than the header promises, or is not of a stated length.
    """
    length = 0 if pixels.length is None else min(available, pixels.length)
    if length < frame_count * frame_bytes:
        raise ClipError(
            f"{source} promises {frame_count} frames of {frame_bytes} bytes but holds {length} bytes; "
            "export it again."
        )
    return [[(pixels.offset + index * frame_bytes, frame_bytes)] for index in range(frame_count)]


def encapsulated_items(stream: BinaryIO, offset: int, source: str) -> tuple[list[int], list[Span]]:
    """Walk over the items of encapsulated pixel data.

    Args:
        stream: the file.
        offset: where the value of Pixel Data starts.
        source: base name of the file, for messages.

    Returns:
        The basic offset table, and the span of every fragment that is not empty.

    Raises:
        ClipError: an item is malformed or reaches beyond the end of the file.
    """
    end = stream.seek(0, 2)
    spans: list[Span] = []
    while True:
        stream.seek(offset)
        head = stream.read(8)
        if head[:4] == _DELIMITER or (len(head) < 8 and spans):
            break
        (length,) = struct.unpack("<I", head[4:8]) if len(head) == 8 else (0,)
        if head[:4] != _ITEM or offset + 8 + length > end:
            raise ClipError(f"The compressed frames of {source} are cut short or damaged; export it again.")
        spans.append((offset + 8, length))
        offset += 8 + length
    if not spans:
        raise ClipError(f"{source} holds no compressed frames; export it again.")
    table = read_spans(stream, spans[:1])
    fragments = [span for span in spans[1:] if span[1]]
    return list(struct.unpack(f"<{len(table) // 4}I", table[: len(table) // 4 * 4])), fragments


def encapsulated_frames(
    stream: BinaryIO, offset: int, header: Dataset, frame_count: int, source: str
) -> list[list[Span]]:
    """Index compressed frames, each one fragment or several.

    Frames are told apart by their number (one fragment each), else the extended or basic offset table, else
    by the fragments that start a code stream.

    Raises:
        ClipError: the fragments do not make up the number of frames that the header promises.
    """
    table, spans = encapsulated_items(stream, offset, source)
    if len(spans) == frame_count:
        return [[span] for span in spans]
    if len(spans) < frame_count:
        raise ClipError(f"{source} promises {frame_count} frames but holds {len(spans)}; export it again.")
    extended = header.get("ExtendedOffsetTable")
    if extended and len(extended) == 8 * frame_count:
        table = list(struct.unpack(f"<{frame_count}Q", extended))
    if len(table) == frame_count:
        starts = {spans[0][0] + entry for entry in table}
    else:
        starts = {span[0] for span in spans if _starts_code_stream(stream, span)}
    frames: list[list[Span]] = []
    for span in spans:
        if span[0] in starts or not frames:
            frames.append([])
        frames[-1].append(span)
    if len(frames) != frame_count:
        raise ClipError(
            f"{source} promises {frame_count} frames but {len(frames)} can be told apart; export it again."
        )
    return frames


def read_spans(stream: BinaryIO, spans: Sequence[Span]) -> bytes:
    """Read spans of a stream and join them."""
    parts = []
    for offset, length in spans:
        stream.seek(offset)
        parts.append(stream.read(length))
    return b"".join(parts)


def _starts_code_stream(stream: BinaryIO, span: Span) -> bool:
    return read_spans(stream, [(span[0], min(4, span[1]))]).startswith(_CODE_STREAM_STARTS)
