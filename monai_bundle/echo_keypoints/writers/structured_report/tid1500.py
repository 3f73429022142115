"""TID 1500 Measurement Report: one measurement group (TID 1501) for the means and one for each beat."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from echo_keypoints.readers.dicom_study import Study
from echo_keypoints.writers.structured_report import codes, items
from echo_keypoints.writers.structured_report.codes import Code
from echo_keypoints.writers.structured_report.findings import Finding, Group

_REPORT = Code("126000", "DCM", "Imaging Measurement Report")
_PROCEDURE = Code("121058", "DCM", "Procedure reported")
_ECHO = Code("40701008", "SCT", "Echocardiography")
_MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")
_GROUP = Code("125007", "DCM", "Measurement Group")
_TRACKING = Code("112039", "DCM", "Tracking Identifier")
_TRACKING_UID = Code("112040", "DCM", "Tracking Unique Identifier")
_ALGORITHM = Code("111001", "DCM", "Algorithm Name")
_ALGORITHM_VERSION = Code("111003", "DCM", "Algorithm Version")


def tid1500(
    groups: list[Group],
    remarks: str,
    study: Study | None,
    observer: list[Dataset],
    algorithm: tuple[str, str],
    seed: list[str],
) -> Dataset:
    """Build the root container.

    Args:
        groups: what was measured.
        remarks: free text for the reader.
        study: of the clip, or None where no DICOM object can be referred to; then there are no callipers.
        observer: content items of the observer context (TID 1001).
        algorithm: name and version of the software.
        seed: texts that the tracking UIDs are made from.
    """
    measured = [
        _group(group, study, algorithm, generate_uid(entropy_srcs=[*seed, "group", str(number)]))
        for number, group in enumerate(groups)
    ]
    children = [
        items.code_item(items.MODIFIED, codes.LANGUAGE, codes.ENGLISH),
        *observer,
        items.code_item(items.MODIFIED, _PROCEDURE, _ECHO),
        items.container(items.CONTAINS, _MEASUREMENTS, measured),
        items.text_item(items.CONTAINS, codes.COMMENT, remarks),
    ]
    return items.container(None, _REPORT, children, template="1500")


def _group(group: Group, study: Study | None, algorithm: tuple[str, str], uid: str) -> Dataset:
    children = [
        items.text_item(items.OBSERVED, _TRACKING, group.title),
        items.uid_item(items.OBSERVED, _TRACKING_UID, uid),
        items.code_item(items.MODIFIED, codes.FINDING_SITE, codes.LEFT_VENTRICLE),
    ]
    for finding in group.findings:
        derivation = codes.MEAN if group.is_mean else None
        children.append(_number(finding, finding.value, derivation, study, algorithm))
        if finding.sd is not None:
            children.append(_number(finding, finding.sd, codes.STANDARD_DEVIATION, study, algorithm))
    if study:
        children.append(items.image_item(items.CONTAINS, study, name=codes.SOURCE_OF_MEASUREMENT))
    return items.container(items.CONTAINS, _GROUP, children, template="1501")


def _number(
    finding: Finding, value: float, derivation: Code | None, study: Study | None, algorithm: tuple[str, str]
) -> Dataset:
    """Give one measurement (TID 300) with its modifiers and callipers (TID 320)."""
    children = []
    if method := codes.METHODS.get(finding.name):
        children.append(items.code_item(items.MODIFIED, codes.MEASUREMENT_METHOD, method))
    if derivation:
        children.append(items.code_item(items.MODIFIED, codes.DERIVATION, derivation))
    site = codes.SEPTUM if finding.name.startswith("IVS") else codes.LEFT_VENTRICLE
    children.append(items.code_item(items.MODIFIED, codes.FINDING_SITE, site))
    if study:
        children += [items.calliper_item(c.points_px, c.frame, study) for c in finding.callipers]
    children.append(items.text_item(items.MODIFIED, _ALGORITHM, algorithm[0]))
    children.append(items.text_item(items.MODIFIED, _ALGORITHM_VERSION, algorithm[1]))
    name = codes.concept(finding.name, finding.label)
    return items.number_item(name, value, codes.unit(finding.unit), children)
