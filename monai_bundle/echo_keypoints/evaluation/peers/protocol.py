"""What a tracker is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.clip import Clip

Floats = NDArray[np.float64]
Video = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Trajectories:
    """The answer of a tracker.

    Attributes:
        points: ``(T, 4, 2)`` float64 ``(x, y)`` in pixels of the frames it was given.
        confidence: ``(T, 4)`` float64 in 0..1, comparable within one tracker only.
    """

    points: Floats
    confidence: Floats


@dataclass(frozen=True, eq=False)
class Query:
    """Where a tracker starts: the four landmarks ``(4, 2)`` ``(x, y)`` on one frame (index from 0)."""

    frame: int
    points: Floats


class Tracker(Protocol):
    """Follows four points from one frame through the whole video, forwards and backwards."""

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """Track.

        Args:
            video: ``(T, H, W)`` uint8 grey; never edited.
            query_frame: index of the frame that the query is on.
            query: ``(4, 2)`` ``(x, y)``, pixel centres at integers.

        Returns:
            Tracks in the pixels of the video, in the same convention.
        """
        ...


@runtime_checkable
class ClipTracker(Protocol):
    """A tracker that takes the clip as a user gives it, and finds the landmarks where no query is given."""

    def track_clip(self, clip: Clip, query: Query | None) -> Trajectories:
        """Track through a clip; query and tracks are in the clip's own pixels."""
        ...
