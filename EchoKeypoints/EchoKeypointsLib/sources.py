"""Where a clip comes from: a file, an item of Slicer's DICOM database, or a sequence that is already loaded."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import slicer
from numpy.typing import NDArray

from echo_keypoints.clip import ClipHeader
from echo_keypoints.errors import ClipError
from echo_keypoints.readers.header import Scale, make_header, unknown_scale
from echo_keypoints.readers.limits import plausible_scale
from echo_keypoints.readers.timing import Timing, stamped_timing, unknown_timing
from EchoKeypointsLib import cine


def dicom_file(browser: slicer.vtkMRMLSequenceBrowserNode, database) -> Path | None:
    """Find the file of a sequence that Slicer's DICOM module loaded: read again by us, its scale and times are right.

    Args:
        browser: of the sequence.
        database: ctkDICOMDatabase (``slicer.dicomDatabase``) or None.
    """
    sequence = browser.GetMasterSequenceNode()
    if database is None or sequence is None:
        return None
    for node in (browser.GetProxyNode(sequence), sequence, browser):
        uids = (node.GetAttribute("DICOM.instanceUIDs") or "").split() if node is not None else []
        if len(uids) == 1:
            path = database.fileForInstance(uids[0])
            if path and os.path.isfile(path):
                return Path(path)
    return None


def loaded_clip(browser: slicer.vtkMRMLSequenceBrowserNode) -> tuple[ClipHeader, NDArray[np.uint8]]:
    """Take the frames of a sequence that is already in the scene.

    Times are those of its index, if it counts seconds. Its spacing counts as a scale unless it is 1: that is what
    Slicer gives to images that have none.

    Returns:
        The header and the pixels ``(T, H, W)``.

    Raises:
        ClipError: it is no cine of two-dimensional images.
    """
    sequence = browser.GetMasterSequenceNode()
    if sequence is None:
        raise ClipError(f"{browser.GetName()} has no sequence; choose one that has.")
    try:
        pixels = cine.pixels_of(sequence)
    except ValueError as error:
        raise ClipError(f"The sequence {sequence.GetName()} cannot be used as a clip: {error}.") from None
    spacing = sequence.GetNthDataNode(0).GetSpacing()[:2]
    header = make_header(
        _plain_name(sequence.GetName()),
        pixels.shape,
        _timing(sequence),
        _scale((float(spacing[0]), float(spacing[1]))),
        {"format": "Slicer sequence"},
    )
    return header, pixels


def _timing(sequence: slicer.vtkMRMLSequenceNode) -> Timing:
    count = sequence.GetNumberOfDataNodes()
    if sequence.GetIndexName() != "time" or sequence.GetIndexUnit() not in ("s", "ms"):
        return unknown_timing(count, "The sequence has no times")
    factor = 0.001 if sequence.GetIndexUnit() == "ms" else 1.0
    try:
        stamps = [factor * float(sequence.GetNthIndexValue(i)) for i in range(count)]
    except ValueError:
        return unknown_timing(count, "The sequence has no times")
    return stamped_timing(stamps, "index of the Slicer sequence")


def _scale(spacing: tuple[float, float]) -> Scale:
    if spacing == (1.0, 1.0):
        return unknown_scale("the Slicer sequence has the spacing 1, which stands for none")
    if not plausible_scale(spacing):
        return unknown_scale("the spacing of the Slicer sequence cannot be that of an ultrasound image")
    return Scale(spacing, "spacing of the Slicer sequence")


def _plain_name(name: str) -> str:
    """A node's name as a file name: no folder, no odd characters."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "sequence"
