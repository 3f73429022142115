"""Frame times of a DICOM cine, by the priority of PS3.3 C.7.6.5 and with the faults of real files in mind.

FrameIncrementPointer names the element to believe; then FrameTimeVector, FrameTime, CineRate,
ActualFrameDuration, and the display rate last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from .dicom_values import numbers
from .timing import Timing, plausible_step, uniform_times, unknown_timing

_DISAGREEMENT = 0.05
_VECTOR = "FrameTimeVector"
_DISPLAY = "RecommendedDisplayFrameRate"
_MS_ELEMENTS = ("FrameTime", "ActualFrameDuration")
_PRIORITY = (_VECTOR, "FrameTime", "CineRate", "ActualFrameDuration", _DISPLAY)
_SWEEPING = 1


def dicom_timing(header: Dataset, frame_count: int) -> Timing:
    """Find the times of a DICOM cine's frames.

    FrameTimeVector holds increments in ms, the first of which should be 0 and is ignored where it is not; it
    may be uneven. Values of 0, impossible rates and vectors of the wrong length are passed over with a
    warning, and elements that differ by more than 5 % from the one used are named.

    Args:
        header: the time elements.
        frame_count: number of frames, at least 2.
    """
    times, warnings = _candidates(header, frame_count)
    order = sorted(times, key=lambda name: (name != _pointed(header), _PRIORITY.index(name)))
    if not order:
        timing = unknown_timing(frame_count, "The file has no usable frame times")
        return replace(timing, warnings=(*warnings, *timing.warnings, *_sweep_warning(header)))
    used = order[0]
    if used == _DISPLAY:
        warnings.append(
            "The only frame rate in the file is a display rate, which may not be the acquisition's."
        )
    warnings += _disagreements(header, times, used)
    return Timing(times[used], used, warnings=(*warnings, *_sweep_warning(header)))


def r_wave_times_s(header: Dataset) -> list[float]:
    """Give RWaveTimeVector in seconds from the start of the clip; empty where the file has none."""
    return [value / 1000 for value in numbers(header, "RWaveTimeVector") if np.isfinite(value)]


def _candidates(header: Dataset, frame_count: int) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """Give the times by every element that is present and usable, and a warning for each that is not."""
    times, warnings = {}, []
    for name in _PRIORITY:
        values = numbers(header, name)
        found = _vector_times(values, frame_count) if name == _VECTOR else _uniform(name, values, frame_count)
        if found is not None:
            times[name] = found
        elif values and any(values):
            warnings.append(f"{name} was passed over: its values do not fit a clip of {frame_count} frames.")
    return times, warnings


def _vector_times(steps_ms: Sequence[float], frame_count: int) -> NDArray[np.float64] | None:
    """Sum up FrameTimeVector; None unless it has one increment a frame (or one between each two) above 0."""
    if len(steps_ms) not in (frame_count - 1, frame_count):
        return None
    between = np.asarray(steps_ms[len(steps_ms) - frame_count + 1 :], dtype=np.float64) / 1000
    if not (np.all(between > 0) and plausible_step(float(between.mean()))):
        return None
    return np.concatenate([[0.0], np.cumsum(between)])


def _uniform(name: str, values: Sequence[float], frame_count: int) -> NDArray[np.float64] | None:
    """Space frames evenly by one element, a time in ms or a rate in 1/s; None where impossible."""
    value = values[0] if len(values) == 1 else 0.0
    if not value > 0:
        return None
    step = value / 1000 if name in _MS_ELEMENTS else 1 / value
    return uniform_times(frame_count, step) if plausible_step(step) else None


def _disagreements(header: Dataset, times: dict[str, NDArray[np.float64]], used: str) -> list[str]:
    """Name the elements whose mean rate is more than 5 % off; the display rate is not the acquisition's."""
    span = float(times[used][-1])
    frame_count = len(times[used])
    warnings = [
        f"{name} says {(frame_count - 1) / other[-1]:.1f} frames a second but {used}, which was used, "
        f"{(frame_count - 1) / span:.1f}."
        for name, other in times.items()
        if name not in (used, _DISPLAY) and abs(other[-1] / span - 1) > _DISAGREEMENT
    ]
    # Some makers count the last frame's own duration in, others do not.
    spans = (span, span * frame_count / (frame_count - 1))
    duration = next(iter(numbers(header, "EffectiveDuration")), 0.0)
    if duration > 0 and all(abs(duration / value - 1) > _DISAGREEMENT for value in spans):
        warnings.append(f"EffectiveDuration says {duration:.2f} s but {used}, which was used, {span:.2f} s.")
    return warnings


def _sweep_warning(header: Dataset) -> tuple[str, ...]:
    if header.get("PreferredPlaybackSequencing") != _SWEEPING:
        return ()
    return (
        "The clip is meant to be played forwards and backwards; its frames were kept in the file's order.",
    )


def _pointed(header: Dataset) -> str:
    """Name the element that FrameIncrementPointer points to; empty where it points elsewhere."""
    pointer = header.get("FrameIncrementPointer")
    return next((name for name in (_VECTOR, "FrameTime") if pointer == Tag(name)), "")
