"""`Locks`: who works on which clip. They expire, and survive a restart."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from echo_keypoints.results import atomic_path
from lib.refusal import Refusal

LONGEST_MIN = 12 * 60


@dataclass(frozen=True)
class Lock:
    """A clip is held by an annotator until a time, in seconds since the epoch."""

    annotator: str
    until: float

    @property
    def until_utc(self) -> str:
        """The time as ISO 8601 in UTC."""
        return datetime.fromtimestamp(self.until, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def to_document(self) -> dict[str, str]:
        """Give what clients see."""
        return {"annotator": self.annotator, "until_utc": self.until_utc}


class Locks:
    """The locks of all clips.

    Args:
        path: where they are kept.
        clock: seconds since the epoch.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock
        self._guard = threading.Lock()
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            self._locks = {str(clip): Lock(str(who), float(until)) for clip, (who, until) in kept.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            self._locks = {}

    def holder(self, clip_id: str) -> Lock | None:
        """The lock of a clip, if it has not expired."""
        lock = self._locks.get(clip_id)
        return lock if lock and lock.until > self._clock() else None

    def check(self, clip_id: str, annotator: str) -> None:
        """Refuse if another annotator holds the clip.

        Raises:
            Refusal: 423.
        """
        lock = self.holder(clip_id)
        if lock and lock.annotator != annotator:
            raise Refusal(
                423, f"{lock.annotator} works on this clip until {lock.until_utc}.", **lock.to_document()
            )

    def take(self, clip_id: str, annotator: str, minutes: int) -> Lock:
        """Take a clip, or hold it longer.

        Raises:
            Refusal: 422 for another duration than 1 minute to 12 hours, 423 if it is held.
        """
        if not 1 <= minutes <= LONGEST_MIN:
            raise Refusal(422, f"A lock lasts 1 to {LONGEST_MIN} minutes.")
        with self._guard:
            self.check(clip_id, annotator)
            self._locks[clip_id] = Lock(annotator, self._clock() + 60 * minutes)
            self._keep()
            return self._locks[clip_id]

    def give(self, clip_id: str, annotator: str) -> None:
        """Free a clip, if it is this annotator's."""
        with self._guard:
            lock = self._locks.get(clip_id)
            if lock and lock.annotator == annotator:
                del self._locks[clip_id]
                self._keep()

    def _keep(self) -> None:
        self._locks = {clip: lock for clip, lock in self._locks.items() if lock.until > self._clock()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(self._path) as part:
            text = json.dumps({clip: [lock.annotator, lock.until] for clip, lock in self._locks.items()})
            part.write_text(text, encoding="utf-8")
