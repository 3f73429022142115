"""DIS: OpenCV's dense inverse-search flow, read at the points."""

from __future__ import annotations

import cv2
import numpy as np

from .protocol import Floats, Trajectories, Video
from .stepping import Frame, Step, chain, direct


class DIS:
    """Dense inverse-search flow (Kroeger et al., ECCV 2016), preset "medium".

    Args:
        chained: frame to frame, or else directly from the query frame to every other. On real hearts chained
            is the better by far: speckle does not survive a systole.
        upsampling: the frames are enlarged so many times first. The preset stops at half resolution, which
            blends the motion of a thin wall with its surroundings; 2 brings the flow to full resolution.
    """

    def __init__(self, *, chained: bool = True, upsampling: int = 1) -> None:
        self._walk = chain if chained else direct
        self._upsampling = upsampling

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """See `protocol.Tracker.track`."""
        return self._walk(video, query_frame, query, _make_step(self._upsampling))


def _make_step(upsampling: int) -> Step:
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def enlarge(frame: Frame) -> Frame:
        if upsampling == 1:
            return frame
        enlarged = cv2.resize(frame, None, fx=upsampling, fy=upsampling, interpolation=cv2.INTER_CUBIC)
        return np.asarray(enlarged, np.uint8)

    def step(source: Frame, target: Frame, points: Floats) -> Floats:
        # (H, W, 2) with target(p + field(p)) ~ source(p). OpenCV's stubs forget that the start may be None.
        field = flow.calc(enlarge(source), enlarge(target), None)
        # Enlarging keeps the corners of an image in place, so centres move: (p + 0.5) * k - 0.5.
        x, y = ((points + 0.5) * upsampling - 0.5).astype(np.float32).T[:, None]  # (1, 4) each
        sampled = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return points + sampled[0].astype(np.float64) / upsampling

    return step
