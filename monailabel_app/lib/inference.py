"""`Inference`: the three tasks on clips of the catalogue, through sessions that are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.analysis import result_of
from echo_keypoints.readers import open_clip
from echo_keypoints.results import AnalysisResult
from echo_keypoints.tracking import Anchor, Session, open_session
from lib.catalogue import Catalogue, Digests, Entry
from lib.models import ModelRegistry
from lib.refusal import Refusal, not_found
from lib.sessions import SessionCache

TASKS = {
    "sknet": "detector: the landmarks of each frame on its own",
    "trnet": "full tracking: the landmarks through the whole cine",
    "refine": "tracking again through frames that a person set; fast once the clip has been analysed",
}

Progress = Callable[[str, int, int], None]
Query = tuple[int, NDArray[np.float64]]


class Inference:
    """Runs tasks. All methods may be called from any thread.

    Args:
        catalogue: of the clips.
        models: the versions of the weights.
        cache: of the sessions.
    """

    def __init__(self, catalogue: Catalogue, models: ModelRegistry, cache: SessionCache) -> None:
        self._catalogue, self._models, self._cache = catalogue, models, cache
        self.digests = Digests()

    def entry(self, clip_id: str) -> Entry:
        """Find a clip.

        Raises:
            Refusal: 404, there is none.
        """
        entry = self._catalogue.known().get(clip_id) or self._catalogue.entries().get(clip_id)
        if entry is None:
            raise not_found("clip")
        return entry

    def ready(self, clip_id: str) -> bool:
        """Tell whether a clip can be refined at once."""
        return self._cache.holds((clip_id, self.entry(clip_id).stamp, self._models.serving))

    @contextmanager
    def session(self, clip_id: str, progress: Progress) -> Iterator[Session]:
        """Give the session of a clip by the models that serve now, to one caller at a time."""
        version, backend = self._models.backend()
        path = self._catalogue.file(
            clip_id
        )  # first: a clip of an archive is fetched here, and its entry with it
        key = (clip_id, self.entry(clip_id).stamp, version)
        with self._cache.use(
            key, lambda: open_session(open_clip(path), backend, progress=progress)
        ) as session:
            yield session

    def run(
        self,
        task: str,
        clip_id: str,
        progress: Progress,
        *,
        anchors: Sequence[Anchor] = (),
        query: Query | None = None,
        reference: str | int = "confidence",
    ) -> AnalysisResult:
        """Run a task on a clip.

        Args:
            task: a name of `TASKS`.
            clip_id: of the catalogue.
            progress: told how far it is; it may raise to stop.
            anchors: for ``refine``; ``trnet`` ignores none either.
            query, reference: see `Session.track`.

        Raises:
            Refusal: no such clip.
            EchoKeypointsError: the clip is damaged, or the points do not fit it.
        """
        with self.session(clip_id, progress) as session:
            if task == "sknet":
                tracking = session.detect()
            else:
                tracking = session.track(anchors, query=query, reference=reference, progress=progress)
            header = session.header
        return result_of(header, tracking, sha256=self.digests.of(self._catalogue.file(clip_id)))


def check_task(task: str, anchors: Sequence[Anchor]) -> str:
    """Refuse tasks that there are not, and a refinement without anchors.

    Raises:
        Refusal: 404 or 422.
    """
    if task not in TASKS:
        raise Refusal(404, f"There is no task {task}; choose one of {', '.join(TASKS)}.")
    if task == "refine" and not anchors:
        raise Refusal(422, "refine needs anchors: frames whose landmarks a person set.")
    return task


def read_points(data: Mapping[str, Any]) -> tuple[int, NDArray[np.float64]]:
    """Read ``{"frame", "points_px"}``: four points, null (or two nulls) for one that was not set.

    Raises:
        Refusal: 422.
    """
    try:
        rows = [[np.nan, np.nan] if point is None else point for point in data["points_px"]]
        points = np.array(rows, np.float64)
        frame = int(data["frame"])
        if points.shape != (4, 2) or np.isinf(points).any():
            raise ValueError
    except (ValueError, TypeError, KeyError, OverflowError):
        raise Refusal(
            422, "A frame with points looks like {frame, points_px: four [x, y] or null}."
        ) from None
    return frame, points
