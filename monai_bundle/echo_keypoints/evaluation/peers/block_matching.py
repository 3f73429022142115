"""Block matching: the speckle tracking of the textbooks, frame to frame."""

from __future__ import annotations

import cv2
import numpy as np

from .protocol import Floats, Trajectories, Video
from .stepping import Frame, chain, cut

BLOCK = 25
REACH = 10


class BlockMatching:
    """Best zero-mean NCC of a 25 × 25 block within ±10 px, chained, sub-pixel by a parabola along each axis.

    Block and search window are both cut at the point's sub-pixel position, so that nothing is rounded.
    """

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """See `protocol.Tracker.track`."""
        return chain(video, query_frame, query, _step)


def _step(source: Frame, target: Frame, points: Floats) -> Floats:
    return np.stack([_match(source, target, point) for point in points])


def _match(source: Frame, target: Frame, point: Floats) -> Floats:
    height, width = source.shape
    centre = np.clip(point, 0, (width - 1, height - 1))
    block = cut(source, centre, BLOCK).astype(np.float32)
    window = cut(target, centre, BLOCK + 2 * REACH).astype(np.float32)
    scores = cv2.matchTemplate(window, block, cv2.TM_CCOEFF_NORMED).astype(np.float64)  # (2 * REACH + 1,) * 2
    row, column = np.unravel_index(scores.argmax(), scores.shape)
    shift = np.array([column + _top(scores[row], int(column)), row + _top(scores[:, column], int(row))])
    return centre + shift - REACH


def _top(scores: Floats, best: int) -> float:
    """Top of the parabola through a maximum and its neighbours, -0.5 to 0.5; 0 at the border."""
    if not 0 < best < len(scores) - 1:
        return 0.0
    left, middle, right = (float(score) for score in scores[best - 1 : best + 2])
    curvature = left - 2 * middle + right
    return 0.5 * (left - right) / curvature if curvature < 0 else 0.0
