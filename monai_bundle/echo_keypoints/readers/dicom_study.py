"""The study that a DICOM clip belongs to: read only for outputs that have to be filed with it.

Nothing else in the software reads these elements (see `dicom_file`): they hold the patient's name, which is
only written on request.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from ..clip import ClipHeader
from ..errors import ClipError
from .guard import display_name, guarded
from .sniff import sniff

PATIENT_AND_STUDY = (
    "PatientName PatientID IssuerOfPatientID PatientBirthDate PatientSex StudyInstanceUID StudyDate StudyTime "
    "ReferringPhysicianName StudyID AccessionNumber StudyDescription PatientAge PatientSize PatientWeight "
    "PatientIdentityRemoved DeidentificationMethod TimezoneOffsetFromUTC"
).split()
"""What an object shares with the others of its study (Patient, General Study and Patient Study modules)."""

_UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_ELEMENTS = ("SpecificCharacterSet", "BurnedInAnnotation", *_UIDS, *PATIENT_AND_STUDY)


@dataclass(frozen=True, eq=False)
class Study:
    """Identity of a DICOM clip.

    Attributes:
        identity: the elements of `PATIENT_AND_STUDY` that the clip has, their text decoded.
        sop_class, sop_instance, series, study: UIDs of the clip.
        burned_in: BurnedInAnnotation as the clip states it, or empty.
    """

    identity: Dataset
    sop_class: str
    sop_instance: str
    series: str
    study: str
    burned_in: str


def read_study(path: str | Path) -> Study:
    """Read the identity of a DICOM clip.

    Raises:
        ClipError: the file is not DICOM, is damaged, or lacks the UIDs that other objects refer to.
    """
    file = Path(path)
    source = display_name(file)
    with guarded(source):
        if sniff(file) != "dicom":
            raise ClipError(f"{source} is not a DICOM file; only DICOM clips belong to a study.")
        tags = [Tag(keyword) for keyword in _ELEMENTS]
        header = pydicom.dcmread(file, stop_before_pixels=True, force=True, specific_tags=tags)
        header.decode()
        uids = [str(header.get(name) or "") for name in _UIDS]
        if not all(uids):
            missing = ", ".join(name for name, uid in zip(_UIDS, uids, strict=True) if not uid)
            raise ClipError(f"{source} cannot be referred to: it has no {missing}.")
        identity = Dataset()
        for keyword in PATIENT_AND_STUDY:
            if keyword in header:
                value = header.get(keyword)
                # A name as plain text is written in the character set of the new file.
                setattr(identity, keyword, str(value) if keyword.endswith("Name") else value)
    sop_class, sop_instance, series, study = uids
    burned_in = str(header.get("BurnedInAnnotation") or "")
    return Study(identity, sop_class, sop_instance, series, study, burned_in)


def find_study(path: str | Path, header: ClipHeader) -> Study | None:
    """Read the identity of a clip if it has one that others can refer to.

    Args:
        path: the clip.
        header: its facts.
    """
    if header.metadata.get("format") != "DICOM":
        return None
    try:
        return read_study(path)
    except ClipError:
        return None
