"""The overlay as a DICOM Ultrasound Multi-frame file: any viewer plays it, with its times and its scale."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UltrasoundMultiFrameImageStorage

from echo_keypoints.clip import ClipSource
from echo_keypoints.readers.dicom_study import Study
from echo_keypoints.results import AnalysisResult, atomic_path
from echo_keypoints.writers.dicom_file import (
    MAKER,
    clip_identity,
    file_in_study,
    new_file,
    result_seed,
    stamp_content,
)
from echo_keypoints.writers.dicom_multiframe import add_jpeg_frames, add_timing, tissue_region
from echo_keypoints.writers.overlay import OverlayPainter, painted_frames

_SERIES_NUMBER = 9003
_QUALITY = 92


def write_dicom_overlay(
    result: AnalysisResult, source: ClipSource, path: Path, study: Study | None = None
) -> None:
    """Write the landmarks and callipers on the frames of the clip.

    Args:
        result: of the clip.
        source: the clip.
        path: file to write.
        study: of the clip (`read_study`), to file the overlay with it, the patient's name included. None: the
            file names no patient and has a study of its own.

    Raises:
        OSError: the folder cannot be written to.
    """
    seed = result_seed(result, "overlay")
    dataset = new_file(UltrasoundMultiFrameImageStorage, seed)
    file_in_study(dataset, study, clip_identity(result))
    _add_general(dataset, result, study)
    add_timing(dataset, result.clip.frame_times_s)
    if result.clip.spacing_mm is not None:
        dataset.SequenceOfUltrasoundRegions = [_region(result, OverlayPainter(result).scale)]
    add_jpeg_frames(dataset, painted_frames(result, source), _QUALITY)
    with atomic_path(path) as part:
        dataset.save_as(part)


def _add_general(dataset: FileDataset, result: AnalysisResult, study: Study | None) -> None:
    """Series and image modules of a picture that was derived from another."""
    dataset.Modality = "US"
    dataset.SeriesNumber = _SERIES_NUMBER
    dataset.InstanceNumber = 1
    dataset.SeriesDescription = f"{MAKER} overlay (research use only)"
    dataset.BodyPartExamined = "HEART"
    dataset.PatientOrientation = ""
    dataset.ImageType = ["DERIVED", "SECONDARY", "CHEST", "0001"]
    dataset.DerivationDescription = "Landmarks and callipers drawn over the clip, for research use only"
    stamp_content(dataset, result, study)
    if study:
        origin = Dataset()
        origin.ReferencedSOPClassUID = study.sop_class
        origin.ReferencedSOPInstanceUID = study.sop_instance
        dataset.SourceImageSequence = [origin]
        if study.burned_in:
            dataset.BurnedInAnnotation = study.burned_in


def _region(result: AnalysisResult, scale: int) -> Dataset:
    """Give the clip's scan region in the pixels of the overlay, which is `scale` times larger."""
    assert result.clip.spacing_mm is not None
    x0, y0, x1, y1 = result.clip.scan_region or (0, 0, result.clip.width, result.clip.height)
    sx, sy = result.clip.spacing_mm
    return tissue_region((sx / scale, sy / scale), (x0 * scale, y0 * scale, x1 * scale, y1 * scale))
