"""End-diastole and end-systole of every beat.

End-diastole (ED) is by the R wave where the file has one, else the largest cavity; end-systole (ES) is the
smallest cavity (Lang 2015 allows both), or the last one of a clip that is cut before. Nothing depends on a fixed number
of frames: heights are relative to the motion of this heart, distances to the length of its beats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.biomarkers.rhythm import period_s
from echo_keypoints.biomarkers.smoothing import Smoothed
from echo_keypoints.biomarkers.turning import Turn, turning_points, vertex

ES_WINDOW = (0.2, 0.65)
"""End-systole lies in this part of the beat; in slow beats also earlier, from 0.2 s."""

R_WINDOW_S = (-0.040, 0.080)
"""End-diastole lies in this window around the R wave."""

CLIP_END = "clip_end"
"""Source of an end-systole that is where the clip ends, while the cavity still shrinks."""

_HEIGHT = 0.25  # of the robust range: least change between ED and ES
_LAST_HEIGHT = 0.10  # of the robust range: fall that confirms the clip's last ED
_LEAST_DISTANCE = 0.5  # of the period, between two EDs
_LAST_DISTANCE = 0.75  # the same for the clip's last ED, unless the cavity is as large as at the one before
_MISSED_DISTANCE = (
    0.8  # of the period, from every known R wave: there may be a beat whose R wave was not seen
)
_LEAST_RR_S = 0.25
_LEAST_SYSTOLE_S, _LONGEST_SYSTOLE_S = 0.2, 0.5
_CONTRACTION = 0.6  # of the robust range: so deep a fall between two peaks is a beat, however near they are
_PLATEAU = 0.05  # of the robust range: so far below the peak, the fall has begun
_KNEE_S = 0.050  # the ED is the largest cavity in this time before the fall
_DEEP = 0.8  # of the deepest fall within the window: end-systole is a trough at least so deep
_STEEP = 0.5  # of the steepest fall: steeper at the clip's edge, systole has begun before, or goes on after
_LEAST_MOTION = 0.015  # robust range / median: below it there is no beat to see
_LEAST_SIGNAL = 3.0  # robust range / noise


@dataclass(frozen=True)
class Event:
    """A moment of the cycle.

    Attributes:
        frame: the real frame at which lengths are measured.
        time_s: its time; where the moment is an extremum, the vertex of a parabola, within half a frame.
        source: ``ecg_r``, ``max_lvid``, ``min_lvid``, `CLIP_END`, ``avc_user`` or ``user``.
    """

    frame: int
    time_s: float
    source: str


@dataclass(frozen=True)
class Beat:
    """From one end-diastole to the next; the end-systole, and the next end-diastole, may be outside of the clip."""

    ed: Event
    es: Event | None = None
    next_ed: Event | None = None

    @property
    def rr_s(self) -> float | None:
        """Length of the beat in seconds."""
        return None if self.next_ed is None else self.next_ed.time_s - self.ed.time_s


@dataclass(frozen=True)
class Beats:
    """What was found.

    Attributes:
        beats: in order; each begins where the one before ends, or later.
        note: why there is no beat, or None.
    """

    beats: tuple[Beat, ...]
    note: str | None = None


def find_beats(
    times_s: NDArray[np.floating],
    lvid: NDArray[np.floating],
    smoothed: Smoothed,
    *,
    r_waves_s: Sequence[float] = (),
    rate_hint_bpm: float | None = None,
) -> Beats:
    """Find the beats of a clip.

    Args:
        times_s: ``(T,)`` seconds.
        lvid: ``(T,)`` cavity diameter in any unit; NaN where it is not measurable.
        smoothed: the same, smoothed.
        r_waves_s: times of R waves in seconds, if the file or its picture has them.
        rate_hint_bpm: heart rate that the file gives, if any.
    """
    seen = np.flatnonzero(np.isfinite(smoothed.values))
    if len(times_s) < 3:
        return Beats((), note="the clip has too few frames to find beats in it")
    if len(seen) < 3:
        return Beats((), note="the cavity is not measurable on enough frames")
    times, values, slopes = np.asarray(times_s)[seen], smoothed.values[seen], smoothed.slopes[seen]
    motion = float(np.subtract(*np.percentile(values, [95, 5])))
    noise = float(np.std(np.asarray(lvid)[seen] - values))
    if motion < max(_LEAST_MOTION * float(np.median(values)), _LEAST_SIGNAL * noise, 1e-9):
        return Beats(
            (),
            note="the cavity changes too little to find beats in it; set end-diastole and end-systole by hand",
        )
    period = period_s(times, values, 60 / rate_hint_bpm if rate_hint_bpm else None)
    finder = _Finder(times, values, slopes, motion, period)
    eds = finder.by_ecg(r_waves_s)
    eds = finder.completed(eds) if eds else finder.by_size()
    beats = [finder.beat(ed, follower) for ed, follower in zip(eds, [*eds[1:], None], strict=False)]
    if not any(beat.es for beat in beats) and (half := finder.systole_before(eds) or finder.cut_systole(eds)):
        beats = [half]
    if not beats:
        return Beats((), "the clip shows neither an end-diastole nor an end-systole that is sure")
    return Beats(tuple(_on_frames(beat, seen) for beat in beats))


@dataclass(frozen=True, eq=False)
class _Finder:
    """The measurable frames of one clip; indices here count these only."""

    times: NDArray[np.float64]
    values: NDArray[np.float64]
    slopes: NDArray[np.float64]
    motion: float
    period: float | None

    def by_ecg(self, r_waves_s: Sequence[float]) -> list[Event]:
        """The largest cavity inside the window around each R wave, else the first frame at or after it."""
        events: dict[int, Event] = {}
        for r_wave in sorted(r_waves_s):
            low, high = (int(np.searchsorted(self.times, r_wave + edge + 1e-9)) for edge in R_WINDOW_S)
            inside = [i for i in range(max(1, low), min(high, len(self.times) - 1)) if self._is_peak(i)]
            index = (
                max(inside, key=lambda i: self.values[i])
                if inside
                else np.searchsorted(self.times, r_wave - 1e-6)
            )
            if index < len(self.times) and self.times[index] <= r_wave + R_WINDOW_S[1]:
                events.setdefault(int(index), Event(int(index), float(self.times[index]), "ecg_r"))
        return list(events.values())

    def completed(self, eds: list[Event]) -> list[Event]:
        """Add the end-diastoles of beats whose R wave is not known: at a clip's end, or where the ECG was not seen."""
        if self.period is None:
            return eds
        apart = _MISSED_DISTANCE * self.period
        missed = [e for e in self.by_size() if all(abs(e.time_s - ed.time_s) >= apart for ed in eds)]
        return sorted([*eds, *missed], key=lambda event: event.frame)

    def by_size(self) -> list[Event]:
        """The largest cavity before every contraction."""
        turns = [turn for turn in turning_points(self.values, _HEIGHT * self.motion) if turn.peak]
        kept: list[Turn] = []
        for turn in turns:
            if not self._is_diastole(turn, kept):
                continue
            if kept and self._are_one(kept[-1].index, turn.index):
                if self.values[turn.index] <= self.values[kept[-1].index]:
                    continue
                kept.pop()
            kept.append(turn)
        indices = [self._before_the_fall(turn.index) for turn in kept]
        return [Event(i, vertex(self.times, self.values, i), "max_lvid") for i in indices]

    def beat(self, ed: Event, next_ed: Event | None) -> Beat:
        """Find the end-systole that follows an end-diastole."""
        length = next_ed.time_s - ed.time_s if next_ed else self.period
        first, stop = ed.frame + 1, len(self.times)
        if length:
            low = ed.time_s + min(ES_WINDOW[0] * length, _LEAST_SYSTOLE_S)
            first = int(np.searchsorted(self.times, low))
            stop = int(np.searchsorted(self.times, ed.time_s + ES_WINDOW[1] * length, "right"))
        last = len(self.times) - 1
        troughs = [
            i for i in range(first, stop) if self._is_trough(i) or (i == last and not self._falls_steeply(i))
        ]
        fall = self.values[ed.frame] - self.values[first:stop].min(initial=self.values[ed.frame])
        deep = [i for i in troughs if self._is_contracted(ed, i, _DEEP * fall)]
        if not deep:
            return Beat(ed, None, next_ed)
        index = min(deep, key=lambda i: self.values[i])
        return Beat(ed, Event(index, vertex(self.times, self.values, index), "min_lvid"), next_ed)

    def systole_before(self, eds: list[Event]) -> Beat | None:
        """The half beat of a clip that shows one end-systole and the end-diastole after it, nothing more."""
        if not eds:
            return None
        index = int(np.argmin(self.values[: eds[0].frame + 1]))
        if not (self._is_contracted(eds[0], index) and self._is_trough(index)):
            return None
        return Beat(eds[0], Event(index, vertex(self.times, self.values, index), "min_lvid"))

    def cut_systole(self, eds: list[Event]) -> Beat | None:
        """The half beat of a clip that ends before the cavity is at its smallest, as stress protocols cut them."""
        last = len(self.values) - 1
        if not eds or not self._is_contracted(eds[-1], last):
            return None
        if self.values[last] > self.values[eds[-1].frame :].min():
            return None
        since = self.times[last] - self.times[eds[-1].frame]
        longest = ES_WINDOW[1] * self.period if self.period else _LONGEST_SYSTOLE_S
        if not _LEAST_SYSTOLE_S <= since <= longest:
            return None
        return Beat(eds[-1], Event(last, float(self.times[last]), CLIP_END))

    def _is_contracted(self, ed: Event, index: int, least: float = 0.0) -> bool:
        """Tell whether the cavity is smaller than at an end-diastole by what a contraction takes."""
        return bool(self.values[ed.frame] - self.values[index] >= max(least, _HEIGHT * self.motion))

    def _is_diastole(self, turn: Turn, before: list[Turn]) -> bool:
        """Tell whether a peak is an end-diastole and not just where the clip is cut."""
        last = len(self.values) - 1
        if turn.index == 0:
            return not self._falls_steeply(0)
        if turn.confirmed:
            return True
        fallen = float(self.values[turn.index] - self.values[turn.index :].min())
        if turn.index == last or fallen < _LAST_HEIGHT * self.motion:
            return False
        if not before or self.period is None:
            return True
        early = self.times[turn.index] - self.times[before[-1].index] < _LAST_DISTANCE * self.period
        full = self.values[turn.index] >= self.values[before[-1].index] - _PLATEAU * self.motion
        return bool(full or not early)

    def _are_one(self, first: int, second: int) -> bool:
        """Tell whether two peaks are of one beat: too near, or near and hardly parted."""
        distance = float(self.times[second] - self.times[first])
        lower = min(self.values[first], self.values[second])
        parted = lower - self.values[first:second].min() >= _CONTRACTION * self.motion
        near = self.period is not None and distance < _LEAST_DISTANCE * self.period
        return distance < _LEAST_RR_S or (near and not parted)

    def _falls_steeply(self, index: int) -> bool:
        slope, steepest = self.slopes[index], np.nanmin(self.slopes[1:-1], initial=0.0)
        return bool(np.isfinite(slope) and slope < _STEEP * steepest)

    def _before_the_fall(self, index: int) -> int:
        """Move from a peak to the end of its plateau: without atrial contraction it may last a third of a second."""
        floor, knee = self.values[index] - _PLATEAU * self.motion, index
        while knee + 1 < len(self.values) and self.values[knee + 1] >= floor:
            knee += 1
        start = max(index, int(np.searchsorted(self.times, self.times[knee] - _KNEE_S)))
        return start + int(np.argmax(self.values[start : knee + 1]))

    def _is_peak(self, index: int) -> bool:
        v = self.values
        return bool(v[index] >= v[index - 1] and v[index] >= v[index + 1])

    def _is_trough(self, index: int) -> bool:
        v = self.values
        return bool(0 < index < len(v) - 1 and v[index] <= v[index - 1] and v[index] <= v[index + 1])


def _on_frames(beat: Beat, frames: NDArray[np.intp]) -> Beat:
    """Number the events by the frames of the clip, and round their times to a microsecond, as they are stored."""

    def renumber(event: Event | None) -> Event | None:
        return (
            None if event is None else Event(int(frames[event.frame]), round(event.time_s, 6), event.source)
        )

    ed = renumber(beat.ed)
    assert ed is not None
    return Beat(ed, renumber(beat.es), renumber(beat.next_ed))
