"""A DICOM clip whose patient has a name, as outputs that belong to its study need it."""

import numpy as np
import pydicom
import pytest

from echo_keypoints.writers.dicom_multiframe import write_dicom
from example_results import TIMES_S


@pytest.fixture(scope="session")
def named_clip(tmp_path_factory):
    """5 frames of 128 x 120; a patient called Ødegård, whose file is in Latin-1."""
    path = tmp_path_factory.mktemp("study") / "heart.dcm"
    rng = np.random.default_rng(0)
    video = rng.integers(0, 200, (5, 120, 128), np.uint8)
    write_dicom(video, TIMES_S, path, spacing_mm=(0.4, 0.5), region=(4, 2, 124, 118))
    dataset = pydicom.dcmread(path)
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName, dataset.PatientID = "Ødegård^Åse", "P-1"
    dataset.PatientBirthDate, dataset.PatientSex = "19500203", "F"
    dataset.StudyID, dataset.AccessionNumber, dataset.StudyDate = "S7", "A7", "20240506"
    dataset.TimezoneOffsetFromUTC = "+0130"
    dataset.BurnedInAnnotation = "YES"
    dataset.save_as(path)
    return path
