"""The geometry of callipers: what every picture of the landmarks draws, in the picture's own units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.anatomy import SEGMENTS, Segment
from echo_keypoints.results import AnalysisResult
from echo_keypoints.writers.style import LOW_CONFIDENCE

TICK = 13.0
"""Half the length of the bar across the end of a calliper."""

LABEL_GAP = 7.0
"""From the end of that bar to the label."""


@dataclass(frozen=True, eq=False)
class Calliper:
    """One length on one frame.

    Attributes:
        segment: which length.
        start, end: ``(2,)`` its ends, ``(x, y)`` in the picture.
        across: ``(2,)`` unit vector at a right angle to it, towards the label (never to the left).
        sure: both ends can be trusted.
        label: name, value and unit; a question mark follows where it is not sure.
    """

    segment: Segment
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    across: NDArray[np.float64]
    sure: bool
    label: str


def callipers(result: AnalysisResult, index: int, points: NDArray[np.float64]) -> Iterator[Calliper]:
    """Give the callipers of a frame whose both ends are known.

    Args:
        result: for confidence and lengths.
        index: of the frame.
        points: ``(4, 2)`` the landmarks of that frame in the picture; NaN where not measurable.
    """
    unit = "px" if result.clip.spacing_mm is None else "mm"
    sure = sure_points(result, index)
    for segment in SEGMENTS:
        start, end = points[segment.start], points[segment.end]
        if not np.isfinite([start, end]).all():
            continue
        along = (end - start) / max(float(np.hypot(*(end - start))), 1e-6)
        across = np.array([-along[1], along[0]])
        length = result.lengths[segment.name]
        value = (length.px if length.mm is None else length.mm)[index]
        trusted = bool(sure[segment.start] and sure[segment.end])
        label = f"{segment.name} {value:.1f} {unit}" + ("" if trusted else " ?")
        yield Calliper(segment, start, end, across if across[0] >= 0 else -across, trusted, label)


def sure_points(result: AnalysisResult, index: int) -> NDArray[np.bool_]:
    """Tell ``(4,)`` which landmarks of a frame can be trusted; unknown confidence (NaN) counts as low."""
    return np.asarray(result.confidence[index] >= LOW_CONFIDENCE)
