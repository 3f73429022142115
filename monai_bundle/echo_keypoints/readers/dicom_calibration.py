"""The scale of a DICOM ultrasound image: from its 2-D tissue region only, never guessed.

PS3.3 C.8.5.5 (US Region Calibration). PixelSpacing is not used: on ultrasound it is optional, often that of
the screen, and silent about which of several regions it holds for.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from ..clip import Box
from .dicom_values import numbers
from .header import Scale, unknown_scale
from .limits import plausible_scale

_FORMAT_2D = 1
_TISSUE, _COLOUR_FLOW = 1, 2
_CENTIMETRES = 3
# Philips writes the last column as `Columns`, one beyond the last pixel: not a sign of a resized image.
_TOLERANCE_PX = 1


@dataclass(frozen=True)
class _Region:
    """A 2-D region in cm: its number in the file, its half-open box and its ``(sx, sy)`` in mm per pixel."""

    number: int
    data_type: int
    box: Box
    spacing_mm: tuple[float, float]

    @property
    def area(self) -> int:
        x0, y0, x1, y1 = self.box
        return (x1 - x0) * (y1 - y0)


def dicom_scale(header: Dataset) -> Scale:
    """Find the scale of a DICOM ultrasound image and the region that it holds for.

    Deltas may be negative (their size counts) and differ along x and y. Regions without physical units, of
    ECG or M-mode and with impossible scales are skipped; tissue goes before colour flow, then the larger
    region. A region beyond the image shows that the image was resized after calibration: then there is no
    scale.

    Args:
        header: Rows, Columns and SequenceOfUltrasoundRegions.

    Returns:
        The scale with the region's half-open box clipped to the image, or an unknown one with its reason.
    """
    regions = list(header.get("SequenceOfUltrasoundRegions") or ())
    if not regions:
        return unknown_scale("the file has no ultrasound region calibration")
    columns, rows = int(header.Columns), int(header.Rows)
    if any(_is_beyond(region, columns, rows) for region in regions):
        return unknown_scale(
            "a calibrated region lies beyond the image, which was resized after it was calibrated"
        )
    found = [region for number, item in enumerate(regions, 1) if (region := _calibrated(item, number))]
    if not found:
        return unknown_scale("none of the file's regions is a 2-D image with a valid scale in centimetres")
    best = min(found, key=lambda region: (region.data_type, -region.area))
    x0, y0, x1, y1 = best.box
    others = sum(region.data_type == best.data_type for region in found) - 1
    warning = f"The file has {others + 1} calibrated 2-D images; only the largest is used."
    kind = "tissue" if best.data_type == _TISSUE else "colour flow"
    return Scale(
        best.spacing_mm,
        f"DICOM ultrasound region {best.number} of {len(regions)} (2-D {kind})",
        (x0, y0, min(x1, columns), min(y1, rows)),
        (warning,) if others else (),
    )


def _bounds(region: Dataset) -> tuple[int, int, int, int] | None:
    """Give a region's inclusive corners ``(x0, y0, x1, y1)``; None where any is missing."""
    names = ("MinX0", "MinY0", "MaxX1", "MaxY1")
    values = [region.get(f"RegionLocation{name}") for name in names]
    if any(value is None for value in values):
        return None
    x0, y0, x1, y1 = (int(value) for value in values)
    return x0, y0, x1, y1


def _is_beyond(region: Dataset, columns: int, rows: int) -> bool:
    """Tell whether a region of an image or a trace reaches beyond the picture by more than the tolerance."""
    bounds = _bounds(region)
    if bounds is None or not region.get("RegionSpatialFormat"):
        return False
    return bounds[2] > columns - 1 + _TOLERANCE_PX or bounds[3] > rows - 1 + _TOLERANCE_PX


def _calibrated(item: Dataset, number: int) -> _Region | None:
    """Read one region; None unless it is a 2-D image with a plausible scale in cm."""
    units = (item.get("PhysicalUnitsXDirection"), item.get("PhysicalUnitsYDirection"))
    data_type, bounds = item.get("RegionDataType"), _bounds(item)
    if item.get("RegionSpatialFormat") != _FORMAT_2D or data_type not in (_TISSUE, _COLOUR_FLOW):
        return None
    if units != (_CENTIMETRES, _CENTIMETRES) or bounds is None:
        return None
    deltas = [numbers(item, name) for name in ("PhysicalDeltaX", "PhysicalDeltaY")]
    if any(len(delta) != 1 for delta in deltas):
        return None
    spacing = (10 * abs(deltas[0][0]), 10 * abs(deltas[1][0]))
    x0, y0, x1, y1 = bounds
    if not plausible_scale(spacing) or x0 < 0 or y0 < 0 or x1 <= x0 or y1 <= y0:
        return None
    return _Region(number, data_type, (x0, y0, x1 + 1, y1 + 1), spacing)
