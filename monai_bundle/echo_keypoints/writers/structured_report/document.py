"""The file around the content tree: SR Document General, series, evidence and equipment modules."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage, generate_uid

from echo_keypoints.errors import ResultError
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
from echo_keypoints.writers.structured_report import codes, items
from echo_keypoints.writers.structured_report.findings import remarks, report_groups
from echo_keypoints.writers.structured_report.tid1500 import tid1500
from echo_keypoints.writers.structured_report.tid5300 import tid5300

TEMPLATES = {"1500": ComprehensiveSRStorage, "5300": "1.2.840.10008.5.1.4.1.1.88.72"}
"""Root template → SOP class: Comprehensive SR, Simplified Adult Echo SR."""

_SERIES_NUMBERS = {"1500": 9001, "5300": 9002}


def write_sr(
    result: AnalysisResult,
    path: Path,
    study: Study | None,
    *,
    template: str = "1500",
    with_identity: bool = False,
) -> None:
    """Write the measurements of a result as a preliminary, unverified structured report.

    The same result gives the same file, UIDs included; any change of the result gives other UIDs.

    Args:
        result: with `measurements` and `beats`.
        path: file to write.
        study: of the clip (`read_study`): the report points at its frames. None, where the clip was not
            DICOM: the report has no callipers.
        template: ``"1500"`` or ``"5300"``.
        with_identity: file the report in the clip's study, the patient's name included; else it names no
            patient and has a study of its own.

    Raises:
        ResultError: nothing was measured.
        OSError: the folder cannot be written to.
    """
    groups = report_groups(result)
    if not groups:
        raise ResultError(f"{result.clip.source}: there is no measurement to report.")
    seed = result_seed(result, f"sr-{template}")
    dataset = new_file(TEMPLATES[template], seed)
    named = study if with_identity else None
    file_in_study(dataset, named, clip_identity(result))
    _add_general(dataset)
    # The Simplified Adult Echo SR must say it.
    stamp_content(dataset, result, named, state_zone=template == "5300")
    if study:
        dataset.CurrentRequestedProcedureEvidenceSequence = [_evidence(study)]
    dataset.SeriesNumber = _SERIES_NUMBERS[template]
    observer = _observer(result)
    if template == "1500":
        root = tid1500(groups, remarks(result), study, observer, (MAKER, result.software), seed)
    else:
        root = tid5300(groups, study, observer)
    for element in root:
        dataset.add(element)
    with atomic_path(path) as part:
        dataset.save_as(part)


def _add_general(dataset: Dataset) -> None:
    """SR Document Series and SR Document General modules (PS3.3 C.17.1 and C.17.2)."""
    dataset.Modality = "SR"
    dataset.SeriesDescription = "EchoKeypoints measurements (research use only)"
    dataset.InstanceNumber = 1
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.CompletionFlag = "COMPLETE"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.PreliminaryFlag = "PRELIMINARY"
    dataset.PerformedProcedureCodeSequence = []
    scheme = Dataset()
    scheme.CodingSchemeDesignator = codes.PRIVATE_SCHEME
    scheme.CodingSchemeName = "Indices of EchoKeypoints"
    scheme.CodingSchemeResponsibleOrganization = "The EchoKeypoints authors"
    dataset.CodingSchemeIdentificationSequence = [scheme]


def _evidence(study: Study) -> Dataset:
    """Name the clip in the hierarchy of its study (PS3.3 C.17.2.2)."""
    instance, series, evidence = Dataset(), Dataset(), Dataset()
    instance.ReferencedSOPClassUID = study.sop_class
    instance.ReferencedSOPInstanceUID = study.sop_instance
    series.SeriesInstanceUID = study.series
    series.ReferencedSOPSequence = [instance]
    evidence.StudyInstanceUID = study.study
    evidence.ReferencedSeriesSequence = [series]
    return evidence


def _observer(result: AnalysisResult) -> list[Dataset]:
    """Give the observer context of a device (TID 1001 and 1004): this software with these weights."""
    models = [f"{name} {digest}" for name, digest in sorted(result.models.items())]
    uid = generate_uid(entropy_srcs=[MAKER, result.software, *models])
    return [
        items.code_item(items.OBSERVED, codes.OBSERVER_TYPE, codes.DEVICE),
        items.uid_item(items.OBSERVED, codes.DEVICE_UID, uid),
        items.text_item(items.OBSERVED, codes.DEVICE_NAME, MAKER),
        items.text_item(items.OBSERVED, codes.DEVICE_MODEL, result.software),
    ]
