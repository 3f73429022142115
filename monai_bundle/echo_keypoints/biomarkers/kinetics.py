"""What is read off the smoothed curves of one beat: peaks, delays and velocities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.biomarkers.beats import Beat
from echo_keypoints.biomarkers.formulas import post_systolic_index
from echo_keypoints.biomarkers.indices import Missing, Quantity
from echo_keypoints.biomarkers.smoothing import Smoothed, smooth
from echo_keypoints.biomarkers.turning import vertex

LEAST_THICKENING = 0.10
"""A wall that thickens by less at its peak has no post-systolic index and no time of the peak."""

LEAST_MOTION = 0.05
"""A wall that moves inward by less of the end-diastolic cavity has no time of its inward peak."""

FINE_RATE_HZ = 50.0
"""Frames a second from which times and velocities of the walls are given."""

DIMENSION_RATE_HZ = 30.0
"""Frames a second from which peaks of thickness are given (less is warned of for ED and ES themselves)."""

_WALLS = ("IVS", "LVPW")


@dataclass(frozen=True, eq=False)
class Curves:
    """The curves of a clip.

    Attributes:
        times_s: ``(T,)`` seconds.
        times_known: False where the times are assumed: then nothing in seconds may be given.
        lengths: smoothed lengths by segment, in mm or, where the scale is unknown, px.
        in_mm: which of the two.
        inward: ``(T,)`` smoothed place of each endocardium along the measuring line, growing inward, by wall.
        repeated_frames: how many frames are the same as the one before, and so no moments of their own.
    """

    times_s: NDArray[np.float64]
    times_known: bool
    lengths: Mapping[str, Smoothed]
    in_mm: bool
    inward: Mapping[str, Smoothed]
    repeated_frames: int = 0

    @property
    def rate_hz(self) -> float:
        """Mean number of frames a second that show a moment of their own."""
        return max(1, len(self.times_s) - 1 - self.repeated_frames) / float(
            self.times_s[-1] - self.times_s[0]
        )


def inward_motion(times_s: NDArray[np.float64], points: NDArray[np.float64]) -> dict[str, Smoothed]:
    """Give the place of both endocardia along the mean measuring line, smoothed; larger is further inward.

    Args:
        times_s: ``(T,)`` seconds.
        points: ``(T, 4, 2)`` in units that are the same along x and y; NaN where not measurable.
    """
    lines = points[:, 3] - points[:, 0]
    lines = lines[np.isfinite(lines).all(axis=1)]
    along = lines.mean(axis=0) if len(lines) else np.zeros(2)
    along = along / max(float(np.linalg.norm(along)), 1e-9)
    return {"IVS": smooth(times_s, points[:, 1] @ along), "LVPW": smooth(times_s, -(points[:, 2] @ along))}


def kinetics(curves: Curves, beat: Beat) -> dict[str, Quantity]:
    """Read everything off the curves that one beat allows; what it does not has its reason.

    Returns:
        The ``*_curve`` quantities of `indices.INDICES`.
    """
    found: dict[str, Quantity] = {}
    run = _whole_beat(beat)
    for wall in _WALLS:
        found[f"{wall}_PSI_curve"] = _gate(curves, DIMENSION_RATE_HZ) or _post_systolic(
            curves, beat, wall, run
        )
        found[f"{wall}_time_to_peak_curve"] = _gate(curves, FINE_RATE_HZ) or _time_to_peak(
            curves, beat, wall, run
        )
    found["IVS_LVPW_delay_curve"] = _gate(curves, FINE_RATE_HZ) or _delay(curves, run)
    for phase in ("systole", "diastole"):
        gate = _gate(curves, FINE_RATE_HZ)
        span = _span(beat, phase)
        speed, rate = (gate, gate) if gate else _velocity(curves, phase, span)
        found[f"dDdt_{phase}_curve"] = speed if curves.in_mm or isinstance(speed, Missing) else UNKNOWN_SCALE
        found[f"dDdt_{phase}_norm_curve"] = rate
    return found


UNKNOWN_SCALE = Missing("the scale of the clip is unknown")
UNKNOWN_TIMES = Missing("the frame times of the clip are unknown")


def _gate(curves: Curves, least_hz: float) -> Missing | None:
    if not curves.times_known:
        return UNKNOWN_TIMES
    if curves.rate_hz < least_hz - 0.5:
        return Missing(f"it needs {least_hz:g} frames a second, and the clip has {curves.rate_hz:.1f}")
    return None


def _whole_beat(beat: Beat) -> slice | Missing:
    if beat.next_ed is None:
        return Missing("the beat does not end within the clip")
    return slice(beat.ed.frame, beat.next_ed.frame + 1)


def _peak(curves: Curves, wall: str, run: slice) -> tuple[float, float] | Missing:
    """Largest thickness and its time within a beat, of a wall that thickens at all."""
    values = curves.lengths[wall].values
    if np.isnan(values[run]).any():
        return Missing("the wall is not measurable on every frame of the beat")
    index = run.start + int(np.argmax(values[run]))
    if values[index] < (1 + LEAST_THICKENING) * values[run.start]:
        return Missing(f"the wall thickens by less than {LEAST_THICKENING:.0%}")
    return float(values[index]), vertex(curves.times_s, values, index)


def _post_systolic(curves: Curves, beat: Beat, wall: str, run: slice | Missing) -> Quantity:
    if isinstance(run, Missing):
        return run
    if beat.es is None:
        return Missing("the beat has no end-systole")
    peak = _peak(curves, wall, run)
    if isinstance(peak, Missing):
        return peak
    values = curves.lengths[wall].values
    if peak[1] <= beat.es.time_s:
        return 0.0
    return post_systolic_index(float(values[beat.ed.frame]), float(values[beat.es.frame]), peak[0])


def _time_to_peak(curves: Curves, beat: Beat, wall: str, run: slice | Missing) -> Quantity:
    peak = run if isinstance(run, Missing) else _peak(curves, wall, run)
    return peak if isinstance(peak, Missing) else 1000 * (peak[1] - beat.ed.time_s)


def _delay(curves: Curves, run: slice | Missing) -> Quantity:
    if isinstance(run, Missing):
        return run
    moments = {}
    for wall, motion in curves.inward.items():
        values = motion.values
        if np.isnan(values[run]).any():
            return Missing("a wall is not measurable on every frame of the beat")
        index = run.start + int(np.argmax(values[run]))
        cavity = curves.lengths["LVID"].values[run.start]
        if not values[index] - values[run.start] >= LEAST_MOTION * cavity:
            return Missing(f"a wall moves inward by less than {LEAST_MOTION:.0%} of the cavity")
        moments[wall] = vertex(curves.times_s, values, index)
    return 1000 * (moments["LVPW"] - moments["IVS"])


def _span(beat: Beat, phase: str) -> tuple[int, int] | Missing:
    if beat.es is None:
        return Missing("the beat has no end-systole")
    if phase == "systole":
        return beat.ed.frame, beat.es.frame
    if beat.next_ed is None:
        return Missing("the beat does not end within the clip")
    # Early: without the atrial kick, which is the faster one in many hearts.
    return beat.es.frame, (beat.es.frame + beat.next_ed.frame) // 2


def _velocity(curves: Curves, phase: str, span: tuple[int, int] | Missing) -> tuple[Quantity, Quantity]:
    """Peak speed in cm/s (if lengths are mm) and the peak relative rate in 1/s, both positive."""
    if isinstance(span, Missing):
        return span, span
    cavity = curves.lengths["LVID"]
    run = slice(span[0], span[1] + 1)
    slopes, values = cavity.slopes[run] * (-1 if phase == "systole" else 1), cavity.values[run]
    if not len(slopes) or np.isnan(slopes).any():
        nothing = Missing("the cavity is not measurable on every frame of it")
        return nothing, nothing
    return float(slopes.max()) / 10, float((slopes / values).max())
