"""The figure of the curves: cavity above, walls below, beats and confidence under them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.anatomy import SEGMENTS
from echo_keypoints.results import AnalysisResult
from echo_keypoints.writers.axes import Axes, edges, label, padded, spacing, ticks
from echo_keypoints.writers.plot import raw_curve, segment_confidence, time_axis
from echo_keypoints.writers.report.figure import Figure, Label, Line, Panel, Point, Rectangle, Shape
from echo_keypoints.writers.style import LOW_CONFIDENCE

_LEFT, _RIGHT, _TOP, _BELOW = 46.0, 48.0, 26.0, 38.0
_GAP, _LANE, _LANE_GAP, _BAND = 24.0, 5.0, 2.0, 4.0
_CAVITY_SHARE = 0.6
_LANE_LEVELS = 8
_LABEL_ROOM, _NAME_HEIGHT = 24.0, 15.0
CAPTION = (
    "Bold: smoothed; thin: frame by frame. Bar: systole (ED to ES) of the beats used; grey: rejected beats; "
    "amber: low confidence. Lanes: the stronger the colour, the surer."
)
_PANELS = (("LVID",), ("IVS", "LVPW"))


def draw_curves(result: AnalysisResult, width: float, height: float) -> Figure:
    """Draw the three lengths over time.

    A bold line is the smoothed curve and a thin one the raw; without smoothed curves the raw one is bold. Bars at
    the top are systoles (ED to ES) of the beats used; rejected beats are grey; the ground is amber
    where a length cannot be trusted, and the three lanes at the bottom tell the confidence of each length.

    Args:
        result: of the clip.
        width, height: of the figure; text has the same size in every figure.
    """
    lanes = len(SEGMENTS) * (_LANE + _LANE_GAP)
    room = height - _TOP - _GAP - lanes - 8 - _BELOW
    middle = _TOP + _CAVITY_SHARE * room
    bottom = middle + _GAP + (1 - _CAVITY_SHARE) * room
    moments = time_axis(result)
    x_range = (float(moments[0]), float(max(moments[-1], moments[0] + 1e-3)))
    curves = best_curves(result)
    shapes: list[Shape] = []
    panels = []
    for names, top, base in ((_PANELS[0], _TOP, middle), (_PANELS[1], middle + _GAP, bottom)):
        shown = [
            curve for s in SEGMENTS if s.name in names for curve in (curves[s.name], raw_curve(result, s))
        ]
        low, high = _range(shown)
        axes = Axes((_LEFT, top, width - _RIGHT, base), x_range, (low, high))
        shapes += _ground(result, axes, moments, names)
        shapes += _grid(axes)
        shapes += _marks(result, axes, moments, named=names is _PANELS[0])
        shapes += _lines(result, axes, moments, names, curves)
        ends = {name: _last(curves[name], high) for name in names}
        shapes += _names(axes, ends, "px" if result.clip.spacing_mm is None else "mm")
        panels.append(Panel(*axes.box, low, high, names))
    shapes += _lanes(result, axes, moments, bottom + 8)
    shapes += _times(axes, bottom + 8 + lanes, "time (s)" if result.clip.times_known else "frame")
    return Figure(width, height, "IVS, LVID and LVPW over time", tuple(shapes), tuple(panels))


def best_curves(result: AnalysisResult) -> dict[str, NDArray[np.float64]]:
    """Give ``(T,)`` of every length: the smoothed curve, or the raw one where there is none."""
    smooth = result.measurements.get("curves") or {}
    return {
        segment.name: raw_curve(result, segment)
        if smooth.get(segment.name) is None
        else np.array(smooth[segment.name], np.float64)
        for segment in SEGMENTS
    }


def thinned(points: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    """Keep of every column the lowest and the highest of ``(N, 2)`` points, if there are many more than that."""
    if len(points) <= 4 * columns:
        return points
    kept = [
        np.unique([part[points[part, 1].argmin()], part[points[part, 1].argmax()]])
        for part in np.array_split(np.arange(len(points)), columns)
    ]
    return points[np.concatenate(kept)]


def _range(curves: list[NDArray[np.float64]]) -> tuple[float, float]:
    values = np.concatenate(curves)
    values = values[np.isfinite(values)]
    return padded(float(values.min()), float(values.max()), 4) if len(values) else (0.0, 1.0)


def _ground(
    result: AnalysisResult, axes: Axes, moments: NDArray[np.float64], names: tuple[str, ...]
) -> Iterator[Shape]:
    left, top, right, bottom = axes.box
    yield Rectangle(left, top, right - left, bottom - top, "panel")
    trust = [segment_confidence(result.confidence, s) for s in SEGMENTS if s.name in names]
    low = np.min(trust, axis=0) < LOW_CONFIDENCE
    for x0, x1, _ in _runs(axes, moments, low, low):
        yield Rectangle(x0, top, x1 - x0, bottom - top, "doubt")
    for beat in result.beats:
        first, es = beat["ed_frame"], beat.get("es_frame")
        last = es if beat["accepted"] else beat.get("next_ed_frame") or es
        if last is not None and last > first:
            x0, x1 = axes.x(moments[first]), axes.x(moments[last])
            if beat["accepted"]:
                yield Rectangle(x0, top, x1 - x0, _BAND, "systole")
            else:
                yield Rectangle(x0, top, x1 - x0, bottom - top, "rejected")


def _runs(
    axes: Axes, moments: NDArray[np.float64], levels: NDArray[np.generic], wanted: NDArray[np.bool_]
) -> Iterator[tuple[float, float, int]]:
    """Give columns from, to and first frame of the runs of frames with one level that are wanted."""
    borders = edges(moments)
    starts = np.concatenate([[0], np.flatnonzero(levels[1:] != levels[:-1]) + 1, [len(levels)]])
    for start, end in pairwise(starts.tolist()):
        if wanted[start]:
            yield axes.x(float(borders[start])), axes.x(float(borders[end])), start


def _grid(axes: Axes) -> Iterator[Shape]:
    left, _, right, _ = axes.box
    values = ticks(*axes.y_range, 4)
    for value in values:
        y = axes.y(value)
        yield Line(((left, y), (right, y)), "grid")
        yield Label((left - 7, y + 4), label(value, spacing(values)), "tick", "end")


def _marks(
    result: AnalysisResult, axes: Axes, moments: NDArray[np.float64], *, named: bool
) -> Iterator[Shape]:
    """Mark ED and ES by lines, with their names where there is room."""
    left, top, right, bottom = axes.box
    marks = event_frames(result)
    if len(marks) * 6 > right - left:
        return
    free_from = -_LABEL_ROOM
    for index, kind in sorted(marks.items()):
        x = axes.x(float(moments[index]))
        yield Line(((x, top), (x, bottom)), f"moment {kind}")
        if named and x >= free_from:
            yield Label((min(max(x, left + 8), right - 8), top - 8), kind.upper(), "moment-name", "middle")
            free_from = x + _LABEL_ROOM


def event_frames(result: AnalysisResult) -> dict[int, str]:
    """Give the frames at which a beat begins (``ed``) or its systole ends (``es``)."""
    marks = {}
    for beat in result.beats:
        for key, kind in (("ed_frame", "ed"), ("next_ed_frame", "ed"), ("es_frame", "es")):
            if beat.get(key) is not None:
                marks[int(beat[key])] = kind
    return marks


def _lines(
    result: AnalysisResult,
    axes: Axes,
    moments: NDArray[np.float64],
    names: tuple[str, ...],
    curves: dict[str, NDArray[np.float64]],
) -> Iterator[Shape]:
    for segment in SEGMENTS:
        if segment.name in names:
            raw, best = raw_curve(result, segment), curves[segment.name]
            if best is not raw:
                for points in _paths(axes, moments, raw):
                    yield Line(points, f"raw {segment.name.lower()}")
            for points in _paths(axes, moments, best):
                yield Line(points, f"curve {segment.name.lower()}")


def _paths(
    axes: Axes, moments: NDArray[np.float64], values: NDArray[np.float64]
) -> Iterator[tuple[Point, ...]]:
    """Give the unbroken parts of a curve; a value alone is a short stroke."""
    known = np.flatnonzero(np.isfinite(values))
    for part in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
        spots = np.array([(axes.x(float(moments[i])), axes.y(float(values[i]))) for i in part])
        if len(spots) == 1:
            spots = spots + np.array([[-1.5, 0.0], [1.5, 0.0]])
        if len(spots):
            columns = round(axes.box[2] - axes.box[0])
            yield tuple((float(x), float(y)) for x, y in thinned(spots, columns))


def _names(axes: Axes, ends: dict[str, float], unit: str) -> Iterator[Shape]:
    """Write the unit above the values, and the names where their curves end, one below another."""
    left, top, right, _ = axes.box
    yield Label((left - 7, top - 8), unit, "tick", "end")
    free_from = -math.inf
    for y, name in sorted((axes.y(value), name) for name, value in ends.items()):
        free_from = max(y + 4.5, free_from + _NAME_HEIGHT)
        yield Label((right + 7, free_from), name, f"name {name.lower()}")


def _last(values: NDArray[np.float64], otherwise: float) -> float:
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else otherwise


def _lanes(result: AnalysisResult, axes: Axes, moments: NDArray[np.float64], top: float) -> Iterator[Shape]:
    """Draw how far each length can be trusted: the stronger the colour, the further."""
    left, _, right, _ = axes.box
    for place, segment in enumerate(SEGMENTS):
        y = top + place * (_LANE + _LANE_GAP)
        yield Rectangle(left, y, right - left, _LANE, "lane")
        trust = segment_confidence(result.confidence, segment)
        levels = np.round(np.clip(trust, 0, 1) * _LANE_LEVELS).astype(int)
        for x0, x1, start in _runs(axes, moments, levels, levels > 0):
            share = float(levels[start]) / _LANE_LEVELS
            yield Rectangle(x0, y, x1 - x0, _LANE, f"fill {segment.name.lower()}", share)
    yield Label((left - 7, top + 13), "conf.", "tick", "end")


def _times(axes: Axes, top: float, title: str) -> Iterator[Shape]:
    left, _, right, _ = axes.box
    moments = ticks(*axes.x_range, max(3, round((right - left) / 90)))
    for moment in moments:
        yield Label((axes.x(moment), top + 14), label(moment, spacing(moments)), "tick", "middle")
    yield Label(((left + right) / 2, top + 30), title, "tick", "middle")
