"""A frame of the clip with landmarks, callipers and lengths drawn over it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from echo_keypoints.anatomy import LANDMARKS
from echo_keypoints.clip import ClipSource
from echo_keypoints.results import AnalysisResult
from echo_keypoints.writers.callipers import LABEL_GAP, TICK, Calliper, callipers, sure_points
from echo_keypoints.writers.style import BACKGROUND, FAINT, FOOTER, INK, font

_SMALLEST_SIDE = 480  # smaller frames are enlarged until labels can be read
_SMOOTHING = 3  # marks are drawn this much larger, then reduced
_RADIUS = 4.5
_FONT = 15
_BAR = 26
_MARGIN = 150  # room for labels around the landmarks


class OverlayPainter:
    """Draws the result on the frames of its clip.

    The picture is the frame, enlarged by a whole number if it is small, with a bar below it for frame number,
    time and the research-use notice. Landmark ``(x, y)`` of the clip lies at ``(x + 0.5) * scale - 0.5`` of
    the picture.

    Attributes:
        scale: how much the frame is enlarged.
        size: ``(width, height)`` of the picture, both even, as video needs it.
    """

    def __init__(self, result: AnalysisResult) -> None:
        self._result = result
        clip = result.clip
        self.scale = max(1, math.ceil(_SMALLEST_SIDE / min(clip.height, clip.width)))
        self._frame_size = (clip.width * self.scale, clip.height * self.scale)
        self.size = (_even(self._frame_size[0]), _even(self._frame_size[1] + _BAR))

    def paint(self, frame: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Draw frame `index`: ``(H, W)`` uint8 grey → ``(height, width, 3)`` uint8 RGB."""
        picture = Image.new("RGB", self.size, BACKGROUND)
        image = Image.fromarray(frame)
        if self.scale > 1:
            image = image.resize(self._frame_size, Image.Resampling.BICUBIC)
        picture.paste(image)
        self._paint_marks(picture, index)
        self._paint_bar(picture, index)
        return np.asarray(picture)

    def _paint_marks(self, picture: Image.Image, index: int) -> None:
        """Draw on a small transparent sheet around the landmarks, enlarged, then reduced for smooth edges."""
        points = (self._result.points_px[index] + 0.5) * self.scale  # picture edges at 0
        seen = points[np.isfinite(points).all(axis=1)]
        if not len(seen):
            return
        width, height = self._frame_size
        left, top = np.clip(np.floor(seen.min(axis=0)) - _MARGIN, 0, (width, height)).astype(int)
        right, bottom = np.clip(np.ceil(seen.max(axis=0)) + _MARGIN, 0, (width, height)).astype(int)
        if right <= left or bottom <= top:
            return
        sheet = Image.new("RGBA", ((right - left) * _SMOOTHING, (bottom - top) * _SMOOTHING))
        pen = ImageDraw.Draw(sheet)
        local = (points - (left, top)) * _SMOOTHING - 0.5
        for calliper in callipers(self._result, index, local):
            _draw_calliper(pen, calliper, sheet.size)
        confident = sure_points(self._result, index)
        for landmark, point, sure in zip(LANDMARKS, local, confident, strict=True):
            if np.isfinite(point).all():
                _draw_point(pen, point, landmark.colour, bool(sure))
        # Colours travel premultiplied through the reduction, else edges take on the black of empty pixels.
        small = sheet.convert("RGBa").reduce(_SMOOTHING).convert("RGBA")
        picture.paste(small, (int(left), int(top)), small)

    def _paint_bar(self, picture: Image.Image, index: int) -> None:
        pen = ImageDraw.Draw(picture)
        width, top = picture.width, self._frame_size[1]
        y = top + (picture.height - top) / 2
        clip = self._result.clip
        text = f"frame {index + 1} / {clip.frame_count}"
        if clip.times_known:
            text += f"   {clip.frame_times_s[index]:.3f} s"
        if index == self._result.reference_frame:
            text += "   reference"
        pen.text((10, y), text, font=font(14), anchor="lm", fill=INK)
        pen.text((width - 10, y), FOOTER, font=font(12), anchor="rm", fill=FAINT)


def painted_frames(result: AnalysisResult, source: ClipSource) -> Iterator[NDArray[np.uint8]]:
    """Draw the result on the frames of its clip one by one; memory does not grow with the clip."""
    painter = OverlayPainter(result)
    for index, frame in enumerate(source.frames()):
        yield painter.paint(frame, index)


def _draw_calliper(pen: ImageDraw.ImageDraw, calliper: Calliper, bounds: tuple[int, int]) -> None:
    colour = (*calliper.segment.colour, 255 if calliper.sure else 110)
    bar = calliper.across * TICK * _SMOOTHING
    _line(pen, calliper.start, calliper.end, colour, 1.6)
    for tip in (calliper.start, calliper.end):
        _line(pen, tip - bar, tip + bar, colour, 1.6)
    size = _FONT * _SMOOTHING
    box = pen.textbbox((0, 0), calliper.label, font=font(size), anchor="lm")
    anchor = (calliper.start + calliper.end) / 2 + calliper.across * (TICK + LABEL_GAP) * _SMOOTHING
    x = float(np.clip(anchor[0], 0, max(0, bounds[0] - box[2] - 2 * _SMOOTHING)))
    y = float(np.clip(anchor[1], size, max(size, bounds[1] - size)))
    pen.text(
        (x, y),
        calliper.label,
        font=font(size),
        anchor="lm",
        fill=(*calliper.segment.colour, 255 if calliper.sure else 170),
        stroke_width=2 * _SMOOTHING,
        stroke_fill=(0, 0, 0, 170),
    )


def _draw_point(
    pen: ImageDraw.ImageDraw, point: NDArray[np.float64], colour: tuple[int, int, int], sure: bool
) -> None:
    """Draw a disc with a dark rim, or a dim ring for a point that is not to be trusted."""
    x, y = point
    for radius, fill in ((_RADIUS + 1.5, (0, 0, 0, 150)), (_RADIUS, (*colour, 255))):
        r = radius * _SMOOTHING
        box = (x - r, y - r, x + r, y + r)
        if sure:
            pen.ellipse(box, fill=fill)
    if not sure:
        r = (_RADIUS + 1) * _SMOOTHING
        pen.ellipse((x - r, y - r, x + r, y + r), outline=(*colour, 150), width=round(1.6 * _SMOOTHING))


def _line(
    pen: ImageDraw.ImageDraw,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    colour: tuple[int, int, int, int],
    width: float,
) -> None:
    """Draw a line with a dark edge, so that it shows on bright tissue as on blood."""
    ends = list(chain(start.tolist(), end.tolist()))
    pen.line(ends, fill=(0, 0, 0, colour[3] // 2), width=round((width + 1.6) * _SMOOTHING))
    pen.line(ends, fill=colour, width=round(width * _SMOOTHING))


def _even(size: int) -> int:
    return size + size % 2
