"""KLT: OpenCV's pyramidal Lucas–Kanade, frame to frame."""

from __future__ import annotations

import cv2
import numpy as np

from .protocol import Floats, Trajectories, Video
from .stepping import Frame, chain

WINDOW = (21, 21)
LEVELS = 3
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.01)


class KLT:
    """Bouguet's pyramidal Lucas–Kanade, 21 × 21 window, 3 levels, chained; a lost point stays put."""

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """See `protocol.Tracker.track`."""
        return chain(video, query_frame, query, _step)


def _step(source: Frame, target: Frame, points: Floats) -> Floats:
    start = points.astype(np.float32)[:, None]
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        source, target, start, start.copy(), winSize=WINDOW, maxLevel=LEVELS, criteria=_STOP
    )
    return np.where(found.astype(bool), moved[:, 0], points).astype(np.float64)
