import json

import numpy as np
import pydicom
import pytest

from echo_keypoints.cli import main
from echo_keypoints.results import file_digest, save_result
from echo_keypoints.writers.dicom_multiframe import write_dicom
from example_results import TIMES_S, make_header, make_measured


@pytest.fixture
def case(tmp_path):
    """A measured result and the DICOM clip that it is of."""
    clip = tmp_path / "heart.dcm"
    write_dicom(np.full((5, 120, 128), 60, np.uint8), TIMES_S, clip, spacing_mm=(0.4, 0.5))
    header = make_header(metadata={"format": "DICOM"})
    save_result(make_measured(clip=header, clip_sha256=file_digest(clip)), tmp_path / "result.json")
    return tmp_path


def export(case, to, output, *options):
    return main(["export", str(case / "result.json"), "--to", to, "-o", str(case / output), *options])


@pytest.mark.parametrize(
    ("to", "sop_class"),
    [
        ("sr", "1.2.840.10008.5.1.4.1.1.88.33"),
        ("sr-echo", "1.2.840.10008.5.1.4.1.1.88.72"),
        ("overlay-dicom", "1.2.840.10008.5.1.4.1.1.3.1"),
    ],
)
def test_dicom(case, to, sop_class, capsys):
    assert export(case, to, "new/a.dcm", "--clip", str(case / "heart.dcm")) == 0
    assert capsys.readouterr().out.strip() == str(case / "new" / "a.dcm")
    assert pydicom.dcmread(case / "new" / "a.dcm").SOPClassUID == sop_class
    assert export(case, to, "new/a.dcm", "--clip", str(case / "heart.dcm")) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert export(case, to, "new/a.dcm", "--clip", str(case / "heart.dcm"), "--overwrite") == 0


@pytest.mark.parametrize("to", ["sr", "sr-echo", "overlay-dicom"])
def test_files_name_the_patient_on_request(case, to):
    clip = pydicom.dcmread(case / "heart.dcm")
    for options, filed in (((), False), (("--with-identity",), True)):
        output = f"{to}-{filed}.dcm"
        assert export(case, to, output, "--clip", str(case / "heart.dcm"), *options) == 0
        written = pydicom.dcmread(case / output)
        assert (written.StudyInstanceUID == clip.StudyInstanceUID) == filed
        assert (written.PatientName == clip.PatientName) == filed


def test_slicer_files(case, capsys):
    assert export(case, "markups", "a.mrk.json", "--frame", "3") == 0
    (markups,) = json.loads((case / "a.mrk.json").read_text())["markups"]
    assert markups["controlPoints"][0]["position"][0] == pytest.approx(60.25 * 0.4)
    assert export(case, "markups", "b.mrk.json", "--frame", "5") == 2
    assert "5 frames" in capsys.readouterr().err
    assert export(case, "sequence", "a.seq.mrb") == 0
    assert export(case, "sequence", "a.seq.nrrd", "--clip", str(case / "heart.dcm")) == 0
    assert export(case, "sequence", "a.nrrd", "--clip", str(case / "heart.dcm")) == 2
    assert "must end in .seq.mrb" in capsys.readouterr().err


def test_reports(case, capsys):
    for name, begins in (("a.html", b"<!doctype html>"), ("a.pdf", b"%PDF-")):
        assert export(case, "report", name, "--clip", str(case / "heart.dcm")) == 0
        assert (case / name).read_bytes().startswith(begins)
    assert export(case, "report", "a.docx", "--clip", str(case / "heart.dcm")) == 2
    assert "must end in .html or .pdf" in capsys.readouterr().err


def test_the_clip_must_be_the_one_that_was_analysed(case, capsys):
    assert export(case, "sr", "a.dcm") == 2
    assert "--clip heart.dcm" in capsys.readouterr().err
    other = case / "other.dcm"
    write_dicom(np.full((5, 120, 128), 61, np.uint8), TIMES_S, other)
    assert export(case, "overlay-dicom", "a.dcm", "--clip", str(other)) == 2
    assert "other.dcm is not the clip that was analysed (heart.dcm)" in capsys.readouterr().err
    assert not (case / "a.dcm").exists()


def test_an_output_is_needed(case, capsys):
    assert main(["export", str(case), "--to", "sr"]) == 2
    assert "-o FILE" in capsys.readouterr().err


def test_the_clip_is_never_written_over_nor_taken_for_another(case, capsys):
    clip = case / "heart.dcm"
    before = clip.read_bytes()
    assert export(case, "sr", "heart.dcm", "--clip", str(clip), "--overwrite") == 2
    assert "is the clip itself" in capsys.readouterr().err and clip.read_bytes() == before
    assert export(case, "sr", "a.dcm", "--clip", str(case / "absent.dcm")) == 2
    assert "was not found" in capsys.readouterr().err
    (case / "other.dcm").write_bytes(before + b"\0")
    assert export(case, "sr", "a.dcm", "--clip", str(case / "other.dcm")) == 2
    assert "is not the clip" in capsys.readouterr().err


def test_what_is_no_dicom_has_no_identity_to_give(case, capsys):
    folder = case / "npz"
    folder.mkdir()
    header = make_header(source="heart.npz", metadata={"format": "NPZ"})
    save_result(make_measured(clip=header), folder / "result.json")
    assert export(folder, "sr", "a.dcm", "--with-identity") == 2
    assert "no DICOM file" in capsys.readouterr().err
