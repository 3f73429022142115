import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from echo_keypoints.errors import ClipError, ResultError
from echo_keypoints.readers.dicom_study import read_study
from echo_keypoints.results import AuditEntry
from echo_keypoints.writers.structured_report import write_sr
from example_results import make_measured, make_result


@pytest.fixture(scope="module")
def study(named_clip):
    return read_study(named_clip)


@pytest.fixture(params=["1500", "5300"])
def template(request):
    return request.param


@pytest.fixture
def report(tmp_path, study, template):
    path = tmp_path / "sr.dcm"
    write_sr(make_measured(), path, study, template=template, with_identity=True)
    return path


def numbers(item, found=None):
    """All NUM items of a tree as (code, value, unit, derivation, children)."""
    found = [] if found is None else found
    for child in item.get("ContentSequence", ()):
        if child.ValueType == "NUM":
            name, measured = child.ConceptNameCodeSequence[0], child.MeasuredValueSequence[0]
            derivation = [
                c.ConceptCodeSequence[0].CodeValue
                for c in child.ContentSequence
                if c.ConceptNameCodeSequence[0].CodeValue == "121401"
            ]
            found.append(
                (
                    name.CodeValue,
                    float(measured.NumericValue),
                    measured.MeasurementUnitsCodeSequence[0].CodeValue,
                    "".join(derivation),
                    list(child.ContentSequence),
                )
            )
        numbers(child, found)
    return found


def callipers(children):
    return [child for child in children if child.ValueType == "SCOORD"]


def test_the_report_belongs_to_the_study_and_is_preliminary(report, named_clip):
    sr, clip = pydicom.dcmread(report), pydicom.dcmread(named_clip)
    for keyword in ("PatientName", "PatientID", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyID"):
        assert sr.get(keyword) == clip.get(keyword), keyword
    assert sr.PatientName == "Ødegård^Åse" and sr.AccessionNumber == "A7"
    assert sr.SeriesInstanceUID != clip.SeriesInstanceUID and sr.SOPInstanceUID != clip.SOPInstanceUID
    assert (sr.Modality, sr.VerificationFlag, sr.PreliminaryFlag) == ("SR", "UNVERIFIED", "PRELIMINARY")
    # 03:04:05 UTC in the zone of the clip
    assert (sr.ContentDate, sr.ContentTime, sr.TimezoneOffsetFromUTC) == ("20260102", "043405", "+0130")
    (evidence,) = sr.CurrentRequestedProcedureEvidenceSequence
    (series,) = evidence.ReferencedSeriesSequence
    assert evidence.StudyInstanceUID == clip.StudyInstanceUID
    assert series.SeriesInstanceUID == clip.SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == clip.SOPInstanceUID


def test_nobody_is_named_unless_asked(tmp_path, study, named_clip, report, template):
    path = tmp_path / "nameless.dcm"
    write_sr(make_measured(), path, study, template=template)
    nameless, named, clip = (pydicom.dcmread(file) for file in (path, report, named_clip))
    for keyword in ("PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "AccessionNumber"):
        assert keyword in nameless and not nameless.get(keyword), keyword
    assert nameless.PatientID != clip.PatientID and nameless.StudyInstanceUID != clip.StudyInstanceUID
    content = path.read_bytes()
    for text in ("degård", "P-1", "19500203"):
        assert text.encode() not in content and text.encode("latin-1") not in content
    # The same content, callipers on the clip's frames included.
    assert nameless.ContentSequence[-1] == named.ContentSequence[-1]
    reference = nameless.CurrentRequestedProcedureEvidenceSequence[0]
    assert reference.StudyInstanceUID == clip.StudyInstanceUID


def test_callipers_lie_on_the_landmarks_in_dicom_coordinates(report, named_clip):
    result = make_measured()
    clip = pydicom.dcmread(named_clip)
    found = {}
    for code, _, _, _, children in numbers(pydicom.dcmread(report)):
        for line in callipers(children):
            (image,) = line.ContentSequence
            reference = image.ReferencedSOPSequence[0]
            assert reference.ReferencedSOPInstanceUID == clip.SOPInstanceUID
            found.setdefault(code, []).append((int(reference.ReferencedFrameNumber), list(line.GraphicData)))
    # Beat 0: end-diastole is frame 1 from 0, so 2 from 1; pixel centres lie at + 0.5.
    expected = result.points_px[1, 1:3].ravel() + 0.5
    ((frame, data),) = found["80007-8"]  # LVIDd
    assert frame == 2
    np.testing.assert_allclose(data, expected, atol=1e-5)
    ((frame, data),) = found["79971-8"]  # IVSs
    assert frame == 3
    np.testing.assert_allclose(data, result.points_px[2, :2].ravel() + 0.5, atol=1e-5)
    assert [frame for frame, _ in found["29434-8"]] == [2, 3]  # FS from both


def test_values_units_and_means(report, template):
    result = make_measured()
    found = numbers(pydicom.dcmread(report))
    scale, unit = (1, "mm") if template == "1500" else (0.1, "cm")
    lvidd = [item for item in found if item[0] == "80007-8"]
    value = result.beats[0]["indices"]["LVIDd"] * scale
    means = [item for item in lvidd if item[3] == "373098007"]
    beats = [item for item in lvidd if not item[3]]
    assert len(means) == 1 and len(beats) == 1  # not that of the rejected beat
    for item in (*means, *beats):
        assert item[1] == pytest.approx(value, rel=1e-5) and item[2] == unit
    assert not callipers(means[0][4]) and len(callipers(beats[0][4])) == 1
    spread = [item for item in lvidd if item[3] == "386136009"]
    assert [item[1] for item in spread] == ([0.25] if template == "1500" else [])
    assert ("RWT", "1") in {(item[0], item[2]) for item in found}
    assert "LVM" not in {item[0] for item in found} and "80019-3" not in {item[0] for item in found}


def test_at_most_one_value_of_a_concept_is_selected(tmp_path, study):
    write_sr(make_measured(), tmp_path / "a.dcm", study, template="5300")
    selected = [
        code
        for code, _, _, _, children in numbers(pydicom.dcmread(tmp_path / "a.dcm"))
        if any(c.ConceptNameCodeSequence[0].CodeValue == "121404" for c in children if c.ValueType == "CODE")
    ]
    assert selected and len(selected) == len(set(selected))


def test_the_same_result_gives_the_same_file_and_a_change_another(tmp_path, study, template):
    result = make_measured()
    changed = result.amended(AuditEntry("reader", "2026-01-03T00:00:00Z", "beat 0", True, False))
    for name, one in (("a.dcm", result), ("b.dcm", result), ("c.dcm", changed)):
        write_sr(one, tmp_path / name, study, template=template)
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()
    uids = {pydicom.dcmread(tmp_path / name).SOPInstanceUID for name in ("a.dcm", "c.dcm")}
    assert len(uids) == 2


def test_without_a_dicom_clip_there_is_no_patient_and_no_reference(tmp_path, template):
    write_sr(make_measured(), tmp_path / "a.dcm", None, template=template)
    sr = pydicom.dcmread(tmp_path / "a.dcm")
    assert not sr.PatientName and sr.PatientID.startswith("CLIP-")
    assert "CurrentRequestedProcedureEvidenceSequence" not in sr
    assert numbers(sr) and not any(callipers(item[4]) for item in numbers(sr))


def test_nothing_measured_is_no_report(tmp_path, study):
    with pytest.raises(ResultError, match="no measurement"):
        write_sr(make_result(), tmp_path / "a.dcm", study)
    assert not list(tmp_path.iterdir())


def test_what_is_not_dicom_has_no_study(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"nothing of the kind")
    with pytest.raises(ClipError, match=r"a\.dcm is not a DICOM file"):
        read_study(tmp_path / "a.dcm")
    with pytest.raises(ClipError, match="not found"):
        read_study(tmp_path / "absent.dcm")


def test_a_clip_without_uids_cannot_be_referred_to(tmp_path, named_clip):
    dataset = pydicom.dcmread(named_clip)
    del dataset.StudyInstanceUID
    dataset.save_as(tmp_path / "a.dcm")
    with pytest.raises(ClipError, match="no StudyInstanceUID"):
        read_study(tmp_path / "a.dcm")


def test_highdicom_reads_the_groups(tmp_path, study):
    highdicom = pytest.importorskip("highdicom")
    write_sr(make_measured(), tmp_path / "a.dcm", study)
    sr = highdicom.sr.srread(tmp_path / "a.dcm")
    content = highdicom.sr.MeasurementReport.from_sequence([sr])
    means, whole, beat = content.get_image_measurement_groups()
    titles = [group.tracking_identifier for group in (means, whole, beat)]
    assert titles == ["Mean of 1 beat", "Whole clip", "Beat 1"]
    (rate,) = whole.get_measurements()  # the median over all beats: no mean of the accepted ones
    assert rate.name.meaning == "Heart rate" and rate.derivation is None
    assert means.tracking_uid != beat.tracking_uid
    assert {site.value.meaning for site in beat.finding_sites} == {"Left ventricle"}
    (lvidd,) = beat.get_measurements(name=pydicom.sr.coding.Code("80007-8", "LN", ""))
    assert lvidd.value == pytest.approx(make_measured().beats[0]["indices"]["LVIDd"], rel=1e-5)
    assert lvidd.unit.value == "mm"
    (line,) = lvidd.referenced_coordinates
    assert line.graphic_type.value == "POLYLINE" and line.value.shape == (2, 2)
    assert line.ContentSequence[0].referenced_frame_numbers == [2]
    assert beat.source_images[0].referenced_sop_instance_uid == study.sop_instance


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("filed", ["in study", "nameless", "not DICOM"])
def test_dciodvfy_finds_no_fault(tmp_path, study, filed):
    clip_study, named = None if filed == "not DICOM" else study, filed == "in study"
    write_sr(make_measured(), tmp_path / "a.dcm", clip_study, with_identity=named)
    said = subprocess.run(["dciodvfy", "-new", tmp_path / "a.dcm"], capture_output=True, text=True).stderr
    # A private coding scheme is allowed and unknown to it; a clip of no study has no date.
    expected = (
        "template constraints not yet supported",
        "Unrecognized defined term = <99ECHOKEYPOINTS>",
        *(() if named else ("needed to build DICOMDIR",)),
    )
    lines = [line for line in said.splitlines() if not line.endswith(expected)]
    assert lines == ["ComprehensiveSR"], said


@pytest.mark.skipif(not shutil.which("dsrdump"), reason="dsrdump (DCMTK) is not installed")
@pytest.mark.parametrize("named", [True, False])
def test_dcmtk_reads_the_tree(tmp_path, study, template, named):
    write_sr(make_measured(), tmp_path / "a.dcm", study, template=template, with_identity=named)
    run = subprocess.run(
        ["dsrdump", "+Pf", tmp_path / "a.dcm"], capture_output=True, text=True, errors="replace"
    )
    limits = ("The VR checker does not support this Specific Character Set: ISO_IR 192",)
    limits += ("Check for template constraints not yet supported",)
    assert run.returncode == 0
    assert not [line for line in run.stderr.splitlines() if line.removeprefix("W: ") not in limits]
    title = "Comprehensive SR" if template == "1500" else "Simplified Adult Echo SR"
    assert title in run.stdout and "PRELIMINARY" in run.stdout and "UNVERIFIED" in run.stdout
    assert "(USm image,,2)" in run.stdout and "POLYLINE" in run.stdout


def test_a_result_with_odd_text_can_be_written(tmp_path, study, template):
    result = make_measured()
    strange = replace(result, quality={"grade": "poor", "reasons": ["Ø < 3 & µ > 2"]}, software="1" * 70)
    write_sr(strange, tmp_path / "a.dcm", study, template=template)
    comments = [i.TextValue for i in pydicom.dcmread(tmp_path / "a.dcm").ContentSequence if "TextValue" in i]
    assert ("Ø < 3 & µ > 2" in comments[-1]) == (template == "1500")
