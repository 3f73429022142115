"""Phantom clips as DICOM Ultrasound Multi-frame files, as a scanner would export them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, RLELossless, UltrasoundMultiFrameImageStorage

from echo_keypoints.results import atomic_path
from echo_keypoints.writers.dicom_file import file_in_study, new_file

COMPRESSIONS = ("jpeg", "rle")
_EPOCH = ("20000101", "000000")  # a phantom was never in a scanner; a fixed date keeps files reproducible
_UNEVEN_MS = 1e-3


def write_dicom(
    video: NDArray[np.uint8],
    times_s: NDArray[np.floating],
    path: Path,
    *,
    spacing_mm: tuple[float, float] | None = None,
    region: tuple[int, int, int, int] | None = None,
    compression: str = "jpeg",
    quality: int = 90,
    identity: str = "PLAX",
    description: str = "",
) -> None:
    """Write a synthetic clip as a valid Ultrasound Multi-frame file whose patient is marked as a phantom.

    Evenly spaced frames get a FrameTime, others a FrameTimeVector. With a spacing, one ultrasound region of
    tissue carries the scale (PS3.3 C.8.5.5). The same arguments give the same file, UIDs included.

    Args:
        video: ``(T, H, W)`` uint8 grey (MONOCHROME2) or ``(T, H, W, 3)`` uint8 RGB (JPEG as YBR_FULL_422,
            RLE as RGB).
        times_s: ``(T,)`` seconds, strictly increasing.
        path: file to write.
        spacing_mm: ``(sx, sy)`` mm per pixel, or None to write no calibration.
        region: half-open box ``(x0, y0, x1, y1)`` of the ultrasound image; the whole frame by default.
        compression: ``"jpeg"`` (baseline, lossy) or ``"rle"`` (lossless).
        quality: of JPEG, 1..95.
        identity: what the patient's name and number say after ``PHANTOM``; letters, digits and ``-``.
        description: free text for SeriesDescription, at most 64 characters.

    Raises:
        ValueError: the arguments do not fit one another.
        OSError: the folder cannot be written to.
    """
    if video.dtype != np.uint8 or not (video.ndim == 3 or (video.ndim == 4 and video.shape[3] == 3)):
        raise ValueError(f"video must be uint8 (T, H, W) or (T, H, W, 3), not {video.dtype} {video.shape}")
    if times_s.shape != video.shape[:1] or np.any(np.diff(times_s) <= 0):
        raise ValueError(f"{len(video)} frames need as many increasing times")
    if compression not in COMPRESSIONS:
        raise ValueError(f"compression must be one of {COMPRESSIONS}, not {compression}")
    seed = [identity, description, str(video.shape), video.tobytes()[:: max(1, video.size // 4096)].hex()]
    dataset = _phantom_file(seed, identity, description)
    add_timing(dataset, times_s)
    if spacing_mm is not None:
        height, width = video.shape[1:3]
        dataset.SequenceOfUltrasoundRegions = [tissue_region(spacing_mm, region or (0, 0, width, height))]
    if compression == "rle":
        _add_rle_frames(dataset, video)
    else:
        add_jpeg_frames(dataset, video, quality)
    with atomic_path(path) as part:
        dataset.save_as(part)


def add_timing(dataset: Dataset, times_s: NDArray[np.floating]) -> None:
    """Fill in the Cine and Multi-frame modules: FrameTime in ms, or FrameTimeVector whose first entry is 0.

    Args:
        dataset: the file.
        times_s: ``(T,)`` seconds, strictly increasing.
    """
    gaps_ms = np.diff(times_s) * 1e3
    mean_ms = float(gaps_ms.mean()) if len(gaps_ms) else 1e3 / 30
    dataset.NumberOfFrames = len(times_s)
    if len(gaps_ms) and np.ptp(gaps_ms) > _UNEVEN_MS:
        dataset.FrameTimeVector = [_decimal(gap) for gap in (0.0, *gaps_ms)]
        dataset.FrameIncrementPointer = 0x00181065
    else:
        dataset.FrameTime = _decimal(mean_ms)
        dataset.FrameIncrementPointer = 0x00181063
    dataset.CineRate = max(1, round(1e3 / mean_ms))
    dataset.RecommendedDisplayFrameRate = dataset.CineRate


def tissue_region(spacing_mm: tuple[float, float], box: tuple[int, int, int, int]) -> Dataset:
    """Describe one 2-D tissue region calibrated in cm (PS3.3 C.8.5.5).

    Args:
        spacing_mm: ``(sx, sy)`` mm per pixel.
        box: half-open box ``(x0, y0, x1, y1)``; the file's bounds are inclusive.
    """
    region = Dataset()
    region.RegionSpatialFormat = 1  # 2D
    region.RegionDataType = 1  # tissue
    region.RegionFlags = 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = box[0], box[1]
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = box[2] - 1, box[3] - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3  # cm
    region.PhysicalDeltaX, region.PhysicalDeltaY = spacing_mm[0] / 10, spacing_mm[1] / 10
    return region


def add_jpeg_frames(dataset: FileDataset, frames: Iterable[NDArray[np.uint8]], quality: int = 90) -> None:
    """Fill in the Image Pixel module with baseline JPEG; only compressed frames are kept in memory.

    Args:
        dataset: the file.
        frames: one or more, each ``(H, W)`` grey (MONOCHROME2) or ``(H, W, 3)`` RGB (YBR_FULL_422), uint8.
        quality: 1..95.
    """
    compressed, pixels = [], 0
    for frame in frames:
        _describe_pixels(dataset, frame.shape)
        compressed.append(_jpeg(frame, quality))
        pixels += frame.nbytes
    if dataset.SamplesPerPixel == 3:
        dataset.PhotometricInterpretation = "YBR_FULL_422"
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = _decimal(pixels / sum(map(len, compressed)))
    dataset.LossyImageCompressionMethod = "ISO_10918_1"
    dataset.PixelData = encapsulate(compressed)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def _add_rle_frames(dataset: FileDataset, video: NDArray[np.uint8]) -> None:
    _describe_pixels(dataset, video.shape[1:])
    dataset.LossyImageCompression = "00"
    identifier = dataset.SOPInstanceUID
    dataset.compress(RLELossless, np.ascontiguousarray(video))
    # pydicom made another
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = identifier


def _describe_pixels(dataset: FileDataset, shape: tuple[int, ...]) -> None:
    """Say how frames of a shape are stored, compression apart."""
    colour = len(shape) == 3
    dataset.Rows, dataset.Columns = shape[:2]
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0


def _phantom_file(seed: list[str], identity: str, description: str) -> FileDataset:
    """Patient, study, series, equipment and image modules of a clip that no patient is behind."""
    dataset = new_file(UltrasoundMultiFrameImageStorage, seed)
    file_in_study(dataset, None, "".join(seed))
    dataset.ManufacturerModelName = "PLAX phantom"
    dataset.PatientName = f"PHANTOM^{identity}"
    dataset.PatientID = f"PHANTOM-{identity}"
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Synthetic data: there is no patient"
    dataset.StudyDate, dataset.StudyTime = _EPOCH
    dataset.ContentDate, dataset.ContentTime = _EPOCH
    dataset.Modality = "US"
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = 1
    dataset.SeriesDescription = description[:64]
    dataset.BodyPartExamined = "HEART"
    dataset.PatientOrientation = ""
    dataset.ImageType = ["DERIVED", "PRIMARY", "CHEST", "0001"]
    dataset.BurnedInAnnotation = "NO"
    return dataset


def _jpeg(frame: NDArray[np.uint8], quality: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "JPEG", quality=quality, subsampling="4:2:2", optimize=True)
    return stream.getvalue()


def _decimal(value: float) -> str:
    """Write a number within the 16 characters of a DICOM decimal string."""
    return f"{value:.10g}"
