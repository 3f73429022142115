"""Speckle tracking as ultrasound researchers do it: PyMUST's ``sptrack``.

PyMUST is the Python port of MUST, from the authors of the paper's reference [14] (Joos et al., IEEE TUFFC 2018):
multi-pass cross-correlation in Fourier space with sub-pixel peaks and robust smoothing of the field (``smoothn``).
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from scipy.ndimage import map_coordinates

from echo_keypoints.errors import EchoKeypointsError

from .protocol import Floats, Trajectories, Video
from .stepping import Frame, chain

WINDOWS = ((48, 48), (24, 24))
"""Interrogation windows of the passes, px, half overlapping."""
MARGIN = 48
"""The field is computed this far around the points: all of the frame would take several times as long."""


class SpeckleTracking:
    """``sptrack`` from frame to frame, its field read bilinearly at the points.

    Raises:
        EchoKeypointsError: PyMUST is not installed.
    """

    def __init__(self) -> None:
        self._pymust = _import_pymust()

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """See `protocol.Tracker.track`."""
        return chain(video, query_frame, query, self._step)

    def _step(self, source: Frame, target: Frame, points: Floats) -> Floats:
        left, top, side = _square(points, source.shape)
        area = (slice(top, top + side), slice(left, left + side))
        pair = np.stack([source[area], target[area]], axis=-1)
        if any(np.ptp(pair[..., k]) == 0 for k in range(2)):
            return points.copy()
        parameters = self._pymust.utils.Param()
        parameters.winsize = np.array(WINDOWS)
        x_moves, y_moves, columns, rows = self._pymust.sptrack(pair.astype(np.float64), parameters)
        at = points - (left, top)
        # A window of n px from i on is given the centre i + n / 2; that of its pixels is half a pixel less.
        x = (at[:, 0] + 0.5 - columns[0, 0]) / (columns[0, 1] - columns[0, 0])
        y = (at[:, 1] + 0.5 - rows[0, 0]) / (rows[1, 0] - rows[0, 0])
        moves = [
            map_coordinates(np.nan_to_num(f), (y, x), order=1, mode="nearest") for f in (x_moves, y_moves)
        ]
        return points + np.stack(moves, axis=-1)


def _square(points: Floats, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Left, top and side of a square around the points, three large windows at least (sptrack takes squares only)."""
    low, high = np.floor(points.min(axis=0)) - MARGIN, np.ceil(points.max(axis=0)) + MARGIN
    limit = min(shape)
    side = int(np.clip((high - low).max(), min(limit, 3 * WINDOWS[0][0]), limit))
    room = np.array([shape[1] - side, shape[0] - side])
    left, top = np.clip((low + high - side) / 2, 0, room).astype(int)
    return int(left), int(top), side


def _import_pymust() -> ModuleType:
    try:
        import pymust
    except ImportError as error:
        raise EchoKeypointsError(
            "Speckle tracking needs PyMUST: pip install 'echo-keypoints[peers]'."
        ) from error
    return pymust
