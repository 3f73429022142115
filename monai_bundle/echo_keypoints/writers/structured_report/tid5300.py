"""TID 5300 Simplified Adult Echo report (Supplement 169): flat lists of fully coded measurements, in cm.

The list of the means comes first, the values of the beats follow with their callipers. Of every concept only
the mean has a selection status, since TID 5301 allows one selected value.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from echo_keypoints.readers.dicom_study import Study
from echo_keypoints.writers.structured_report import codes, items
from echo_keypoints.writers.structured_report.codes import Code
from echo_keypoints.writers.structured_report.findings import Finding, Group

_REPORT = Code("125200", "DCM", "Adult Echocardiography Procedure Report")
_PRE_COORDINATED = Code("125301", "DCM", "Pre-coordinated Measurements")
_POST_COORDINATED = Code("125302", "DCM", "Post-coordinated Measurements")
_SELECTION = Code("121404", "DCM", "Selection Status")
_MEAN_CHOSEN = Code("121412", "DCM", "Mean value chosen")
_SHORT_LABEL = Code("125309", "DCM", "Short Label")
_TYPE = Code("125306", "DCM", "Measurement Type")
_OBSERVATION = Code("125305", "DCM", "Finding Observation Type")
_STRUCTURE = Code("125311", "DCM", "Structure of the Finding Site")
_PROPERTY = Code("125307", "DCM", "Measured Property")
_MODE = Code("399264008", "SCT", "Image Mode")
_MODE_2D = Code("399064001", "SCT", "2D mode")
_VIEW = Code("111031", "DCM", "Image View")
_PLAX = Code("399139001", "SCT", "Parasternal long axis")
_CYCLE_POINT = Code("272518008", "SCT", "Cardiac Cycle Point")
_DIASTOLE = Code("416190007", "SCT", "End diastole")
_SYSTOLE = Code("416430001", "SCT", "End systole")

_CALCULATED = Code("125315", "DCM", "Calculated")
_RATIO = Code("118586006", "SCT", "Ratio")
_CHANGE = Code("125314", "DCM", "Fractional change")
_THICKNESS = Code("59089-3", "LN", "Thickness")
_VOLUME = Code("118565006", "SCT", "Volume")

_MODIFIERS: dict[str, tuple[Code, Code, Code | None]] = {
    "RWT": (_RATIO, _THICKNESS, _DIASTOLE),
    "EDV_Teichholz": (_CALCULATED, _VOLUME, _DIASTOLE),
    "ESV_Teichholz": (_CALCULATED, _VOLUME, _SYSTOLE),
    "SV_Teichholz": (_CALCULATED, _VOLUME, None),
    "IVS_thickening": (_CHANGE, _THICKNESS, _SYSTOLE),
    "LVPW_thickening": (_CHANGE, _THICKNESS, _SYSTOLE),
}
"""Post-coordinated index → measurement type, measured property and point of the cycle (TID 5302)."""

_CM_PER_MM = 0.1


def tid5300(groups: list[Group], study: Study | None, observer: list[Dataset]) -> Dataset:
    """Build the root container; indices that TID 5301 and 5302 cannot say are left out.

    Args:
        groups: what was measured.
        study: of the clip, or None where no DICOM object can be referred to; then there are no callipers.
        observer: content items of the observer context (TID 1001).
    """
    found = [(group, finding) for group in groups for finding in group.findings]
    pre = [
        _number(group, finding, study, ()) for group, finding in found if finding.name in codes.ECHO_CONCEPTS
    ]
    post = [
        _number(group, finding, study, _post_coordination(finding.name))
        for group, finding in found
        if finding.name in _MODIFIERS
    ]
    children = [items.code_item(items.MODIFIED, codes.LANGUAGE, codes.ENGLISH), *observer]
    children += [
        items.container(items.CONTAINS, name, numbers)
        for name, numbers in ((_PRE_COORDINATED, pre), (_POST_COORDINATED, post))
        if numbers
    ]
    return items.container(None, _REPORT, children, template="5300")


def _number(group: Group, finding: Finding, study: Study | None, modifiers: tuple[Dataset, ...]) -> Dataset:
    """Give one measurement; lengths in cm, as echo systems exchange them."""
    children = list(modifiers)
    if group.is_mean:
        children.append(items.code_item(items.PROPERTY, _SELECTION, _MEAN_CHOSEN))
        children.append(items.code_item(items.MODIFIED, codes.DERIVATION, codes.MEAN))
    children.append(items.text_item(items.PROPERTY, _SHORT_LABEL, f"{finding.name} (2D)"))
    if study:
        children += [items.calliper_item(c.points_px, c.frame, study) for c in finding.callipers]
    scale, unit = (_CM_PER_MM, "cm") if finding.unit == "mm" else (1.0, finding.unit)
    name = codes.concept(finding.name, finding.label)
    return items.number_item(name, finding.value * scale, codes.unit(unit), children)


def _post_coordination(name: str) -> tuple[Dataset, ...]:
    """Give the modifiers that say what the measurement is (TID 5302)."""
    kind, measured, cycle_point = _MODIFIERS[name]
    site = codes.SEPTUM if name.startswith("IVS") else codes.LEFT_VENTRICLE
    said: list[tuple[Code, Code | None]] = [
        (_TYPE, kind),
        (codes.FINDING_SITE, site),
        (_OBSERVATION, _STRUCTURE),
        (_PROPERTY, measured),
        (codes.MEASUREMENT_METHOD, codes.METHODS.get(name)),
        (_MODE, _MODE_2D),
        (_VIEW, _PLAX),
        (_CYCLE_POINT, cycle_point),
    ]
    return tuple(items.code_item(items.MODIFIED, concept, value) for concept, value in said if value)
