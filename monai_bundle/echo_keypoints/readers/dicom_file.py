"""Open a DICOM file: the few header elements that the readers need, and where its pixel data lie.

Only the named elements are kept, so that neither names nor dates of a patient are ever in memory, and nothing
large is read.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from ..errors import ClipError
from .limits import MAX_WHOLE_FILE_BYTES, check_whole_file

_UNDEFINED_LENGTH = 0xFFFFFFFF
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_IMPLICIT_LITTLE = "1.2.840.10008.1.2"
_EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
_EXPLICIT_BIG = "1.2.840.10008.1.2.2"

_ELEMENTS = (
    # what it is
    "SpecificCharacterSet ImageType SOPClassUID Modality Manufacturer ManufacturerModelName HeartRate "
    # time
    "FrameIncrementPointer FrameTime FrameTimeVector CineRate RecommendedDisplayFrameRate EffectiveDuration "
    "ActualFrameDuration PreferredPlaybackSequencing RWaveTimeVector "
    # scale
    "SequenceOfUltrasoundRegions "
    # pixels
    "NumberOfFrames Rows Columns SamplesPerPixel PhotometricInterpretation PlanarConfiguration BitsAllocated "
    "BitsStored HighBit PixelRepresentation WindowCenter WindowWidth "
    "RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor "
    "BluePaletteColorLookupTableDescriptor RedPaletteColorLookupTableData GreenPaletteColorLookupTableData "
    "BluePaletteColorLookupTableData SegmentedRedPaletteColorLookupTableData "
    "SegmentedGreenPaletteColorLookupTableData SegmentedBluePaletteColorLookupTableData "
    "ExtendedOffsetTable ExtendedOffsetTableLengths"
).split()


@dataclass(frozen=True)
class PixelElement:
    """Where Pixel Data (7FE0,0010) lies.

    Attributes:
        offset: where its value starts in the stream.
        length: its bytes, or None where the length is undefined, as that of compressed frames is.
        swapped_words: whether 8-bit samples lie in big-endian 16-bit words, each second one before its first.
    """

    offset: int
    length: int | None
    swapped_words: bool


@dataclass(frozen=True)
class DicomFile:
    """An opened DICOM file.

    Attributes:
        header: the elements that the readers need.
        transfer_syntax: UID of the transfer syntax.
        open: opens a fresh binary stream that `pixels` refers to.
        pixels: the pixel data, or None where the file holds none.
    """

    header: Dataset
    transfer_syntax: str
    open: Callable[[], BinaryIO]
    pixels: PixelElement | None


def open_dicom_file(path: Path, source: str) -> DicomFile:
    """Read the header of a DICOM file, with or without preamble; no pixel is read.

    Args:
        path: the file.
        source: its base name, for messages.

    Raises:
        ClipError: the file inflates beyond the limit, or its pixels are floating-point numbers.
    """
    inflated = _inflated(path, source)

    def open_stream() -> BinaryIO:
        return path.open("rb") if inflated is None else io.BytesIO(inflated)

    with open_stream() as stream:
        tags = [Tag(keyword) for keyword in _ELEMENTS]
        header = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=tags)
        pixels, syntax = _pixel_element(stream, source)
    stated = getattr(header.file_meta, "TransferSyntaxUID", None) if inflated is None else None
    return DicomFile(header, str(stated or syntax), open_stream, pixels)


def _inflated(path: Path, source: str) -> bytes | None:
    """Inflate the data set of a deflated file within the memory limit; None for every other file."""
    with path.open("rb") as stream:
        head = stream.read(1024)
        if _DEFLATED not in head or head[132:136] != b"\x02\x00\x00\x00":
            return None
        (group_length,) = struct.unpack("<I", head[140:144])
        stream.seek(144 + group_length)
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream.read(), MAX_WHOLE_FILE_BYTES + 1)
    check_whole_file(source, len(data))
    return data


def _pixel_element(stream: BinaryIO, source: str) -> tuple[PixelElement | None, str]:
    """Read the element header at the stream's position, which is Pixel Data's or the end of the file.

    Returns:
        The element, and the uncompressed transfer syntax that its bytes are written in.

    Raises:
        ClipError: the pixels are floating-point numbers.
    """
    start = stream.tell()
    head = stream.read(12)
    order, tag = ("<", head[:4]) if head[:1] == b"\xe0" else (">", head[1::-1] + head[3:1:-1])
    if tag in (b"\xe0\x7f\x08\x00", b"\xe0\x7f\x09\x00"):
        raise ClipError(f"{source} holds floating-point pixels, not an ultrasound image; export 8-bit DICOM.")
    if tag != b"\xe0\x7f\x10\x00" or len(head) < 12:
        return None, _IMPLICIT_LITTLE
    # An implicit length is even, and 'O' and 'U', the first letters of the possible VRs, are odd.
    explicit = head[4:6] in (b"OB", b"OW", b"UN")
    (length,) = struct.unpack(order + "I", head[8:12] if explicit else head[4:8])
    syntax = _EXPLICIT_BIG if order == ">" else _EXPLICIT_LITTLE if explicit else _IMPLICIT_LITTLE
    value = start + (12 if explicit else 8)
    swapped = syntax == _EXPLICIT_BIG and head[4:6] == b"OW"
    return PixelElement(value, None if length == _UNDEFINED_LENGTH else length, swapped), syntax
