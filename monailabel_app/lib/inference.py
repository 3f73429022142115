"""`Inference`: the three tasks on clips of the catalogue, through sessions that are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.analysis import result_of
from echo_keypoints.readers import open_clip
from echo_keypoints.results import AnalysisResult
from echo_keypoints.tracking import Anchor, Session, open_session
from lib.catalogue import Catalogue, Digests, Entry
from lib.models import ModelRegistry
from lib.refusal import Refusal
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
        """Find a clip; see `Catalogue.entry`."""
        return self._catalogue.entry(clip_id)

    def fetch(self, clip_id: str) -> tuple[Path, Entry]:
        """Give the file of a clip, and its entry: that of an archive's clip is complete only with its file."""
        path = self._catalogue.file(clip_id)
        return path, self.entry(clip_id)

    def ready(self, clip_id: str) -> bool:
        """Tell whether a clip can be refined at once."""
        return self._cache.holds((clip_id, self.entry(clip_id).stamp, self._models.serving))

    @contextmanager
    def session(self, clip_id: str, progress: Progress) -> Iterator[Session]:
        """Give the session of a clip by the models that serve now, to one caller at a time."""
        version, backend = self._models.backend()
        path, entry = self.fetch(clip_id)
        key = (clip_id, entry.stamp, version)
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
            Refusal: no such clip, or its file was replaced meanwhile.
            EchoKeypointsError: the clip is damaged, or the points do not fit it.
        """
        path, before = self.fetch(clip_id)
        with self.session(clip_id, progress) as session:
            if task == "sknet":
                tracking = session.detect()
            else:
                tracking = session.track(anchors, query=query, reference=reference, progress=progress)
            header = session.header
        sha256 = self.digests.of(path)
        if (
            self.fetch(clip_id)[1].stamp != before.stamp
        ):  # the digest would vouch for a file that was not tracked
            raise Refusal(409, "The clip's file was replaced during the analysis; analyse it again.")
        return result_of(header, tracking, sha256=sha256)


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
