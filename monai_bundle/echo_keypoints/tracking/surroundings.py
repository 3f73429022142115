"""What the picture looks like around the tracked calliper: what a parasternal long axis has and other views have not.

*Contrast*: the two walls are brighter than the cavity between them. *Valves*: to the right of the calliper, where by
convention the base of the heart is, leaflets and cusps beat in the picture, and to the left the apical cavity is quiet;
in a short axis neither side has a valve. A clip that is shown the other way round looks as if it had none.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FRAMES = 48
"""So many frames of a clip are looked at."""

_LEAST_FRAMES = 3
_ALONG = np.linspace(-0.15, 0.15, 7)  # of the cavity's diameter
_ACROSS = np.linspace(-0.3, 0.3, 7)
_BESIDE = np.linspace(0.4, 1.2, 20)
_BESIDE_ACROSS = np.linspace(-0.45, 0.45, 20)
_FLOOR = 10.0  # grey values: less contrast is none
_STILL = 1.0  # grey values: less change is none


def surroundings(
    frames: Callable[[int, int], NDArray[np.uint8]], points: NDArray[np.float64]
) -> dict[str, float]:
    """Look at the calliper's surroundings.

    Args:
        frames: gives the model-space frames ``start .. stop - 1``.
        points: ``(T, 4, 2)`` the track, model px.

    Returns:
        ``contrast``: (walls - cavity) / (walls + cavity), median over frames, -1 to 1. ``valves``: log of the
        deviation over time to the right of the calliper, over that to the left, beside its median place. Empty
        where there are fewer than 3 frames or the calliper has no length.
    """
    chosen = np.unique(np.linspace(0, len(points) - 1, FRAMES).astype(int))
    chosen = chosen[np.linalg.norm(points[chosen, 2] - points[chosen, 1], axis=-1) > 2]
    if len(chosen) < _LEAST_FRAMES:
        return {}
    video = np.concatenate([frames(int(t), int(t) + 1) for t in chosen])
    contrast = float(np.median([_contrast(f, p) for f, p in zip(video, points[chosen], strict=True)]))
    still = np.median(points[chosen], axis=0)
    change = video.std(axis=0)
    right, left = (_grey(change, still, side * _BESIDE, _BESIDE_ACROSS) for side in (1, -1))
    valves = float(np.log(max(right, _STILL) / max(left, _STILL)))
    return {"contrast": round(contrast, 4), "valves": round(valves, 4)}


def _contrast(frame: NDArray[np.uint8], points: NDArray[np.float64]) -> float:
    """Contrast of walls and cavity in one frame."""
    across = points[2] - points[1]
    walls = 0.0
    for i in (0, 2):
        offset = (points[i] + points[i + 1]) / 2 - (points[1] + points[2]) / 2
        place = float(offset @ across / (across @ across))
        walls += _grey(frame, points, _ALONG, np.array([place])) / 2
    cavity = _grey(frame, points, _ALONG, _ACROSS)
    return (walls - cavity) / max(walls + cavity, _FLOOR)


def _grey(
    picture: NDArray[np.number], points: NDArray[np.float64], u: NDArray[np.float64], v: NDArray[np.float64]
) -> float:
    """Mean of a picture over a grid around the cavity's middle: ``u`` to the right of the calliper, ``v`` down it.

    Both are in diameters of the cavity. Outside of the picture everything is 0.
    """
    down = points[2] - points[1]
    right = np.array([down[1], -down[0]])
    spots = (points[1] + points[2]) / 2 + u[:, None, None] * right + v[None, :, None] * down
    x, y = np.rint(spots[..., 0]), np.rint(spots[..., 1])
    height, width = picture.shape
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    values = picture[np.clip(y, 0, height - 1).astype(int), np.clip(x, 0, width - 1).astype(int)]
    return float(np.where(inside, values, 0).mean())
