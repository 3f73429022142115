"""Stills of a report: the frames that were measured, magnified around the callipers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from echo_keypoints.anatomy import LANDMARKS
from echo_keypoints.results import AnalysisResult
from echo_keypoints.writers.callipers import Calliper, callipers, sure_points
from echo_keypoints.writers.report import numbers
from echo_keypoints.writers.report.cine import Cine
from echo_keypoints.writers.report.figure import Disc, Figure, Label, Line, Picture, Shape

_WIDTH, _HEIGHT = 400.0, 300.0
_MARGIN = 1.6  # the longest calliper fills the rest of the height
_BAR, _GAP = 8.0, 6.0
_LETTER = 7.2  # width of a letter of a label, about
_RULER_MM = 10.0
_AROUND = 3  # frames before and after a beat


@dataclass(frozen=True)
class Moment:
    """A frame worth a still.

    Attributes:
        frame: its index.
        title: what is special about it.
    """

    frame: int
    title: str


def chosen_beat(result: AnalysisResult) -> Mapping[str, Any] | None:
    """Give the beat that stands for the clip: one with a systole, used rather than rejected, tracked best."""

    def merit(beat: Mapping[str, Any]) -> tuple[bool, bool, float]:
        return bool(beat["accepted"]), bool(beat.get("complete")), beat.get("confidence") or 0.0

    return max((beat for beat in result.beats if beat.get("es_frame") is not None), key=merit, default=None)


def moments(result: AnalysisResult) -> tuple[Moment, ...]:
    """Choose the frames of the stills: ED and ES of one beat, else the frame where the tracking started."""
    beat = chosen_beat(result)
    if beat is None:
        return (Moment(result.reference_frame, "Reference frame"),)
    name = f"beat {numbers.frame(beat['index'])}" + ("" if beat["accepted"] else " (rejected)")
    return (
        Moment(int(beat["ed_frame"]), f"End-diastole, {name}"),
        Moment(int(beat["es_frame"]), f"End-systole, {name}"),
    )


def frames_to_keep(result: AnalysisResult) -> list[int]:
    """Give the frames of the stills, then those of the whole beat: what a report of a long clip should hold."""
    frames = [moment.frame for moment in moments(result)]
    beat = chosen_beat(result)
    if beat is not None:
        events = [beat[key] for key in ("ed_frame", "es_frame", "next_ed_frame") if beat.get(key) is not None]
        last = min(max(events) + _AROUND, result.clip.frame_count - 1)
        frames += range(max(0, min(events) - _AROUND), last + 1)
    return frames


def draw_stills(result: AnalysisResult, cine: Cine, wanted: tuple[Moment, ...]) -> tuple[Figure, ...]:
    """Draw stills with landmarks, callipers, lengths and a ruler, all at the same magnification.

    Args:
        result: of the clip.
        cine: its frames; it has those of the moments.
        wanted: the moments.
    """
    points = np.concatenate([cine.view.place(result.points_px[moment.frame]) for moment in wanted])
    seen = points[np.isfinite(points).all(axis=1)]
    middle = (cine.view.width / 2, cine.view.height / 2)
    reach = float(cine.view.height)
    if len(seen):
        low, high = seen.min(axis=0), seen.max(axis=0)
        middle = tuple((low + high) / 2)
        reach = min(reach, max(_MARGIN * float((high - low).max()), reach / 4))
    zoom = _HEIGHT / reach
    return tuple(_still(result, cine, moment, middle, zoom) for moment in wanted)


def _still(
    result: AnalysisResult, cine: Cine, moment: Moment, middle: tuple[float, float], zoom: float
) -> Figure:
    left, top = _WIDTH / 2 - middle[0] * zoom, _HEIGHT / 2 - middle[1] * zoom
    points = cine.view.place(result.points_px[moment.frame]) * zoom + (left, top)
    shapes: list[Shape] = [
        Picture(left, top, cine.view.width * zoom, cine.view.height * zoom, cine.frames[moment.frame])
    ]
    for calliper in callipers(result, moment.frame, points):
        shapes += _calliper(calliper)
    sure = sure_points(result, moment.frame)
    for landmark, point, trusted in zip(LANDMARKS, points, sure, strict=True):
        if np.isfinite(point).all():
            role = f"point {landmark.name.lower()}" + ("" if trusted else " unsure")
            shapes.append(Disc((float(point[0]), float(point[1])), 3.6, role))
    shapes += _ruler(result, cine, zoom)
    title = f"{moment.title}: frame {numbers.frame(moment.frame)}"
    if result.clip.times_known:
        title += f", {numbers.seconds(float(result.clip.frame_times_s[moment.frame]))}"
    return Figure(_WIDTH, _HEIGHT, title, tuple(shapes))


def _calliper(calliper: Calliper) -> Iterator[Shape]:
    role = f"{calliper.segment.name.lower()}" + ("" if calliper.sure else " unsure")
    strokes = [(calliper.start, calliper.end)]
    strokes += [(tip - calliper.across * _BAR, tip + calliper.across * _BAR) for tip in strokes[0]]
    for line in ("halo", "calliper"):
        for start, end in strokes:
            yield Line((tuple(start.tolist()), tuple(end.tolist())), f"{line} {role}")
    x, y = (calliper.start + calliper.end) / 2 + calliper.across * (_BAR + _GAP)
    x = min(float(x), _WIDTH - 8 - _LETTER * len(calliper.label))
    for text in ("backing", "length"):
        yield Label((x, float(y) + 4.5), calliper.label, f"{text} {role}")


def _ruler(result: AnalysisResult, cine: Cine, zoom: float) -> Iterator[Shape]:
    """Draw one centimetre at the lower left, where the scale is known."""
    if result.clip.spacing_mm is None:
        return
    x0, _, x1, _ = cine.view.box
    length = _RULER_MM / result.clip.spacing_mm[0] * cine.view.width / (x1 - x0) * zoom
    y = _HEIGHT - 12
    yield Line(((12, y - 4), (12, y), (12 + length, y), (12 + length, y - 4)), "ruler")
    yield Label((12, y - 8), "1 cm", "ruler-text")
