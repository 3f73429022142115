"""What all our DICOM files have in common: file meta, patient and study, equipment."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta, timezone

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, ExplicitVRLittleEndian, generate_uid

from echo_keypoints._version import __version__
from echo_keypoints.readers.dicom_study import PATIENT_AND_STUDY, Study
from echo_keypoints.results import AnalysisResult, to_document

MAKER = "EchoKeypoints"
_TYPE_2 = (
    "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime ReferringPhysicianName StudyID "
    "AccessionNumber"
).split()
"""Elements that every object must have, be they empty."""


def new_file(sop_class: str, seed: list[str]) -> FileDataset:
    """Make an empty file of a SOP class, to be written in Explicit VR Little Endian.

    Args:
        sop_class: UID.
        seed: texts that the SOP instance UID is made from; the same give the same.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[*seed, "instance"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.FileMetaInformationGroupLength = 0  # pydicom puts the right number
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    # pydicom 2 must be told the byte order in this way; pydicom 3 still takes it.
    dataset = FileDataset(
        "", {}, file_meta=meta, preamble=b"\0" * 128, is_implicit_VR=False, is_little_endian=True
    )
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[*seed, "series"])
    dataset.Manufacturer = MAKER
    dataset.ManufacturerModelName = MAKER
    dataset.DeviceSerialNumber = "0"
    dataset.SoftwareVersions = __version__
    return dataset


def file_in_study(dataset: Dataset, study: Study | None, clip: str) -> None:
    """Give the file its patient and study: those of a clip, or a study of its own without a name.

    Args:
        dataset: the file, which is filled in.
        study: of the clip that the file belongs to, or None.
        clip: what tells the clip from others, e.g. its digest: all files of a clip share one study.
    """
    for keyword in _TYPE_2:
        setattr(dataset, keyword, "")
    if study is None:
        dataset.PatientID = f"CLIP-{hashlib.sha256(clip.encode()).hexdigest()[:12]}"
        dataset.StudyID = "1"
        dataset.StudyInstanceUID = generate_uid(entropy_srcs=[clip, "study"])
        return
    for keyword in PATIENT_AND_STUDY:
        if keyword in study.identity:
            setattr(dataset, keyword, study.identity.get(keyword))


def clip_identity(result: AnalysisResult) -> str:
    """Give what tells the clip of a result from others."""
    return result.clip_sha256 or result.clip.source


def result_seed(result: AnalysisResult, kind: str) -> list[str]:
    """Give texts for the UIDs of a result's file: any change of the result gives other UIDs.

    Args:
        result: of the clip.
        kind: what is written, e.g. ``"sr"``.
    """
    text = json.dumps(to_document(result), sort_keys=True)
    return [hashlib.sha256(text.encode()).hexdigest(), kind, __version__]


def stamp_content(
    dataset: Dataset, result: AnalysisResult, study: Study | None, *, state_zone: bool = False
) -> None:
    """Set ContentDate and ContentTime to the result's latest change.

    In the time zone that the clip states, since it holds for all times of an object; else in local time.

    Args:
        dataset: the file, which is filled in.
        result: of the clip.
        study: of the clip, or None.
        state_zone: write the time zone even where the clip states none.
    """
    when = result.audit[-1].when if result.audit else result.created_utc
    offset = str(study.identity.get("TimezoneOffsetFromUTC") or "") if study else ""
    instant = datetime.fromisoformat(when.replace("Z", "+00:00")).astimezone(_zone(offset))
    dataset.ContentDate, dataset.ContentTime = instant.strftime("%Y%m%d"), instant.strftime("%H%M%S")
    if state_zone:
        dataset.TimezoneOffsetFromUTC = instant.strftime("%z")


def _zone(offset: str) -> timezone | None:
    """Read ``+HHMM``; None, which stands for local time, for any other text."""
    if len(offset) != 5 or offset[0] not in "+-" or not offset[1:].isdigit():
        return None
    minutes = int(offset[1:3]) * 60 + int(offset[3:])
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
