"""The size that a compressed image claims, read from its own header before a decoder allocates anything."""

from __future__ import annotations

import struct

_STANDALONE = {0x01, 0xFF, *range(0xD0, 0xD9)}
# SOF markers of JPEG (T.81 table B.1; C4, C8 and CC are something else) and SOF55 of JPEG-LS (T.87).
_START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}


def claimed_size(data: bytes) -> tuple[int, int, int] | None:
    """Read height, width and number of components from a JPEG, JPEG-LS or JPEG 2000 code stream.

    Args:
        data: one compressed image.

    Returns:
        ``(height, width, components)``, or None where the stream is of another kind or has no such header.
    """
    if data[:2] == b"\xff\xd8":
        return _jpeg_size(data)
    if data[:4] == b"\xff\x4f\xff\x51" and len(data) >= 42:
        x1, y1, x0, y0 = struct.unpack(">4I", data[8:24])
        (components,) = struct.unpack(">H", data[40:42])
        return y1 - y0, x1 - x0, components
    return None


def _jpeg_size(data: bytes) -> tuple[int, int, int] | None:
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker in _STANDALONE:
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _START_OF_FRAME and position + 10 <= len(data):
            height, width, components = struct.unpack(">HHB", data[position + 5 : position + 10])
            return height, width, components
        position += 2 + struct.unpack(">H", data[position + 2 : position + 4])[0]
    return None
