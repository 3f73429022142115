"""Our own trackers behind the same protocol: SK-net frame by frame, and TR-net."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from echo_keypoints.clip import Clip, ClipHeader
from echo_keypoints.tracking import Session, open_session
from echo_keypoints.tracking.backends.base import Backend
from echo_keypoints.tracking.reference import choose_reference

from .protocol import Floats, Query, Trajectories, Video


class Engine:
    """A back end with the session of the clip it saw last: both trackers, and both starts, detect only once.

    Args:
        load: gives the back end; called when it is first needed, so that peers alone need no weights.
    """

    def __init__(self, load: Callable[[], Backend]) -> None:
        self._load = load
        self._open: tuple[Clip, Session] | None = None

    @cached_property
    def backend(self) -> Backend:
        """The back end.

        Raises:
            ModelError: its weights are missing or damaged.
        """
        return self._load()

    def session(self, clip: Clip) -> Session:
        """Read and detect a clip, or give what the last call for it made."""
        if self._open is None or self._open[0] is not clip:
            self.close()
            self._open = (clip, open_session(clip, self.backend))
        return self._open[1]

    def reference(self, clip: Clip) -> Query:
        """What the paper refines from: the frame with the largest sum of peaks, and SK-net's points there."""
        session = self.session(clip)
        found = session.detections
        frame = choose_reference("confidence", found.points, found.peak)
        return Query(frame, session.letterbox.to_original(found.points[frame]))

    def close(self) -> None:
        """Free the last session."""
        if self._open is not None:
            self._open[1].close()
            self._open = None


class SKNetTracker:
    """The detector on every frame on its own: no memory, so a query is ignored."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """See `protocol.Tracker.track`; the query is not used."""
        return self.track_clip(as_clip(video), None)

    def track_clip(self, clip: Clip, query: Query | None) -> Trajectories:
        """See `protocol.ClipTracker.track_clip`; confidence is the height of the heat-map, cut to 0..1."""
        session = self._engine.session(clip)
        found = session.detections
        return Trajectories(session.letterbox.to_original(found.points), found.peak.clip(0, 1))


class TRNetTracker:
    """The whole engine: from a query, or end to end where there is none."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """See `protocol.Tracker.track`."""
        return self.track_clip(as_clip(video), Query(query_frame, query))

    def track_clip(self, clip: Clip, query: Query | None) -> Trajectories:
        """See `protocol.ClipTracker.track_clip`."""
        given = None if query is None else (query.frame, query.points)
        tracking = self._engine.session(clip).track(query=given)
        return Trajectories(tracking.points_px, tracking.confidence)


def as_clip(video: Video) -> Clip:
    """Wrap a bare video ``(T, H, W)`` as a clip without times or scale."""
    count, height, width = video.shape
    return Clip(ClipHeader("video", count, height, width, np.arange(count, dtype=np.float64), "none"), video)
