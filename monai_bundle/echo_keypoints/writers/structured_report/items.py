"""Content items of a structured report (PS3.3 C.17.3), each a pydicom data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from echo_keypoints.readers.dicom_study import Study
from echo_keypoints.writers.structured_report.codes import SOURCE_OF_MEASUREMENT, Code

CONTAINS, OBSERVED, MODIFIED = "CONTAINS", "HAS OBS CONTEXT", "HAS CONCEPT MOD"
PROPERTY, INFERRED, SELECTED = "HAS PROPERTIES", "INFERRED FROM", "SELECTED FROM"

_CODE_LENGTH = 16


def coded(code: Code) -> Dataset:
    """Give a code as the item of a code sequence."""
    item = Dataset()
    if len(code.value) <= _CODE_LENGTH:
        item.CodeValue = code.value
    else:
        item.LongCodeValue = code.value
    item.CodingSchemeDesignator = code.scheme
    item.CodeMeaning = code.meaning
    return item


def container(
    relationship: str | None,
    name: Code,
    children: Sequence[Dataset],
    *,
    template: str | None = None,
    continuity: str = "SEPARATE",
) -> Dataset:
    """Give a CONTAINER; the root has no relationship."""
    item = _item(relationship, "CONTAINER", name)
    item.ContinuityOfContent = continuity
    if template:
        reference = Dataset()
        reference.MappingResource = "DCMR"
        reference.TemplateIdentifier = template
        item.ContentTemplateSequence = [reference]
    item.ContentSequence = list(children)
    return item


def code_item(relationship: str, name: Code, value: Code) -> Dataset:
    """Give a CODE."""
    item = _item(relationship, "CODE", name)
    item.ConceptCodeSequence = [coded(value)]
    return item


def text_item(relationship: str, name: Code, value: str) -> Dataset:
    """Give a TEXT."""
    item = _item(relationship, "TEXT", name)
    item.TextValue = value
    return item


def uid_item(relationship: str, name: Code, value: str) -> Dataset:
    """Give a UIDREF."""
    item = _item(relationship, "UIDREF", name)
    item.UID = value
    return item


def number_item(name: Code, value: float, unit: Code, children: Sequence[Dataset] = ()) -> Dataset:
    """Give a NUM with six significant digits."""
    item = _item(CONTAINS, "NUM", name)
    measured = Dataset()
    measured.NumericValue = f"{value:.6g}"
    measured.MeasurementUnitsCodeSequence = [coded(unit)]
    item.MeasuredValueSequence = [measured]
    if children:
        item.ContentSequence = list(children)
    return item


def image_item(
    relationship: str, study: Study, frame: int | None = None, *, name: Code | None = None
) -> Dataset:
    """Give an IMAGE: the clip, or one frame of it (counted from 0 here, from 1 in the file)."""
    item = _item(relationship, "IMAGE", name)
    reference = Dataset()
    reference.ReferencedSOPClassUID = study.sop_class
    reference.ReferencedSOPInstanceUID = study.sop_instance
    if frame is not None:
        reference.ReferencedFrameNumber = frame + 1
    item.ReferencedSOPSequence = [reference]
    return item


def calliper_item(points_px: NDArray[np.floating], frame: int, study: Study) -> Dataset:
    """Give a line on one frame as SCOORD (PS3.3 C.18.6, TID 320).

    Args:
        points_px: ``(2, 2)`` ``(x, y)`` with pixel centres at integers; DICOM has the top-left corner of the
            top-left pixel at 0, so that half a pixel is added.
        frame: counted from 0.
        study: of the clip.
    """
    item = _item(INFERRED, "SCOORD", SOURCE_OF_MEASUREMENT)
    item.GraphicType = "POLYLINE"
    item.GraphicData = [float(value) for value in (np.asarray(points_px, np.float32) + 0.5).ravel()]
    item.ContentSequence = [image_item(SELECTED, study, frame)]
    return item


def _item(relationship: str | None, value_type: str, name: Code | None) -> Dataset:
    item = Dataset()
    if relationship:
        item.RelationshipType = relationship
    item.ValueType = value_type
    if name:
        item.ConceptNameCodeSequence = [coded(name)]
    return item
