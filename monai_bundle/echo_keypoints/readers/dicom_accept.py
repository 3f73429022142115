"""Which DICOM objects are 2-D ultrasound cines; all others are refused with their reason."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset
from pydicom.uid import UID

from ..errors import ClipError

ULTRASOUND_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.3",  # Ultrasound Multi-frame Image Storage (retired)
        "1.2.840.10008.5.1.4.1.1.3.1",  # Ultrasound Multi-frame Image Storage
        "1.2.840.10008.5.1.4.1.1.6",  # Ultrasound Image Storage (retired)
        "1.2.840.10008.5.1.4.1.1.6.1",  # Ultrasound Image Storage
    }
)
_VOLUME_CLASS = "1.2.840.10008.5.1.4.1.1.6.2"
_DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
_MODALITIES = {
    "CR": "computed radiography", "CT": "CT", "DX": "X-ray", "ECG": "ECG", "ES": "endoscopy", "IVOCT": "OCT",
    "IVUS": "intravascular ultrasound", "MG": "mammography", "MR": "MR", "NM": "nuclear medicine",
    "OP": "ophthalmic", "OPT": "OCT", "PT": "PET", "RF": "fluoroscopy", "RTDOSE": "radiotherapy dose",
    "RTPLAN": "radiotherapy plan", "RTSTRUCT": "radiotherapy structure", "SEG": "segmentation",
    "SM": "microscopy", "SR": "report", "XA": "angiography", "XC": "photograph",
}  # fmt: skip
_EXPORTS = ("", "OT", "SC")

# ImageType value 4 of the US Image module (PS3.3 C.8.5.6.1.1): bits of the modes on the screen.
_MODE_M, _MODE_CW, _MODE_PW, _MODE_COLOUR, _MODE_COLOUR_M = 0x2, 0x4, 0x8, 0x10, 0x20
# RegionSpatialFormat and RegionDataType (PS3.3 C.8.5.5.1.1 and .2).
_FORMAT_M_MODE, _FORMAT_SPECTRAL = 2, 3
_TISSUE_TYPES, _FLOW_TYPE, _DOPPLER_TYPES = (1, 2), 2, range(3, 10)


def mode_bits(header: Dataset) -> int:
    """Give the mode bits of ImageType's fourth value, 0 where the file has none."""
    value = header.get("ImageType") or ()
    values = [value] if isinstance(value, str) else [str(item) for item in value]
    bits = values[3] if len(values) > 3 else ""
    return int(bits, 16) if re.fullmatch(r"[0-9A-Fa-f]{4}", bits) else 0


def tagged_colour(header: Dataset) -> bool:
    """Tell whether the mode bits or a region say colour flow.

    UltrasoundColorDataPresent does not count: Philips and Toshiba set it on grey B-mode clips too.
    """
    regions = header.get("SequenceOfUltrasoundRegions") or ()
    return bool(mode_bits(header) & _MODE_COLOUR) or any(
        region.get("RegionDataType") == _FLOW_TYPE for region in regions
    )


def refuse_unless_cine(header: Dataset, source: str, frame_count: int, has_pixels: bool) -> tuple[str, ...]:
    """Refuse every object but a 2-D ultrasound cine.

    Args:
        header: the elements of `dicom_file`.
        source: base name of the file, for messages.
        frame_count: number of frames, at least 0.
        has_pixels: whether the file holds Pixel Data.

    Returns:
        Sentences for the user, on exports that do not say that they are ultrasound.

    Raises:
        ClipError: another kind of object, another modality, an M-mode or Doppler trace, a still.
    """
    meta = getattr(header, "file_meta", None)
    sop_class = str(header.get("SOPClassUID") or getattr(meta, "MediaStorageSOPClassUID", "") or "")
    modality = str(header.get("Modality") or "")
    if sop_class == _DIRECTORY_CLASS:
        raise ClipError(
            f"{source} is a DICOMDIR, an index of other files; open one of the clips that it lists."
        )
    if sop_class == _VOLUME_CLASS:
        raise ClipError(f"{source} is a 3-D ultrasound volume; export a 2-D parasternal-long-axis loop.")
    if not has_pixels:
        raise ClipError(
            f"{source} is a DICOM file without an image{_class_name(sop_class)}; choose a cine loop."
        )
    warnings: tuple[str, ...] = ()
    if sop_class not in ULTRASOUND_CLASSES and modality != "US":
        if modality not in _EXPORTS:
            kind = _MODALITIES.get(modality, "another kind of")
            raise ClipError(f"{source} is not ultrasound but {kind} data; choose an echo cine loop.")
        warnings = ("The file does not say that it is ultrasound; it was read as a screen export.",)
    if trace := _trace(header):
        raise ClipError(f"{source} is {trace}, not a 2-D cine loop; choose the 2-D clip.")
    if frame_count < 2:
        raise ClipError(f"{source} is a still image, and tracking needs a cine loop; choose the moving clip.")
    return warnings


def _class_name(sop_class: str) -> str:
    """Give the standard's name for a SOP class in brackets; nothing for a UID that is not the standard's."""
    name = UID(sop_class).name
    return f" ({name})" if sop_class and name != sop_class else ""


def _trace(header: Dataset) -> str:
    """Name the trace that the object is: M-mode or spectral Doppler; empty for a 2-D image."""
    bits = mode_bits(header)
    regions = [
        (region.get("RegionSpatialFormat"), region.get("RegionDataType"))
        for region in header.get("SequenceOfUltrasoundRegions") or ()
    ]
    if bits & (_MODE_CW | _MODE_PW) or any(
        form == _FORMAT_SPECTRAL and kind in _DOPPLER_TYPES for form, kind in regions
    ):
        return "a spectral Doppler trace"
    if bits & (_MODE_M | _MODE_COLOUR_M) or any(
        form == _FORMAT_M_MODE and kind in _TISSUE_TYPES for form, kind in regions
    ):
        return "an M-mode trace"
    return ""
