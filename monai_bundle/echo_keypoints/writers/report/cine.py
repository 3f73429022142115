"""The pictures of a report: the cine as JPEG frames of bounded size, cut to the ultrasound image."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from echo_keypoints.clip import Box, ClipSource
from echo_keypoints.results import AnalysisResult
from echo_keypoints.tracking.region import REGION_FRAMES, scan_region

CINE_BYTES = 3_600_000
"""All JPEG frames together stay below this: 4.8 MB once they are written as text."""

CINE_FRAMES = 720
"""A cine of more frames is thinned, however small they are."""

_LONGEST_SIDE = 720
_QUALITIES = (88, 80, 70, 60)
_SLACK = 1.15  # frames differ from the first one, by which the quality is chosen
_ENOUGH = 160  # a clip is rather thinned to so many frames than pressed to the worst quality


@dataclass(frozen=True)
class View:
    """The part of the frame that a report shows, with square pixels.

    Attributes:
        box: half-open ``(x0, y0, x1, y1)`` in original pixels.
        width, height: of the picture.
    """

    box: Box
    width: int
    height: int

    def place(self, points_px: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map points ``(…, 2)`` of the clip, pixel centres at integers, to the picture, its edges at 0."""
        x0, y0, x1, y1 = self.box
        scale = np.array([self.width / (x1 - x0), self.height / (y1 - y0)])
        return np.asarray((np.asarray(points_px, np.float64) + 0.5 - (x0, y0)) * scale)

    def cut(self, frame: NDArray[np.uint8]) -> Image.Image:
        """Cut a frame ``(H, W)`` to the picture."""
        x0, y0, x1, y1 = self.box
        image = Image.fromarray(np.ascontiguousarray(frame[y0:y1, x0:x1]))
        size = (self.width, self.height)
        return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


@dataclass(frozen=True)
class Cine:
    """The frames that a report carries.

    Attributes:
        view: what they show of the clip.
        frames: index in the clip → JPEG, in order.
        step: every so many frames are there; 1 is all of them.
    """

    view: View
    frames: dict[int, bytes]
    step: int

    def nearest(self, index: int) -> int:
        """Give the frame that is there and lies nearest to frame `index`."""
        return min(self.frames, key=lambda kept: abs(kept - index))


def read_cine(result: AnalysisResult, source: ClipSource, keep: Sequence[int] = ()) -> Cine:
    """Read the frames of a clip; memory and size are bounded for clips of any length.

    Where not all frames fit, every second, fourth, eighth … is kept, and those of `keep`: they may take a third
    of the size, and the first two of them are there in any case.

    Args:
        result: of the clip; its points are always within the picture.
        source: the clip.
        keep: frames that should be there, the most important first.

    Raises:
        ClipError: the clip can no longer be read.
    """
    stream = source.frames()
    head = list(islice(stream, REGION_FRAMES))
    view = _view(result, head)
    quality = _quality(view, head[0], result.clip.frame_count)
    affordable = int(CINE_BYTES / 3 / len(_encode(view, head[0], quality)))
    return _collect(view, chain(head, stream), quality, frozenset(keep[: max(2, affordable)]))


def _collect(view: View, stream: Iterator[NDArray[np.uint8]], quality: int, keep: frozenset[int]) -> Cine:
    frames: dict[int, bytes] = {}
    step, size = 1, 0
    for index, frame in enumerate(stream):
        if index % step and index not in keep:
            continue
        frames[index] = _encode(view, frame, quality)
        size += len(frames[index])
        while (size > CINE_BYTES or len(frames) > CINE_FRAMES) and step < index:
            step *= 2
            frames = {i: jpeg for i, jpeg in frames.items() if i % step == 0 or i in keep}
            size = sum(map(len, frames.values()))
    return Cine(view, frames, step)


def _view(result: AnalysisResult, head: list[NDArray[np.uint8]]) -> View:
    """Choose the box in which the image moves, widened to hold all landmarks: text of the screen stays out."""
    clip = result.clip
    x0, y0, x1, y1 = scan_region(clip, head)
    points = result.points_px[np.isfinite(result.points_px).all(axis=2)]
    if len(points):
        low, high = np.floor(points.min(axis=0)).astype(int), np.ceil(points.max(axis=0)).astype(int) + 1
        x0, y0 = min(x0, max(0, int(low[0]))), min(y0, max(0, int(low[1])))
        x1, y1 = max(x1, min(clip.width, int(high[0]))), max(y1, min(clip.height, int(high[1])))
    sx, sy = clip.spacing_mm or (1.0, 1.0)
    width, height = (x1 - x0) * max(1.0, sx / sy), (y1 - y0) * max(1.0, sy / sx)
    scale = min(1.0, _LONGEST_SIDE / max(width, height))
    return View((x0, y0, x1, y1), max(1, round(width * scale)), max(1, round(height * scale)))


def _quality(view: View, frame: NDArray[np.uint8], frame_count: int) -> int:
    """Choose the best JPEG quality at which the clip fits, judged by its first frame."""
    share = CINE_BYTES / (_SLACK * min(frame_count, _ENOUGH))
    fits = (quality for quality in _QUALITIES if len(_encode(view, frame, quality)) <= share)
    return next(fits, _QUALITIES[-1])


def _encode(view: View, frame: NDArray[np.uint8], quality: int) -> bytes:
    stream = io.BytesIO()
    view.cut(frame).save(stream, "JPEG", quality=quality)
    return stream.getvalue()
