"""What a DICOM header says of the patient, the view and the regions: names of elements, never their values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from .guard import display_name, guarded

# From the Basic Application Level Confidentiality Profile (PS3.15 annex E), besides all names and dates of persons.
_IDENTIFYING = frozenset(
    "PatientID IssuerOfPatientID OtherPatientIDs OtherPatientIDsSequence PatientBirthTime PatientAddress "
    "PatientTelephoneNumbers PatientAge PatientSize PatientWeight PatientSex EthnicGroup Occupation "
    "AdditionalPatientHistory PatientComments PatientState MedicalRecordLocator MilitaryRank BranchOfService "
    "CountryOfResidence RegionOfResidence PatientReligiousPreference PatientInsurancePlanCodeSequence "
    "CurrentPatientLocation AdmissionID AdmittingDiagnosesDescription InstitutionName InstitutionAddress "
    "InstitutionalDepartmentName StationName DeviceSerialNumber AccessionNumber StudyID RequestingService "
    "ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers StudyDescription SeriesDescription "
    "ProtocolName ImageComments StudyComments PerformedProcedureStepDescription PerformedProcedureStepID "
    "RequestedProcedureDescription RequestedProcedureID ScheduledProcedureStepDescription "
    "RequestAttributesSequence DerivationDescription TextValue".split()
)
_PERSONAL_REPRESENTATIONS = ("PN", "DA", "DT")
_RETIRED_GRAPHICS = {0x50: "Curve Data (50xx)", 0x60: "Overlay Data (60xx)"}

_PLAX_CODES = frozenset({"399139001", "G-0396"})  # SNOMED CT and SRT, CID 12226
_VIEW_TEXTS = ("SeriesDescription", "ProtocolName", "ImageComments", "StudyDescription")
_VIEW_WORDS = re.compile(r"\b(PLAX|PSAX|A[2-5]C|apical|subcostal|suprasternal|parasternal)\b", re.IGNORECASE)

_FORMATS = {1: "2-D", 2: "M-mode", 3: "spectral", 4: "waveform", 5: "graphics"}
_DATA_TYPES = {1: "tissue", 2: "colour flow", 3: "PW Doppler", 4: "CW Doppler", 0xA: "ECG", 0xB: "pulse",
               0xC: "phonocardiogram", 0xD: "grey bar", 0xE: "colour bar"}  # fmt: skip
_UNITS = {0: "none", 1: "%", 2: "dB", 3: "cm", 4: "s", 5: "Hz", 6: "dB/s", 7: "cm/s", 8: "cm2", 9: "cm2/s",
          0xA: "cm3", 0xB: "cm3/s", 0xC: "degrees"}  # fmt: skip


@dataclass(frozen=True)
class DicomTags:
    """Facts of a header.

    Attributes:
        identifying: keywords of the elements that are filled in and may tell who the patient is.
        private_count: private elements, whose content nobody else knows.
        identity_removed: PatientIdentityRemoved as stated, or empty.
        burned_in: BurnedInAnnotation as stated, or empty.
        view_hints: sentences; never proof, since names are often wrong.
        regions: one dictionary an ultrasound region, of plain data.
    """

    identifying: tuple[str, ...]
    private_count: int
    identity_removed: str
    burned_in: str
    view_hints: tuple[str, ...]
    regions: tuple[dict[str, Any], ...]


def read_tags(path: Path) -> DicomTags:
    """Look through the whole header, pixels left out.

    Raises:
        ClipError: the file is damaged.
    """
    with guarded(display_name(path)):
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True, defer_size=1 << 20)
        found, private = set(), 0
        for element in header.iterall():
            if element.tag.is_private:
                private += 1
            elif element.tag.group >> 8 in _RETIRED_GRAPHICS:
                found.add(_RETIRED_GRAPHICS[element.tag.group >> 8])
            elif not element.is_empty and (
                element.keyword in _IDENTIFYING or element.VR in _PERSONAL_REPRESENTATIONS
            ):
                found.add(element.keyword or str(element.tag))
        return DicomTags(
            tuple(sorted(found)),
            private,
            str(header.get("PatientIdentityRemoved") or ""),
            str(header.get("BurnedInAnnotation") or ""),
            tuple(_view_hints(header)),
            tuple(
                _region(item, n) for n, item in enumerate(header.get("SequenceOfUltrasoundRegions") or (), 1)
            ),
        )


def _view_hints(header: Dataset) -> list[str]:
    hints = []
    for item in header.get("ViewCodeSequence") or ():
        is_plax = str(item.get("CodeValue")) in _PLAX_CODES
        hints.append(f"ViewCodeSequence says {'parasternal long axis' if is_plax else 'another view'}.")
    for keyword in _VIEW_TEXTS:
        words = {word.lower() for word in _VIEW_WORDS.findall(str(header.get(keyword) or ""))}
        hints += [f"{keyword} mentions {word.upper() if len(word) <= 4 else word}." for word in sorted(words)]
    return hints


def _region(item: Dataset, number: int) -> dict[str, Any]:
    """Give a region as plain data; what is missing or odd is None or its number."""
    edges = [item.get(f"RegionLocation{name}") for name in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
    form, kind = item.get("RegionSpatialFormat"), item.get("RegionDataType")
    return {
        "number": number,
        "format": _FORMATS.get(form, form),
        "data": _DATA_TYPES.get(kind, kind),
        "bounds": [None if edge is None else int(edge) for edge in edges],
        "units": [_UNITS.get(u, u) for u in (item.get(f"PhysicalUnits{a}Direction") for a in "XY")],
        "delta": [None if d is None else float(d) for d in (item.get(f"PhysicalDelta{a}") for a in "XY")],
    }
