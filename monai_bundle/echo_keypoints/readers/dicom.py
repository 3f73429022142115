"""DICOM ultrasound cines, decoded frame by frame."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID

from ..clip import ClipSource
from ..errors import ClipError
from .dicom_accept import mode_bits, refuse_unless_cine, tagged_colour
from .dicom_calibration import dicom_scale
from .dicom_decode import JPEG_8_BIT, JPEG_XL, PYDICOM_COMPRESSED, UNCOMPRESSED, FrameDecoder
from .dicom_file import DicomFile, PixelElement, open_dicom_file
from .dicom_fragments import Span, encapsulated_frames, encapsulated_items, native_frames, read_spans
from .dicom_timing import dicom_timing, r_wave_times_s
from .dicom_values import numbers
from .grey import DOPPLER_WARNING, shows_doppler
from .guard import guarded_source
from .header import make_header, unknown_scale
from .limits import check_size, check_whole_file
from .video import VIDEO_SYNTAXES, ByteStream, scan_video, video_frames

_PROBES = 3
_SHORT_FACTS = {
    "Manufacturer": "manufacturer",
    "ManufacturerModelName": "model",
    "PhotometricInterpretation": "photometric_interpretation",
}


def open_dicom(path: Path, source: str) -> ClipSource:
    """Open a DICOM ultrasound cine; its header is checked before any pixel is decoded.

    Args:
        path: the file, with or without preamble.
        source: its base name.

    Raises:
        ClipError: not a 2-D ultrasound cine, too large, or damaged.
    """
    file = open_dicom_file(path, source)
    frame_count = _frame_count(file.header)
    warnings = refuse_unless_cine(file.header, source, frame_count, file.pixels is not None)
    assert file.pixels is not None
    rows, columns = int(file.header.Rows), int(file.header.Columns)
    check_size(source, frame_count, rows, columns)
    if file.transfer_syntax in VIDEO_SYNTAXES:
        return _open_video(file, file.pixels, source, warnings)
    return _open_frames(file, file.pixels, source, (frame_count, rows, columns), warnings)


def _open_frames(
    file: DicomFile, pixels: PixelElement, source: str, shape: tuple[int, int, int], warnings: tuple[str, ...]
) -> ClipSource:
    """Open a cine whose frames are stored one by one."""
    decoder = FrameDecoder(file.header, file.transfer_syntax, source, pixels.swapped_words)
    spans = _index(file, pixels, decoder, shape[0])

    def decode(convert: Callable[[bytes], NDArray[np.uint8]], indices: range) -> Iterator[NDArray[np.uint8]]:
        with file.open() as stream:
            for index in indices:
                yield convert(read_spans(stream, spans[index]))

    probes = range(0, shape[0], max(1, math.ceil(shape[0] / _PROBES)))
    coloured = tagged_colour(file.header) or any([shows_doppler(rgb) for rgb in decode(decoder.rgb, probes)])
    header = make_header(
        source,
        shape,
        dicom_timing(file.header, shape[0]),
        dicom_scale(file.header),
        _metadata(file, coloured),
        warnings + ((DOPPLER_WARNING,) if coloured else ()),
    )
    return guarded_source(header, lambda: decode(decoder.grey, range(shape[0])))


def _index(
    file: DicomFile, pixels: PixelElement, decoder: FrameDecoder, frame_count: int
) -> list[list[Span]]:
    """Find the bytes of every frame."""
    with file.open() as stream:
        if file.transfer_syntax in UNCOMPRESSED:
            available = stream.seek(0, 2) - pixels.offset
            stored = min(available, pixels.length or 0)
            frame_bytes = decoder.frame_bytes(stored, frame_count)
            return native_frames(pixels, available, frame_count, frame_bytes, decoder.source)
        if file.transfer_syntax in (*JPEG_8_BIT, *JPEG_XL, *PYDICOM_COMPRESSED):
            return encapsulated_frames(stream, pixels.offset, file.header, frame_count, decoder.source)
    raise ClipError(
        f"{decoder.source} is compressed in a way that is not read (transfer syntax {_syntax_name(file)}); "
        "export it as JPEG or uncompressed DICOM."
    )


def _open_video(file: DicomFile, pixels: PixelElement, source: str, warnings: tuple[str, ...]) -> ClipSource:
    """Open a cine stored as one MPEG-2, MPEG-4, H.264 or HEVC stream."""
    with file.open() as stream:
        _, spans = encapsulated_items(stream, pixels.offset, source)
        check_whole_file(source, sum(length for _, length in spans))
        video = ByteStream(read_spans(stream, spans), VIDEO_SYNTAXES[file.transfer_syntax])
    scan = scan_video(video, source)
    size = (int(file.header.Columns), int(file.header.Rows))
    scale = dicom_scale(file.header)
    if (scan.width, scan.height) != size:
        scale = unknown_scale(
            f"the video has {scan.width} x {scan.height} pixels and the header was made for {size[0]} x {size[1]}"
        )
    promised = _frame_count(file.header)
    if scan.frame_count != promised:
        warnings += (f"The header promises {promised} frames and the video holds {scan.frame_count}.",)
    if scan.coloured or tagged_colour(file.header):
        warnings += (DOPPLER_WARNING,)
    header = make_header(
        source,
        (scan.frame_count, scan.height, scan.width),
        dicom_timing(file.header, scan.frame_count),
        scale,
        _metadata(file, scan.coloured or tagged_colour(file.header)),
        warnings,
    )
    return guarded_source(header, lambda: video_frames(video))


def _frame_count(header: Dataset) -> int:
    """NumberOfFrames; an image without it has one."""
    return int(header.get("NumberOfFrames") or 1)


def _syntax_name(file: DicomFile) -> str:
    """Name the transfer syntax; a UID with letters in it is damage, and not repeated."""
    syntax = file.transfer_syntax
    return str(UID(syntax).name) if re.fullmatch(r"[0-9.]{1,64}", syntax) else "unknown"


def _metadata(file: DicomFile, coloured: bool) -> dict[str, Any]:
    """Collect facts without patient data; what the file does not say is left out."""
    header = file.header
    facts: dict[str, Any] = {"format": "DICOM", "transfer_syntax": _syntax_name(file)}
    facts |= {name: str(header.get(keyword)) for keyword, name in _SHORT_FACTS.items() if header.get(keyword)}
    facts["region_count"] = len(header.get("SequenceOfUltrasoundRegions") or ())
    facts["colour"] = coloured
    heart_rate = numbers(header, "HeartRate")
    if len(heart_rate) == 1 and 0 < heart_rate[0] < math.inf:
        facts["heart_rate_bpm"] = heart_rate[0]
    if mode_bits(header):
        facts["image_type_modes"] = f"{mode_bits(header):04X}"
    if r_waves := r_wave_times_s(header):
        facts |= {"r_wave_times_s": r_waves, "r_wave_source": "RWaveTimeVector"}
    return facts
