"""R waves of an ECG that is part of the picture: a still trace, along which a mark runs as time does.

Scanners draw the trace below the fan and mark the moment of each frame by a line or a tick. The trace stands still, so
it is told from the fan; the mark moves evenly, so it is told from text; where it has just passed, the trace shows the
heart at that moment. Grey is enough for all of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.tracking.components import component_boxes

ECG_IN_PICTURE = "ECG trace in the picture"
"""Where R waves came from, in a clip's facts."""

_HEAD_FRAMES = 8  # of the clip's first ones, to see what stands still
_LIT = 70  # grey levels: a trace is brighter
_STILL = 50  # grey levels: it varies less
_MOVES = 40  # grey levels: the mark stands out from what is behind it by more
_LEAST_MARK_PX = 5  # and at least so many in its column; some makers draw a line, others a tick on the trace
_SEEN_SHARE = 0.8  # of the frames show the mark, and it moves evenly
_WIDTH = 0.2  # of the picture's: a trace is as wide at least
_HEIGHTS = (8, 0.2)  # px, and share of the picture's height: a trace is no line and no picture
_THICKNESS = 0.35  # of the strip's height: a trace is thin
_MARK_PX = 4  # half the width of the mark, and some
_SETTLED = (3, 5, 7, 9)  # frames after the mark has passed: what is lit and still in all of them is trace
_R_SHARE = 0.5  # of the highest wave: lower ones are P and T
_R_WIDTH_S = 0.12
_LEAST_RR_S = 0.25
_LEAST_R = 0.25  # of the strip's height
_CELLS = 270  # along the longer side of the picture, to see what hangs together
_LEAST_CELL = 3


_Piece = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""What the mark passed between two frames: the moments ``(C,)`` in frames, and the trace ``(rows, C)`` there."""


class EcgTrace:
    """The ECG of one clip; frames are given one by one, and none is kept whole.

    Args:
        head: the first frames of the clip, each ``(H, W)`` uint8. They are not counted: give them to `add`, too.
    """

    def __init__(self, head: Sequence[NDArray[np.uint8]]) -> None:
        self._strips = [_Strip(head, rows) for rows in _still_strips(head)]

    def add(self, frame: NDArray[np.uint8]) -> None:
        """Look at the next frame ``(H, W)`` uint8."""
        for strip in self._strips:
            strip.add(frame)

    def r_waves_s(self, frame_times_s: NDArray[np.floating]) -> tuple[float, ...]:
        """Give the times of the R waves in seconds, ascending; none if there is no ECG, or none that is sure.

        Args:
            frame_times_s: ``(T,)`` of the frames that were added.
        """
        found = [strip.r_waves_s(np.asarray(frame_times_s, np.float64)) for strip in self._strips]
        return max(found, key=len, default=())


class _Strip:
    """Rows of the screen in which a trace may lie."""

    def __init__(self, head: Sequence[NDArray[np.uint8]], rows: slice) -> None:
        self._rows = rows
        self._behind = np.median(np.stack([frame[rows] for frame in _thinned(head)]), axis=0).astype(np.int16)
        self._mark: list[float] = []  # column in each frame, NaN where there is none
        self._shown: deque[NDArray[np.uint8]] = deque(maxlen=_SETTLED[-1] + 1)
        self._pieces: list[_Piece] = []

    def add(self, frame: NDArray[np.uint8]) -> None:
        strip = frame[self._rows]
        self._mark.append(self._mark_in(strip))
        self._shown.append(strip.copy())
        if len(self._mark) > _SETTLED[-1]:
            self._pieces += self._read(len(self._mark) - 1 - _SETTLED[-1], _SETTLED)

    def _mark_in(self, strip: NDArray[np.uint8]) -> float:
        stands_out = (strip.astype(np.int16) - self._behind > _MOVES).sum(axis=0)
        best = int(stands_out.max())
        if best < _LEAST_MARK_PX:
            return float("nan")
        column = int(stands_out.argmax())
        near = np.arange(max(0, column - 3), min(len(stands_out), column + 4))
        weight = np.where(stands_out[near] > 0.8 * best, stands_out[near], 0.0)
        return float((near * weight).sum() / weight.sum())

    def _read(self, frame: int, later: Iterable[int]) -> list[_Piece]:
        """Read the columns that the mark passed on the way to a frame off the frames some time later."""
        if frame == 0:
            return []
        before, now = self._mark[frame - 1], self._mark[frame]
        if not 0 < now - before < self._behind.shape[1] / 8:  # nor where a new sweep begins
            return []
        columns = np.arange(int(np.ceil(before)), int(np.ceil(now)))
        newest = len(self._mark) - 1
        darkest, brightest = np.full((len(self._behind), len(columns)), 255), np.zeros(len(columns), int)
        for at in (frame + step for step in later):
            # Where the mark stands now, it would be taken for the trace.
            free = ~(np.abs(columns - self._mark[at]) <= _MARK_PX)
            shown = self._shown[at - newest - 1][:, columns]
            darkest = np.where(free, np.minimum(darkest, shown), darkest)
            brightest = np.where(free, np.maximum(brightest, shown), brightest)
        lit = (darkest > _LIT) & (brightest >= darkest) & (brightest - darkest < _STILL)
        return [(np.asarray(frame - 1 + (columns - before) / (now - before), np.float64), lit)]

    def r_waves_s(self, frame_times_s: NDArray[np.float64]) -> tuple[float, ...]:
        if not self._runs_evenly():
            return ()
        count = len(self._mark)
        pieces = list(self._pieces)
        for frame in range(max(1, count - _SETTLED[-1]), count - _SETTLED[1]):  # these have fewer after them
            pieces += self._read(frame, [step for step in _SETTLED if frame + step < count])
        if not pieces:
            return ()
        trace = _connected(np.concatenate([lit for _, lit in pieces], axis=1))
        known = trace.any(axis=0)
        if not known.any():
            return ()
        moments = np.concatenate([moments for moments, _ in pieces])[known]
        tops = trace.argmax(axis=0)[known]
        bottoms = len(trace) - 1 - trace[::-1].argmax(axis=0)[known]
        up, down = np.median(tops) - tops, bottoms - np.median(bottoms)
        wave = up if up.max() >= down.max() else down  # a lead may be upside down
        if wave.max() < _LEAST_R * len(trace):
            return ()
        return _peaks(np.interp(moments, np.arange(count), frame_times_s), wave)

    def _runs_evenly(self) -> bool:
        """Whether what stands out runs evenly to the right, but for new sweeps and a stop where the trace ends."""
        steps = np.diff(self._mark)
        runs = steps[np.isfinite(steps) & (steps > 0)]
        if len(runs) < 3:
            return False
        usual = float(np.median(runs))
        even = np.abs(steps - usual) <= max(0.5 * usual, 2.0)
        stops = np.abs(steps) < 0.5
        return bool(usual >= 0.5 and np.mean(even | stops) >= _SEEN_SHARE and even.sum() >= 3)


def _connected(lit: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The part of a picture ``(rows, columns)`` that hangs together with its base line; speckle in it does not."""
    rows = np.arange(len(lit))[:, None]
    base = np.median(np.nonzero(lit)[0]) if lit.any() else 0
    trace = lit & (np.abs(rows - base) <= len(lit) / 6)
    while True:
        grown = np.pad(trace, ((2, 2), (1, 1)))
        grown = np.logical_or.reduce([grown[i : i + len(lit)] for i in range(5)])
        grown = lit & (grown[:, :-2] | grown[:, 1:-1] | grown[:, 2:])
        if np.array_equal(grown, trace):
            return trace
        trace = grown


def _peaks(times_s: NDArray[np.float64], wave: NDArray[np.floating]) -> tuple[float, ...]:
    """Times of the high and narrow waves of a trace, each in its middle; of two that are too near, the higher one."""
    high = np.pad(wave >= _R_SHARE * wave.max(), 1).astype(int)
    starts, stops = np.flatnonzero(np.diff(high) == 1), np.flatnonzero(np.diff(high) == -1)
    found: list[tuple[float, float]] = []
    for start, stop in zip(starts, stops, strict=True):
        if times_s[stop - 1] - times_s[start] > _R_WIDTH_S:
            continue
        best = start + np.flatnonzero(wave[start:stop] == wave[start:stop].max())
        peak = (float(times_s[best].mean()), float(wave[start:stop].max()))
        if found and peak[0] - found[-1][0] < _LEAST_RR_S:
            found[-1] = max(found[-1], peak, key=lambda p: p[1])
        else:
            found.append(peak)
    return tuple(round(time_s, 4) for time_s, _ in found)


def _thinned(head: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """A few of the first frames, evenly."""
    return [head[i] for i in np.linspace(0, len(head) - 1, min(len(head), _HEAD_FRAMES)).round().astype(int)]


def _still_strips(head: Sequence[NDArray[np.uint8]]) -> list[slice]:
    """Rows of bright things that stand still and are wide, low and thin, each once."""
    frames = _thinned(head)
    if len(frames) < 3:
        return []
    darkest = [np.full_like(frames[0], 255)] * 2
    brightest = [np.zeros_like(frames[0])] * 2
    for frame in frames:  # the second of each: the mark may pass once
        darkest = [np.minimum(darkest[0], frame), np.minimum(darkest[1], np.maximum(darkest[0], frame))]
        brightest = [
            np.maximum(brightest[0], frame),
            np.maximum(brightest[1], np.minimum(brightest[0], frame)),
        ]
    still = (darkest[1] > _LIT) & (brightest[1] < darkest[1].astype(np.int16) + _STILL)
    boxes = component_boxes(still, max(_LEAST_CELL, round(max(still.shape) / _CELLS)))
    height, width = still.shape
    strips = {
        (y0, y1)
        for x0, y0, x1, y1 in boxes
        if x1 - x0 > _WIDTH * width
        and _HEIGHTS[0] < y1 - y0 < _HEIGHTS[1] * height
        and still[y0:y1, x0:x1].mean() < _THICKNESS
    }
    return [slice(*rows) for rows in sorted(strips)]
