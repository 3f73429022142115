import json
import re

import numpy as np
import pydicom
import pytest

from echo_keypoints.cli import main
from echo_keypoints.errors import ClipError
from echo_keypoints.inspection import inspect_clip
from echo_keypoints.writers.dicom_multiframe import write_dicom

SECRETS = ("Ødegård", "P-4711", "St. Elsewhere", "19500203", "Dr. No")


def speckle(frames=12, height=120, width=160):
    return np.random.default_rng(0).integers(0, 90, (frames, height, width), np.uint8)


@pytest.fixture
def clip(tmp_path):
    """An uncompressed-looking clip of a named patient with a banner above the fan."""
    video = speckle()
    video[:, :14] = 0
    video[:, 4:9, 10:90:3] = 230  # a banner that never changes
    path = tmp_path / "a.dcm"
    write_dicom(
        video, np.arange(12) / 25, path, spacing_mm=(0.4, 0.4), region=(0, 14, 160, 120), compression="rle"
    )
    dataset = pydicom.dcmread(path)
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Ødegård^Åse", "P-4711", "19500203"
    dataset.SpecificCharacterSet, dataset.InstitutionName = "ISO_IR 192", "St. Elsewhere"
    dataset.SeriesDescription = "Dr. No PSAX"
    dataset.add_new(0x00091001, "LO", "Dr. No")
    del dataset.BurnedInAnnotation
    dataset.save_as(path)
    return path


def blocked(found):
    return " | ".join(item["what"] for item in found["blocked"])


def test_facts_are_told_and_no_value_of_the_patient(clip):
    found = inspect_clip(clip)
    assert found["usable"] and found["refusal"] is None
    facts = found["clip"]
    assert (facts["frames"], facts["width"], facts["height"]) == (12, 160, 120)
    assert facts["frames_per_s"] == 25 and facts["times_source"] == "FrameTime" and not facts["times_uneven"]
    assert facts["spacing_mm"] == pytest.approx([0.4, 0.4])
    (region,) = found["regions"]
    assert (region["format"], region["data"], region["units"]) == ("2-D", "tissue", ["cm", "cm"])
    assert region["bounds"] == [0, 14, 159, 119] and region["delta"] == pytest.approx([0.04, 0.04])
    identity = found["identity"]
    assert {"PatientName", "PatientID", "PatientBirthDate", "InstitutionName"} <= set(identity["elements"])
    assert identity["private_elements"] == 1 and identity["stated_removed"] == "YES"
    assert found["view_hints"] == ["SeriesDescription mentions PSAX."]
    text = json.dumps(found, ensure_ascii=False)
    assert not any(secret in text for secret in SECRETS)


def test_text_above_the_image_is_a_risk(clip, tmp_path):
    assert inspect_clip(clip)["burned_in"]["risk"] == "high"
    video = speckle()
    video[:, :14] = 0
    write_dicom(video, np.arange(12) / 25, tmp_path / "b.dcm", region=(0, 14, 160, 120), compression="rle")
    assert inspect_clip(tmp_path / "b.dcm")["burned_in"]["risk"] == "low"
    video[:, 116:] = 0
    video[:, 117:119, ::3] = 230  # a scale at the bottom
    write_dicom(
        video,
        np.arange(12) / 25,
        tmp_path / "c.dcm",
        spacing_mm=(0.4, 0.4),
        region=(0, 14, 160, 116),
        compression="rle",
    )
    assert inspect_clip(tmp_path / "c.dcm")["burned_in"]["risk"] == "possible"
    dataset = pydicom.dcmread(tmp_path / "b.dcm")
    dataset.BurnedInAnnotation = "YES"
    dataset.save_as(tmp_path / "d.dcm")
    assert inspect_clip(tmp_path / "d.dcm")["burned_in"]["risk"] == "high"


def test_what_would_block_measurements(tmp_path):
    path = tmp_path / "a.dcm"
    times = np.arange(12)
    write_dicom(speckle(), times / 60, path, spacing_mm=(0.4, 0.4))
    said = blocked(inspect_clip(path))
    assert "lengths" not in said and "timing of the wall" not in said and "LV mass index" in said
    assert "(perhaps) heart rate" in said  # 0.2 s hold no beat
    write_dicom(speckle(), times / 10, path)
    said = blocked(inspect_clip(path))
    assert "lengths in mm" in said and "heart rate, durations" in said
    np.savez(tmp_path / "b.npz", video=speckle())
    assert "heart rate, durations" in blocked(inspect_clip(tmp_path / "b.npz"))


def test_a_still_blocks_everything_and_its_header_is_told_all_the_same(clip, capsys):
    dataset = pydicom.dcmread(clip)
    dataset.NumberOfFrames = 1
    dataset.save_as(clip)
    assert main(["inspect", str(clip)]) == 2
    said = capsys.readouterr().out
    assert "still image" in said and "PatientName" in said and re.search(r"Blocked\s+everything", said)
    assert "Region 1" in said and not any(secret in said for secret in SECRETS)


def test_the_command_line(clip, capsys):
    assert main(["inspect", str(clip)]) == 0
    said = capsys.readouterr().out
    assert "25.00 frames a second" in said and "0.4 × 0.4 mm per pixel" in said
    assert "risk high" in said and "research use only" in said
    assert not any(secret in said for secret in SECRETS)
    assert main(["inspect", "--json", str(clip)]) == 0
    assert json.loads(capsys.readouterr().out) == inspect_clip(clip)
    assert main(["inspect", str(clip.with_name("absent.dcm"))]) == 2
    assert "absent.dcm was not found" in capsys.readouterr().err


def test_an_absent_file_is_one_sentence(tmp_path):
    with pytest.raises(ClipError):
        inspect_clip(tmp_path / "absent.dcm")


def test_every_shared_file_is_inspected(shared_data):
    """Whatever the file is, the answer is plain JSON and never an exception."""
    files = sorted(path for path in shared_data.rglob("*.dcm") if path.stat().st_size < 1_500_000)
    for file in files:
        json.dumps(inspect_clip(file), allow_nan=False)
    assert len(files) > 10


def test_an_odd_element_does_not_make_a_file_unreadable(shared_data):
    found = inspect_clip(shared_data / "dicom_us" / "iu22_jpegls.dcm")
    assert "still image" in (found["refusal"] or "") and "damaged" not in found["refusal"]
