"""``curves.png``: the three lengths against time, the cavity above, the two walls below."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from echo_keypoints.anatomy import SEGMENTS, Segment
from echo_keypoints.results import AnalysisResult, atomic_path
from echo_keypoints.writers.axes import Axes, edges, label, padded, spacing, ticks
from echo_keypoints.writers.style import (
    BACKGROUND,
    DOUBT,
    FAINT,
    FOOTER,
    GRID,
    INK,
    LOW_CONFIDENCE,
    PANEL,
    Colour,
    blend,
    font,
)

_Q = 2  # drawn so much larger, then reduced for smooth lines
_WIDTH, _HEIGHT = 1280, 800
_LEFT, _RIGHT = 84, 1256
_PANELS = ((76, 446), (490, 716))  # rows from, to
_WALLS = tuple(segment for segment in SEGMENTS if segment.name != "LVID")
_CAVITY = tuple(segment for segment in SEGMENTS if segment.name == "LVID")


def write_plot(result: AnalysisResult, path: Path) -> None:
    """Write the curves as a PNG of 1280 × 800.

    Lengths are in mm, or in pixels where the scale is unknown. The paler a line and the more amber the ground
    are, the less the points at the ends of that length can be trusted; gaps are frames without a measure.

    Raises:
        OSError: the folder cannot be written to.
    """
    with atomic_path(path) as part:
        draw_plot(result).save(part, "PNG", optimize=True)


def draw_plot(result: AnalysisResult) -> Image.Image:
    """Draw the curves on a picture of 1280 × 800, RGB."""
    picture = Image.new("RGB", (_WIDTH * _Q, _HEIGHT * _Q), BACKGROUND)
    pen = ImageDraw.Draw(picture)
    unit = "px" if result.clip.spacing_mm is None else "mm"
    times = time_axis(result)
    x_range = (float(times[0]), float(max(times[-1], times[0] + 1e-3)))
    _write(pen, _LEFT, 32, result.clip.source, 20, INK, "lm")
    doubtful = False
    for (top, bottom), segments in zip(_PANELS, (_CAVITY, _WALLS), strict=True):
        curves = {segment: raw_curve(result, segment) for segment in segments}
        axes = Axes(
            (_LEFT * _Q, top * _Q, _RIGHT * _Q, bottom * _Q), x_range, _y_range(list(curves.values()))
        )
        trust = {segment: segment_confidence(result.confidence, segment) for segment in segments}
        doubtful |= _draw_shading(pen, axes, times, np.min(list(trust.values()), axis=0))
        _draw_grid(pen, axes, unit, times_below=segments is _WALLS)
        _draw_reference(pen, axes, float(times[result.reference_frame]), named=segments is _CAVITY)
        for segment, values in curves.items():
            _draw_curve(pen, axes, times, values, trust[segment], segment.colour)
    _draw_legend(pen, doubtful)
    _write(
        pen,
        (_LEFT + _RIGHT) / 2,
        _HEIGHT - 38,
        "time (s)" if result.clip.times_known else "frame",
        16,
        INK,
        "mm",
    )
    _write(pen, _RIGHT, _HEIGHT - 16, FOOTER, 13, FAINT, "rm")
    return picture.reduce(_Q)


def segment_confidence(confidence: NDArray[np.float64], segment: Segment) -> NDArray[np.float64]:
    """Give ``(T,)`` the confidence of a length: that of its worse end; 0 where it is unknown."""
    return np.nan_to_num(np.minimum(confidence[:, segment.start], confidence[:, segment.end]), nan=0.0)


def time_axis(result: AnalysisResult) -> NDArray[np.float64]:
    """Give ``(T,)`` seconds, or the numbers of the frames from 1 where the times are not known."""
    clip = result.clip
    return clip.frame_times_s if clip.times_known else np.arange(1.0, clip.frame_count + 1)


def raw_curve(result: AnalysisResult, segment: Segment) -> NDArray[np.float64]:
    """Give ``(T,)`` a length frame by frame, in mm, or in px where the scale is unknown."""
    length = result.lengths[segment.name]
    return length.px if length.mm is None else length.mm


def _y_range(curves: list[NDArray[np.float64]]) -> tuple[float, float]:
    values = np.concatenate(curves)
    values = values[np.isfinite(values)]
    return padded(float(values.min()), float(values.max()), 5) if len(values) else (0.0, 1.0)


def _draw_shading(
    pen: ImageDraw.ImageDraw, axes: Axes, times: NDArray[np.float64], confidence: NDArray[np.float64]
) -> bool:
    """Fill the panel, amber where confidence is low; tell whether it is low anywhere."""
    pen.rectangle(axes.box, fill=PANEL)
    doubt = np.clip((LOW_CONFIDENCE - confidence) / LOW_CONFIDENCE, 0, 1)
    moments = edges(times)
    for index in np.flatnonzero(confidence < LOW_CONFIDENCE):
        box = (axes.x(moments[index]), axes.box[1], axes.x(moments[index + 1]), axes.box[3])
        pen.rectangle(box, fill=blend(DOUBT, PANEL, 0.10 + 0.25 * float(doubt[index])))
    return bool((confidence < LOW_CONFIDENCE).any())


def _draw_grid(pen: ImageDraw.ImageDraw, axes: Axes, unit: str, times_below: bool) -> None:
    left, top, right, bottom = axes.box
    values = ticks(*axes.y_range, 6 if bottom - top > 300 * _Q else 5)
    for value in values:
        y = axes.y(value)
        pen.line((left, y, right, y), fill=GRID, width=_Q)
        _write(pen, left / _Q - 10, y / _Q, label(value, spacing(values)), 15, FAINT, "rm")
    moments = ticks(*axes.x_range, 12)
    for moment in moments:
        x = axes.x(moment)
        pen.line((x, top, x, bottom), fill=GRID, width=_Q)
        if times_below:
            _write(pen, x / _Q, bottom / _Q + 18, label(moment, spacing(moments)), 15, FAINT, "mm")
    _write(pen, left / _Q - 10, top / _Q - 16, unit, 15, INK, "rm")


def _draw_reference(pen: ImageDraw.ImageDraw, axes: Axes, time_s: float, named: bool) -> None:
    """Mark the frame that the tracking started from by a dashed line."""
    x, (_, top, _, bottom) = axes.x(time_s), axes.box
    for y in np.arange(top, bottom, 12 * _Q):
        pen.line((x, y, x, min(y + 5 * _Q, bottom)), fill=FAINT, width=_Q)
    if named:
        half = _width(pen, "reference frame", 13) / 2
        inside = min(max(x / _Q, _LEFT + half), _RIGHT - half)
        _write(pen, inside, top / _Q - 12, "reference frame", 13, FAINT, "mm")


def _draw_curve(
    pen: ImageDraw.ImageDraw,
    axes: Axes,
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    confidence: NDArray[np.float64],
    colour: Colour,
) -> None:
    """Draw a line from frame to frame, faint where either is doubtful, with a dot at each frame if few."""
    sure = confidence >= LOW_CONFIDENCE
    spots = [(axes.x(float(t)), axes.y(float(v))) for t, v in zip(times, values, strict=True)]
    drawn = np.isfinite(values)
    faint = blend(colour, PANEL, 0.45)
    for i in np.flatnonzero(drawn[:-1] & drawn[1:]):
        shade = colour if sure[i] and sure[i + 1] else faint
        pen.line((*spots[i], *spots[i + 1]), fill=shade, width=round(2.6 * _Q))
    radius = (3.2 if len(times) <= 160 else 1.3) * _Q  # single dots, or just round joints
    for i in np.flatnonzero(drawn):
        x, y = spots[i]
        box = (x - radius, y - radius, x + radius, y + radius)
        if sure[i]:
            pen.ellipse(box, fill=colour)
        else:
            pen.ellipse(box, fill=PANEL, outline=faint, width=round(1.3 * _Q))


def _draw_legend(pen: ImageDraw.ImageDraw, doubtful: bool) -> None:
    """Name the curves at the top, from the right."""
    entries = [(segment.name, segment.colour) for segment in SEGMENTS]
    x, y = float(_RIGHT), 32.0
    if doubtful:
        x -= _width(pen, "low confidence", 15)
        _write(pen, x, y, "low confidence", 15, FAINT, "lm")
        pen.rectangle(
            ((x - 30) * _Q, (y - 8) * _Q, (x - 8) * _Q, (y + 8) * _Q), fill=blend(DOUBT, PANEL, 0.35)
        )
        x -= 58
    for name, colour in reversed(entries):
        x -= _width(pen, name, 16)
        _write(pen, x, y, name, 16, INK, "lm")
        pen.line(((x - 34) * _Q, y * _Q, (x - 8) * _Q, y * _Q), fill=colour, width=3 * _Q)
        x -= 62


def _write(
    pen: ImageDraw.ImageDraw, x: float, y: float, text: str, size: int, colour: Colour, anchor: str
) -> None:
    """Write a line of text; positions and size in px of the finished picture."""
    pen.text((x * _Q, y * _Q), text, font=font(size * _Q), fill=colour, anchor=anchor)


def _width(pen: ImageDraw.ImageDraw, text: str, size: int) -> float:
    """Measure a line of text in px of the finished picture."""
    return float(pen.textlength(text, font=font(size * _Q))) / _Q
