"""Our own trackers behind the same protocol: SK-net frame by frame, and TR-net."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from echo_keypoints.clip import Clip, ClipHeader
from echo_keypoints.tracking import Session, load_backend, open_session
from echo_keypoints.tracking.backends.base import Backend, model_file, models_directory

from .protocol import Floats, Query, Trajectories, Video

AS_IN_THE_PAPER: dict[str, Any] = {"consensus": False, "motion": False, "placement": False}
"""Options of `TRNetTracker` that leave out what the paper does not have."""


class Engine:
    """A back end with the session of the clip it saw last: both trackers, and both starts, detect only once.

    Args:
        name: of the back end, ``"onnx"`` or ``"torch"``; it is loaded when first needed.
        folder: of the weights; those that came with the software by default.
    """

    def __init__(self, name: str = "onnx", folder: Path | None = None) -> None:
        self._name = name
        self._folder = folder
        self._open: tuple[Clip, Session] | None = None

    @cached_property
    def backend(self) -> Backend:
        """The back end.

        Raises:
            ModelError: its weights are missing or damaged.
        """
        return load_backend(self._name, self._folder)

    def weights(self, file: str) -> Path:
        """Path of a file among the weights.

        Raises:
            ModelError: it is not there.
        """
        return model_file(self._folder or models_directory(), file)

    def session(self, clip: Clip) -> Session:
        """Read and detect a clip, or give what the last call for it made."""
        if self._open is None or self._open[0] is not clip:
            self.close()
            self._open = (clip, open_session(clip, self.backend))
        return self._open[1]

    def reference(self, clip: Clip) -> Query:
        """What TR-net starts from end to end: SK-net's most confident frame, and the points there."""
        tracking = self.session(clip).track()
        return Query(tracking.reference_frame, tracking.points_px[tracking.reference_frame])

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
    """The whole engine: from a query, or end to end where there is none.

    Args:
        engine: with the weights.
        options: of `Session.track`: ``reference``, ``iterations``, ``consensus``, ``motion``,
            ``placement``.
    """

    def __init__(self, engine: Engine, **options: Any) -> None:
        self._engine, self._options = engine, options

    def track(self, video: Video, query_frame: int, query: Floats) -> Trajectories:
        """See `protocol.Tracker.track`."""
        return self.track_clip(as_clip(video), Query(query_frame, query))

    def track_clip(self, clip: Clip, query: Query | None) -> Trajectories:
        """See `protocol.ClipTracker.track_clip`."""
        given = None if query is None else (query.frame, query.points)
        tracking = self._engine.session(clip).track(query=given, **self._options)
        return Trajectories(tracking.points_px, tracking.confidence)


def as_clip(video: Video) -> Clip:
    """Wrap a bare video ``(T, H, W)`` as a clip without times or scale."""
    count, height, width = video.shape
    return Clip(ClipHeader("video", count, height, width, np.arange(count, dtype=np.float64), "none"), video)
