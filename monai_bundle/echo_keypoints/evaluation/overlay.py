"""Contact sheets: frames across, trackers down, truth and prediction drawn, for looking at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from echo_keypoints.anatomy import LANDMARKS
from echo_keypoints.evaluation.cases import Case
from echo_keypoints.tracking.letterbox import MODEL_SIZE

SHEET_FRAMES = 6
_MARGIN_PX = 28  # around the landmarks of all frames, model pixels
_CELL = 300  # side of a cell on the sheet
_LABEL = 18


def save_contact_sheet(
    case: Case,
    tracks: Mapping[str, NDArray[np.float64]],
    path: Path,
    *,
    shown: Mapping[str, int] | None = None,
    trails: bool = False,
) -> None:
    """Draw one clip: a row per tracker, a column per frame with truth.

    Truth is a white ring, the prediction a disc in the landmark's colour, with a line from one to the other.
    The cells show the neighbourhood of the true landmarks.

    Args:
        case: the clip; of more than `SHEET_FRAMES` frames with truth, evenly spaced ones are shown.
        tracks: label → ``(T, 4, 2)`` model pixels.
        path: PNG file to write; its folder is made. It shows the image itself: keep it as safe as the clip.
        shown: names of the columns → frames with truth to show in place of those.
        trails: also draw the way of every landmark through the whole clip.
    """
    if shown is None:
        picked = np.unique(np.linspace(0, len(case.frames) - 1, SHEET_FRAMES).round().astype(int))
        shown = {f"frame {frame}": int(frame) for frame in case.frames[picked]}
    left, top, side = _window(case.model_truth)
    zoom = _CELL / side
    sheet = Image.new("RGB", (_CELL * len(shown), (_CELL + _LABEL) * len(tracks)))
    pen = ImageDraw.Draw(sheet)
    for row, (label, points) in enumerate(tracks.items()):
        for column, (name, frame) in enumerate(shown.items()):
            corner = np.array([column * _CELL, row * (_CELL + _LABEL) + _LABEL])
            truth = case.model_truth[case.frames == frame][0]
            trail = points if trails else points[frame : frame + 1]
            cell = _cell(case.video[frame], truth, points[frame], trail, (left, top), zoom)
            sheet.paste(cell, tuple(corner.tolist()))
            pen.text((corner[0] + 4, corner[1] - _LABEL + 3), f"{label}, {name}", fill="white")
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _window(truth: NDArray[np.float64]) -> tuple[float, float, float]:
    """Square of model space around all landmarks: its left and upper edge and its side."""
    low, high = truth.min((0, 1)), truth.max((0, 1))
    side = min(float((high - low).max()) + 2 * _MARGIN_PX, float(MODEL_SIZE))
    left, top = np.clip((low + high - side + 1) / 2, 0, MODEL_SIZE - side)
    return float(left), float(top), side


def _cell(
    frame: NDArray[np.uint8],
    truth: NDArray[np.float64],
    points: NDArray[np.float64],
    trail: NDArray[np.float64],
    corner: tuple[float, float],
    zoom: float,
) -> Image.Image:
    """Cut, enlarge and annotate one frame."""
    left, top = corner
    side = _CELL / zoom
    picture = (
        Image.fromarray(frame)
        .resize((_CELL, _CELL), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
        .convert("RGB")
    )
    pen = ImageDraw.Draw(picture)
    for k, (landmark, true, point) in enumerate(zip(LANDMARKS, truth, points, strict=True)):
        way = (trail[np.isfinite(trail[:, k]).all(-1), k] + 0.5 - corner) * zoom
        if len(way) > 1:
            pen.line([tuple(place) for place in way.tolist()], fill=landmark.colour)
        # Pixel centres are at integers; edges, which the box is given in, lie half a pixel before.
        x, y = (true + 0.5 - corner) * zoom
        pen.ellipse((x - 5, y - 5, x + 5, y + 5), outline="white")
        if np.isfinite(point).all():
            u, v = (point + 0.5 - corner) * zoom
            pen.line((x, y, u, v), fill=landmark.colour)
            pen.ellipse((u - 3, v - 3, u + 3, v + 3), fill=landmark.colour)
    return picture
