"""`Timing`: when each frame was taken, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ASSUMED_FPS = 30.0
"""Used, with a warning and ``known=False``, where a file has no times: tracking needs an order only."""

STEP_RANGE_S = (0.001, 1.0)
"""Mean frame intervals outside these (1000 to 1 frames a second) are not those of an echo clip."""


@dataclass(frozen=True)
class Timing:
    """The times of a clip's frames.

    Attributes:
        times_s: ``(T,)`` float64, seconds from the first frame, strictly increasing.
        source: where they came from.
        known: False where `ASSUMED_FPS` had to stand in, so that rates and durations mean nothing.
        warnings: sentences for the user.
    """

    times_s: NDArray[np.float64]
    source: str
    known: bool = True
    warnings: tuple[str, ...] = ()


def plausible_step(step_s: float) -> bool:
    """Tell whether a mean frame interval in seconds can be that of an echo clip; NaN cannot."""
    return STEP_RANGE_S[0] <= step_s <= STEP_RANGE_S[1]


def uniform_times(frame_count: int, step_s: float) -> NDArray[np.float64]:
    """Give ``(T,)`` times in seconds, `step_s` apart, starting at 0."""
    return np.arange(frame_count, dtype=np.float64) * step_s


def unknown_timing(frame_count: int, reason: str) -> Timing:
    """Number the frames at `ASSUMED_FPS`, and say so.

    Args:
        frame_count: number of frames.
        reason: why the times are not known, the start of a sentence: "The file has no frame times".
    """
    return Timing(
        uniform_times(frame_count, 1 / ASSUMED_FPS),
        f"unknown, {ASSUMED_FPS:g} fps assumed",
        known=False,
        warnings=(
            f"{reason}: {ASSUMED_FPS:g} frames a second were assumed, so durations, velocities and the heart "
            "rate are not to be trusted.",
        ),
    )


def stamped_timing(stamps_s: Sequence[float | None], source: str, warning: str = "") -> Timing:
    """Use one time stamp a frame, or `unknown_timing` where they cannot be times.

    Args:
        stamps_s: a stamp in seconds for each frame, from any origin; None where there is none.
        source: what to call them, e.g. ``"container"``.
        warning: a sentence that goes with them, if any.
    """
    values = np.array([math.nan if stamp is None else stamp for stamp in stamps_s], dtype=np.float64)
    steps = np.diff(values)
    if not (np.all(steps > 0) and plausible_step(float(steps.mean()))):
        return unknown_timing(len(values), "The frame times in the file are missing or impossible")
    return Timing(values - values[0], source, warnings=(warning,) if warning else ())
