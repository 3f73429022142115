"""A closer look at a small heart. The paper has no such step.

In a deep sector a heart fills a small part of the picture. Networks know hearts of that size less well, and the file
often shows more of it than model space would. So the detector looks at a few frames first; where the measuring line is
short, a window around it is shown in place of the whole sector.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.clip import Box
from echo_keypoints.tracking.backends.base import Backend
from echo_keypoints.tracking.context import temporal_context
from echo_keypoints.tracking.letterbox import LetterBox
from echo_keypoints.tracking.tone import lifted
from echo_keypoints.tracking.windows import evenly_spread

LINE_PX = 90.0
"""Length of the measuring line (SEpP → PEpP) in model space that a closer look aims at: what most hearts have."""

LEAST_GAIN, LARGEST_GAIN = 1.4, 2.5
"""Where less is to be gained a closer look changes nothing on phantoms; where it would be more, none is so small."""

LOOKS, SHOWN = 4, 8
"""Frames that the detector looks at first, and those that show it what moves."""


def closer_look(
    region: Box, spacing_mm: tuple[float, float] | None, frames: Sequence[NDArray[np.uint8]], backend: Backend
) -> Box:
    """Find the box that shows the heart large enough.

    Args:
        region: of the ultrasound image (`region.scan_region`), half-open, original pixels.
        spacing_mm: see `LetterBox.fit`.
        frames: the first frames of the clip, each ``(H, W)`` uint8.
        backend: has the detector.

    Returns:
        A window inside `region` around the measuring line, or `region` itself.
    """
    whole = LetterBox.fit(region, spacing_mm)
    shown = np.stack([whole.apply(frames[i]) for i in evenly_spread(len(frames), SHOWN)])
    context = temporal_context(lifted(shown))
    looks = shown[evenly_spread(len(shown), LOOKS)]
    points = whole.to_original(backend.detect(looks, [context] * len(looks)).points)
    return closer_window(region, spacing_mm, measuring_line(points))


def measuring_line(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give SEpP and PEpP ``(2, 2)`` of the landmarks ``(N, 4, 2)`` of some frames; those that stray do not count."""
    line: NDArray[np.float64] = np.median(points[:, [0, 3]], axis=0)
    return line


def closer_window(region: Box, spacing_mm: tuple[float, float] | None, line: NDArray[np.float64]) -> Box:
    """The same where the measuring line ``(2, 2)``, original pixels, is known."""
    whole = LetterBox.fit(region, spacing_mm)
    length = float(np.linalg.norm(np.diff(whole.to_model(line), axis=0)))
    gain = min(LINE_PX / max(length, 1.0), LARGEST_GAIN)
    if gain < LEAST_GAIN:
        return region
    middle = line.mean(axis=0)
    side = whole.size / gain / np.asarray(whole.scale)
    x0, x1 = _window(float(middle[0]), float(side[0]), region[0], region[2])
    y0, y1 = _window(float(middle[1]), float(side[1]), region[1], region[3])
    return x0, y0, x1, y1


def _window(middle: float, side: float, low: int, high: int) -> tuple[int, int]:
    """A span of about this length around the middle, moved inside ``low .. high`` or cut to it."""
    start = min(max(middle + 0.5 - side / 2, low), max(high - side, low))
    return int(np.floor(start)), min(int(np.ceil(start + side)), high)
