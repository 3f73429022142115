"""What a file is, from its first bytes and never from its name."""

from __future__ import annotations

import re
from pathlib import Path

HEAD_BYTES = 1024

_MAGIC = (
    (0, b"GIF8", "image"),
    (0, b"\x89PNG\r\n\x1a\n", "image"),
    (0, b"\xff\xd8\xff", "image"),
    (0, b"BM", "image"),
    (0, b"II*\x00", "image"),
    (0, b"MM\x00*", "image"),
    (8, b"WEBP", "image"),
    (8, b"AVI ", "video:avi"),
    (4, b"ftyp", "video:mov"),
    (4, b"moov", "video:mov"),
    (4, b"mdat", "video:mov"),
    (4, b"wide", "video:mov"),
    (0, b"\x1a\x45\xdf\xa3", "video:matroska"),
    (0, b"\x00\x00\x01\xba", "video:mpeg"),
    (0, b"\x00\x00\x01\xb3", "video:mpegvideo"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video:asf"),
    (0, b"OggS", "video:ogg"),
    (0, b"FLV\x01", "video:flv"),
    (0, b"\x93NUMPY", "npy"),
    (0, b"PK\x03\x04", "npz"),
    (0, b"NRRD000", "sequence"),
)
# The first element of a data set without preamble: group 0002 or 0008, either endian, element below 0x100.
_BARE_DICOM = re.compile(rb"[\x02\x08]\x00.\x00|\x00[\x02\x08]\x00.", re.DOTALL)
_META_IMAGE = re.compile(rb"^\s*(ObjectType|NDims)\s*=", re.MULTILINE)


def sniff(path: Path) -> str:
    """Tell the kind of a file.

    Returns:
        ``"dicom"``, ``"image"``, ``"npy"``, ``"npz"``, ``"sequence"``, ``"video:<FFmpeg format>"``,
        ``"folder"``, ``"empty"``, ``"special"`` (a device or pipe, which is never opened) or ``"unknown"``.

    Raises:
        OSError: the file is not there or may not be read.
    """
    if path.is_dir():
        return "folder"
    if path.exists() and not path.is_file():
        return "special"
    with path.open("rb") as stream:
        return sniff_bytes(stream.read(HEAD_BYTES))


def sniff_bytes(head: bytes) -> str:
    """Tell the kind of a file from its first `HEAD_BYTES` bytes; see `sniff`."""
    if not head:
        return "empty"
    if head[128:132] == b"DICM":
        return "dicom"
    for offset, magic, kind in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return kind
    if head[:1] == b"\x47" and head[188:189] == b"\x47" and head[376:377] == b"\x47":
        return "video:mpegts"
    if _META_IMAGE.search(head):
        return "sequence"
    return "dicom" if _BARE_DICOM.match(head) else "unknown"
