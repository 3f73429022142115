"""Decode one DICOM frame to RGB or grey, whatever its transfer syntax and photometric interpretation.

JPEG Baseline goes to Pillow, which decodes luma alone, ten times as fast as a full decoding; JPEG XL to
imagecodecs; all others to pydicom with the pylibjpeg plug-ins, as a data set of one frame, which is the same
in pydicom 2 and 3.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from ..errors import ClipError
from .codestream import claimed_size
from .grey import luma, rescale

JPEG_8_BIT = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
JPEG_XL = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (110, 111, 112))
RLE = "1.2.840.10008.1.2.5"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
IMPLICIT = "1.2.840.10008.1.2"
UNCOMPRESSED = (IMPLICIT, "1.2.840.10008.1.2.1", BIG_ENDIAN)
PYDICOM_COMPRESSED = (
    RLE,
    *(f"1.2.840.10008.1.2.4.{number}" for number in (57, 70, 80, 81, 90, 91, 201, 202, 203)),
)
_PALETTE = "PALETTE COLOR"
_GREY = ("MONOCHROME1", "MONOCHROME2")
_LUMA_CHROMA = ("YBR_FULL", "YBR_FULL_422")
# APP14 with transform 0: the components are R, G and B (T.872 6.5.3).
_ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
# JPEG 2000 and JPEG XL decoders undo these transforms themselves.
_DECODED_TO_RGB = ("RGB", "YBR_RCT", "YBR_ICT")


@dataclass(frozen=True)
class FrameDecoder:
    """Decodes the frames of one DICOM cine.

    Attributes:
        header: the pixel elements.
        transfer_syntax: UID.
        source: base name of the file, for messages.
        swapped_words: whether uncompressed 8-bit samples lie in big-endian 16-bit words.
    """

    header: Dataset
    transfer_syntax: str
    source: str
    swapped_words: bool = False

    def __post_init__(self) -> None:
        """Check that the pixel elements are of a kind that can be decoded.

        Raises:
            ClipError: an unknown photometric interpretation or bit depth.
        """
        samples = 1 if self.photometric in (*_GREY, _PALETTE) else 3
        known = (*_GREY, _PALETTE, *_LUMA_CHROMA, *_DECODED_TO_RGB)
        depths = (8, 16) if samples == 1 else (8,)
        if self.photometric not in known or self.samples != samples or self.bits_allocated not in depths:
            raise ClipError(
                f"{self.source} stores its pixels in an unusual way ({self.samples} samples of "
                f"{self.bits_allocated} bits a pixel); export the clip as 8-bit grey, RGB or YBR DICOM."
            )

    @cached_property
    def photometric(self) -> str:
        """PhotometricInterpretation."""
        return str(self.header.get("PhotometricInterpretation") or "")

    @cached_property
    def samples(self) -> int:
        """SamplesPerPixel."""
        return int(self.header.get("SamplesPerPixel") or 1)

    @cached_property
    def bits_allocated(self) -> int:
        """BitsAllocated."""
        return int(self.header.get("BitsAllocated") or 0)

    @cached_property
    def shape(self) -> tuple[int, int]:
        """``(rows, columns)``."""
        return int(self.header.Rows), int(self.header.Columns)

    def frame_bytes(self, available: int, frame_count: int) -> int:
        """Give the size of an uncompressed frame; some files say 4:2:2 and store every sample.

        Args:
            available: bytes of pixel data in the file.
            frame_count: number of frames.
        """
        full = self.shape[0] * self.shape[1] * self.samples * self.bits_allocated // 8
        halved = self.photometric == "YBR_FULL_422" and available < full * frame_count
        return full // 3 * 2 if halved else full

    def grey(self, data: bytes) -> NDArray[np.uint8]:
        """Decode one frame to ``(H, W)`` uint8 grey: Rec. 601 luma of colour."""
        if self.transfer_syntax in JPEG_8_BIT and (image := self._open_jpeg(data)):
            image.draft("L", None)
            return self._oriented(np.asarray(image.convert("L")))
        if self.photometric == _PALETTE:
            return self._look_up(self._grey_table, self._raw(data))
        raw = self._decoded(data)
        if self.transfer_syntax not in JPEG_XL and self.photometric in _LUMA_CHROMA:
            return np.ascontiguousarray(raw[..., 0])
        return luma(raw)

    def rgb(self, data: bytes) -> NDArray[np.uint8]:
        """Decode one frame to ``(H, W, 3)`` uint8 RGB, or ``(H, W)`` where it is grey."""
        if self.transfer_syntax in JPEG_8_BIT and (image := self._open_jpeg(data)):
            return self._oriented(np.asarray(image if image.mode == "L" else image.convert("RGB")))
        if self.photometric == _PALETTE:
            return self._look_up(self._colour_table, self._raw(data))
        raw = self._decoded(data)
        if self.transfer_syntax not in JPEG_XL and self.photometric in _LUMA_CHROMA:
            return np.asarray(Image.fromarray(raw, "YCbCr").convert("RGB"))
        return raw

    def _open_jpeg(self, data: bytes) -> Image.Image | None:
        """Open a JPEG with Pillow; None where it is deeper than 8 bits.

        The code stream's own marker (JFIF or Adobe) says what the colours are. Without one libjpeg assumes
        YCbCr, which is wrong where the header says RGB: then Adobe's marker is put in.
        """
        self._check_claim(data)
        if self.bits_allocated != 8 or self.photometric == _PALETTE:
            return None
        image = Image.open(io.BytesIO(data), formats=("JPEG",))
        if self.photometric == "RGB" and not {"jfif", "adobe"} & set(image.info):
            image = Image.open(io.BytesIO(data[:2] + _ADOBE_RGB + data[2:]), formats=("JPEG",))
        return image

    def _decoded(self, data: bytes) -> NDArray[np.uint8]:
        """Decode a frame that needs no palette to uint8, its samples as stored."""
        if self.transfer_syntax in JPEG_XL:
            return self._oriented(_decode_jpeg_xl(data, self.source))
        return self._oriented(self._to_8_bit(self._raw(data)))

    def _raw(self, data: bytes) -> NDArray[Any]:
        """Decode a frame to its stored values, ``(H, W)`` or ``(H, W, 3)``."""
        self._check_claim(data)
        return _pydicom_pixels(self._single_frame(data))

    def _check_claim(self, data: bytes) -> None:
        """Refuse a frame whose code stream would make its decoder allocate another size than the header's."""
        claim = claimed_size(data)
        if claim is not None and claim != (*self.shape, self.samples):
            raise ClipError(
                f"{self.source} holds a compressed frame of {claim[1]} x {claim[0]} pixels and not "
                f"{self.shape[1]} x {self.shape[0]} as its header says; export it again."
            )

    def _single_frame(self, data: bytes) -> Dataset:
        """Make a data set of one frame from the pixel elements."""
        single = Dataset()
        for keyword in ("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated",
                        "BitsStored", "HighBit", "PixelRepresentation", "PlanarConfiguration"):  # fmt: skip
            if (value := self.header.get(keyword)) is not None:
                setattr(single, keyword, value)
        single.NumberOfFrames = 1
        single.file_meta = FileMetaDataset()
        single.file_meta.TransferSyntaxUID = UID(self.transfer_syntax)
        encapsulated = self.transfer_syntax not in UNCOMPRESSED
        if not encapsulated and self.swapped_words and self.bits_allocated == 8:
            data = np.frombuffer(data, np.uint16).byteswap().tobytes()
        single.PixelData = _encapsulate(data) if encapsulated else data + b"\0" * (len(data) % 2)
        single["PixelData"].VR = "OB" if encapsulated or self.bits_allocated == 8 else "OW"
        if self.samples == 1 and "PlanarConfiguration" in single:
            del single.PlanarConfiguration
        return single

    def _to_8_bit(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Map deep grey to 8 bits: by the file's window if it has one, else by the stored bits' range."""
        if values.dtype == np.uint8:
            return values
        bits, signed = int(self.header.BitsStored), bool(self.header.get("PixelRepresentation"))
        low = -(2.0 ** (bits - 1)) if signed else 0.0
        high = low + 2.0**bits - 1
        centre, width = (_first(self.header.get(name)) for name in ("WindowCenter", "WindowWidth"))
        if centre is not None and width is not None and width > 1:
            # PS3.3 C.11.2.1.2.1, LINEAR.
            low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
        return rescale(values, low, high)

    def _oriented(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Make large values bright."""
        return 255 - pixels if self.photometric == "MONOCHROME1" else pixels

    @cached_property
    def _colour_table(self) -> NDArray[np.uint8]:
        """The palette as ``(N, 3)`` uint8 RGB for every stored value; 16-bit entries lose their low byte."""
        indices = np.arange(2**self.bits_allocated, dtype=f"uint{self.bits_allocated}")
        table = _apply_palette()(indices[np.newaxis], self.header)[0]
        return np.ascontiguousarray(table >> 8 if table.max() > 255 else table).astype(np.uint8)

    @cached_property
    def _grey_table(self) -> NDArray[np.uint8]:
        return luma(self._colour_table[np.newaxis])[0]

    def _look_up(self, table: NDArray[np.uint8], indices: NDArray[Any]) -> NDArray[np.uint8]:
        return np.asarray(table[indices.astype(np.int64) % len(table)])


def _first(value: Any) -> float | None:
    """Give the first value of an element as a float; None where it is absent."""
    items = list(value) if hasattr(value, "__iter__") and not isinstance(value, str) else [value]
    return float(items[0]) if items and items[0] is not None else None


def _encapsulate(data: bytes) -> bytes:
    """Wrap one compressed frame as a basic offset table and one item (PS3.5 A.4)."""
    padded = data + b"\0" * (len(data) % 2)
    empty_table = b"\xfe\xff\x00\xe0\x00\x00\x00\x00"
    return empty_table + b"\xfe\xff\x00\xe0" + len(padded).to_bytes(4, "little") + padded


def _pydicom_pixels(single: Dataset) -> NDArray[Any]:
    """Decode a one-frame data set to stored values, with pydicom 3 or 2."""
    try:
        from pydicom.pixels import get_decoder
    except ImportError:  # pydicom 2
        syntax = single.file_meta.TransferSyntaxUID
        single.is_little_endian, single.is_implicit_VR = syntax != BIG_ENDIAN, syntax == IMPLICIT
        return np.asarray(single.pixel_array)
    pixels, _ = get_decoder(single.file_meta.TransferSyntaxUID).as_array(single, index=0, raw=True)
    return np.asarray(pixels)


def _apply_palette() -> Callable[[NDArray[Any], Dataset], NDArray[Any]]:
    """Find pydicom's palette function, which has moved between its versions 2 and 3."""
    try:
        from pydicom.pixels import apply_color_lut
    except ImportError:  # pydicom 2
        from pydicom.pixel_data_handlers import util

        return util.apply_color_lut
    return apply_color_lut


def _decode_jpeg_xl(data: bytes, source: str) -> NDArray[np.uint8]:
    """Decode a JPEG XL frame to ``(H, W)`` or RGB ``(H, W, 3)`` uint8.

    Raises:
        ClipError: imagecodecs is not installed, or the frame is not 8-bit.
    """
    try:
        from imagecodecs import jpegxl_decode
    except ImportError as error:
        raise ClipError(
            f"{source} is compressed with JPEG XL, which needs the extra package imagecodecs: "
            "pip install 'echo-keypoints[formats]'."
        ) from error
    pixels = np.asarray(jpegxl_decode(data))
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise ClipError(f"{source} holds JPEG XL frames that are not 8-bit; export it in another format.")
    return np.ascontiguousarray(pixels[..., :3] if pixels.ndim == 3 else pixels)
