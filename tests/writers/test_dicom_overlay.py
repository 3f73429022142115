import shutil
import subprocess

import numpy as np
import pydicom
import pytest

from echo_keypoints.readers import read_clip
from echo_keypoints.readers.dicom_study import read_study
from echo_keypoints.writers.dicom_overlay import write_dicom_overlay
from echo_keypoints.writers.overlay import OverlayPainter, painted_frames
from example_results import TIMES_S, make_clip, make_header, make_result


@pytest.fixture
def source():
    return make_clip().as_source()


def test_a_viewer_sees_the_overlay_at_its_times_and_scale(tmp_path, source):
    result = make_result()
    write_dicom_overlay(result, source, tmp_path / "a.dcm")
    clip = read_clip(tmp_path / "a.dcm")
    painter = OverlayPainter(result)
    np.testing.assert_allclose(clip.header.frame_times_s, TIMES_S, atol=1e-6)
    assert (clip.header.width, clip.header.height) == painter.size
    assert clip.header.spacing_mm == pytest.approx((0.4 / painter.scale, 0.5 / painter.scale))
    assert clip.header.scan_region == tuple(edge * painter.scale for edge in (4, 2, 124, 118))
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    assert dataset.ImageType[0] == "DERIVED" and dataset.SamplesPerPixel == 3
    drawn = next(iter(painted_frames(result, source))) @ [0.299, 0.587, 0.114]
    assert np.abs(clip.pixels[0] - drawn).mean() < 3


def test_no_name_unless_asked(tmp_path, source, named_clip):
    write_dicom_overlay(make_result(), source, tmp_path / "a.dcm")
    plain = pydicom.dcmread(tmp_path / "a.dcm")
    assert not plain.PatientName and not plain.PatientBirthDate and "SourceImageSequence" not in plain
    assert "Ødegård".encode() not in (tmp_path / "a.dcm").read_bytes()
    write_dicom_overlay(make_result(), source, tmp_path / "b.dcm", read_study(named_clip))
    filed, clip = pydicom.dcmread(tmp_path / "b.dcm"), pydicom.dcmread(named_clip)
    assert filed.PatientName == "Ødegård^Åse" and filed.StudyInstanceUID == clip.StudyInstanceUID
    assert filed.SourceImageSequence[0].ReferencedSOPInstanceUID == clip.SOPInstanceUID
    assert filed.BurnedInAnnotation == "YES" and filed.SeriesInstanceUID != clip.SeriesInstanceUID


def test_without_a_scale_there_is_no_region(tmp_path, source):
    header = make_header(spacing_mm=None, spacing_source="unknown", scan_region=None)
    write_dicom_overlay(make_result(clip=header), source, tmp_path / "a.dcm")
    assert read_clip(tmp_path / "a.dcm").header.spacing_mm is None


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("filed", [False, True], ids=["alone", "in study"])
def test_dciodvfy_finds_no_fault(tmp_path, source, named_clip, filed):
    study = read_study(named_clip) if filed else None
    write_dicom_overlay(make_result(), source, tmp_path / "a.dcm", study)
    said = subprocess.run(["dciodvfy", "-new", tmp_path / "a.dcm"], capture_output=True, text=True).stderr
    lines = [line for line in said.splitlines() if filed or not line.endswith("needed to build DICOMDIR")]
    assert lines == ["USMultiFrameImage"], said
