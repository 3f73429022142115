"""The cine as a Slicer sequence of single-slice volumes, indexed by time in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from echo_keypoints.clip import ClipHeader
from EchoKeypointsLib.geometry import Spacing, ijk_to_ras

_LUMA = np.array([0.299, 0.587, 0.114])  # Rec. 601, as the readers


def index_values(header: ClipHeader) -> list[str]:
    """Give the index of every frame: its time in seconds, to the microsecond, no two alike."""
    values = [f"{time_s:.6f}" for time_s in header.frame_times_s]
    if any(a == b for a, b in pairwise(values)):
        return [f"{time_s:.9f}" for time_s in header.frame_times_s]
    return values


def new_sequence(scene: slicer.vtkMRMLScene, name: str) -> slicer.vtkMRMLSequenceNode:
    """Add an empty sequence over time in seconds."""
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("s")
    sequence.SetIndexTypeFromString("numeric")
    return sequence


def fill(
    sequence: slicer.vtkMRMLSequenceNode, header: ClipHeader, pixels: NDArray[np.uint8]
) -> Iterator[tuple[int, int]]:
    """Put all frames into a sequence, one each time that the iterator is asked: long clips never block.

    Args:
        sequence: empty.
        header: of the clip.
        pixels: ``(T, H, W)`` uint8; copied.

    Yields:
        (frames done, frames in all).
    """
    volume = slicer.vtkMRMLScalarVolumeNode()
    volume.SetIJKToRASMatrix(ijk_to_ras(header.spacing_mm))
    for index, value in enumerate(index_values(header)):
        image = vtk.vtkImageData()
        image.SetDimensions(header.width, header.height, 1)
        image.GetPointData().SetScalars(
            numpy_to_vtk(
                np.ascontiguousarray(pixels[index]).ravel(), deep=True, array_type=vtk.VTK_UNSIGNED_CHAR
            )
        )
        volume.SetAndObserveImageData(image)
        sequence.SetDataNodeAtValue(volume, value)
        yield index + 1, header.frame_count


def dress(volume: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Show 0..255 as black to white; Slicer's own choice would make the contrast flicker from frame to frame."""
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevelMinMax(0, 255)


def set_scale(sequence: slicer.vtkMRMLSequenceNode, spacing_mm: Spacing | None) -> None:
    """Give all frames of a sequence a new scale."""
    for index in range(sequence.GetNumberOfDataNodes()):
        sequence.GetNthDataNode(index).SetIJKToRASMatrix(ijk_to_ras(spacing_mm))


def pixels_of(sequence: slicer.vtkMRMLSequenceNode) -> NDArray[np.uint8]:
    """Read the frames of any sequence of single-slice volumes as grey ``(T, H, W)`` uint8.

    Colour becomes Rec. 601 luma; deeper greys are scaled to 0..255 over the whole sequence.

    Raises:
        ValueError: it holds something else, or frames of different sizes.
    """
    frames = [_grey(sequence.GetNthDataNode(i)) for i in range(sequence.GetNumberOfDataNodes())]
    if len(frames) < 2 or len({frame.shape for frame in frames}) != 1:
        raise ValueError("it does not hold two or more images of one size")
    stack = np.stack(frames)
    if stack.dtype == np.uint8:
        return stack
    low, high = float(stack.min()), float(stack.max())
    return np.round((stack - low) * (255 / max(high - low, 1e-9))).astype(np.uint8)


def _grey(node: slicer.vtkMRMLNode) -> NDArray:
    if not node.IsA("vtkMRMLVolumeNode") or node.GetImageData() is None:
        raise ValueError("it does not hold images")
    image = node.GetImageData()
    width, height, depth = image.GetDimensions()
    if depth != 1:
        raise ValueError("its images are volumes of several slices")
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)
    if values.shape[2] == 1:
        return values[..., 0]
    return np.round(values[..., :3] @ _LUMA).astype(values.dtype)
