"""Steady pictures: the walls around a track, cut out so that they stand still while the heart beats.

In each frame a patch is laid along the measuring line, SEpP → PEpP, and turned with it. Along the line it is stretched
so that the four points of the track lie at the same height in all frames. What a single frame leaves open is then
plain: borders stay where they are while speckle changes, and the leaflets' tips show how far they reach.

A place in steady pictures is (basal, height) in mean lengths of the line, from its middle: towards the base (to the
right of a line that points down, as the base lies in a PLAX view) and from the septum to the posterior wall. The track
itself lies at (0, `SteadyView.heights`) in every frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.tracking.bilinear import read_bilinear

HEIGHT, WIDTH = 128, 96
"""Of a steady picture in pixels."""

STEP = 1.5 / HEIGHT
"""Side of its pixels, in mean lengths of the measuring line."""

TOP, LEFT = -0.75, -0.4
"""Where it begins: it sees more towards the base, where valve and atrium lie."""

_SHORTEST_PX = 0.5  # of a wall or a cavity: points that have crossed still give a picture


@dataclass(frozen=True, eq=False)
class SteadyView:
    """Between T frames and their steady pictures; all points in px of the frames.

    Attributes:
        points: ``(T, 4, 2)`` the track.
        length_px: mean length of the measuring line.
        across: ``(T, 2)`` unit vectors (x, y) along it, SEpP → PEpP.
        basal: ``(T, 2)`` unit vectors at right angles, towards the base.
        parts_px: ``(T, 3)`` lengths of septum, cavity and posterior wall along it.
        heights: ``(4,)`` where the landmarks lie along it on average.
    """

    points: NDArray[np.float64]
    length_px: float
    across: NDArray[np.float64]
    basal: NDArray[np.float64]
    parts_px: NDArray[np.float64]
    heights: NDArray[np.float64]

    @classmethod
    def of(cls, points: NDArray[np.floating]) -> SteadyView:
        """Lay it along a track ``(T, 4, 2)``."""
        track: NDArray[np.float64] = points.astype(np.float64)
        line = track[:, 3] - track[:, 0]
        length = np.maximum(np.linalg.norm(line, axis=-1), 3 * _SHORTEST_PX)
        across = line / length[:, None]
        basal = np.stack((across[:, 1], -across[:, 0]), axis=-1)
        parts = np.maximum((np.diff(track, axis=1) * across[:, None]).sum(axis=-1), _SHORTEST_PX)
        heights = np.concatenate(([0.0], np.cumsum(parts.mean(axis=0)))) / length.mean() - 0.5
        return cls(track, float(length.mean()), across, basal, parts, heights)

    @property
    def places(self) -> NDArray[np.float64]:
        """``(4, 2)`` places of the track."""
        return np.stack((np.zeros(4), self.heights), axis=-1)

    def at(self, frames: NDArray[np.intp]) -> SteadyView:
        """The same view of some of the frames."""
        return SteadyView(
            self.points[frames],
            self.length_px,
            self.across[frames],
            self.basal[frames],
            self.parts_px[frames],
            self.heights,
        )

    def to_frames(self, places: NDArray[np.floating]) -> NDArray[np.float64]:
        """Places ``(T, K, 2)`` or ``(K, 2)`` → points ``(T, K, 2)``."""
        basal, height = np.moveaxis(np.broadcast_to(places, (len(self.points), *places.shape[-2:])), -1, 0)
        points: NDArray[np.float64] = (
            self._spine(height) + self.length_px * basal[..., None] * self.basal[:, None]
        )
        return points

    def to_steady(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points ``(T, K, 2)`` → places ``(T, K, 2)``."""
        way = ((points - self.points[:, :1]) * self.across[:, None]).sum(axis=-1)[..., None]  # (T, K, 1)
        ends = np.cumsum(self.parts_px, axis=-1)[:, None]  # (T, 1, 3)
        share = np.clip((way - ends) / self.parts_px[:, None] + 1, 0, 1)
        beyond = (np.minimum(way, 0) + np.maximum(way - ends[..., -1:], 0))[..., 0] / self.length_px
        height = self.heights[0] + share @ np.diff(self.heights) + beyond
        aside = ((points - self._spine(height)) * self.basal[:, None]).sum(axis=-1)
        return np.stack((aside / self.length_px, height), axis=-1)

    def pictures(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut out of frames ``(T, H, W)``: ``(T, HEIGHT, WIDTH)``; beyond the frame's border it is repeated."""
        height = TOP + (np.arange(HEIGHT) + 0.5) * STEP
        aside = (LEFT + (np.arange(WIDTH) + 0.5) * STEP) * self.length_px
        spine = self._spine(np.broadcast_to(height, (len(frames), HEIGHT)))
        spine, basal = np.moveaxis(spine, -1, 0)[..., None], self.basal.T[:, :, None, None]
        x, y = spine.astype(np.float32) + aside.astype(np.float32) * basal.astype(np.float32)
        rows = np.arange(len(frames))[:, None, None]
        return np.round(read_bilinear(frames, rows, x, y)).astype(np.uint8)

    def _spine(self, height: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points ``(T, K, 2)`` at heights ``(T, K)`` on the track's own line, which goes on straight at both ends."""
        above = height[..., None] - self.heights  # (T, K, 4)
        share = np.clip(above[..., :-1] / np.diff(self.heights), 0, 1)
        beyond = self.length_px * (np.minimum(above[..., 0], 0) + np.maximum(above[..., -1], 0))
        line: NDArray[np.float64] = self.points[:, :1] + share @ np.diff(self.points, axis=1)
        return line + beyond[..., None] * self.across[:, None]
