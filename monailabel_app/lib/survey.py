"""`Survey`: signals of all clips for active learning, gathered in the background and kept on disk."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

from echo_keypoints.errors import EchoKeypointsError
from echo_keypoints.results import atomic_path
from echo_keypoints.selection import ClipSignals, clip_signals
from lib.catalogue import Entry
from lib.dicomweb_client import ArchiveError
from lib.inference import Inference
from lib.models import ModelRegistry
from lib.refusal import Refusal

logger = logging.getLogger(__name__)

RETRY_S = 60.0
"""A clip that cannot be had, because its archive is away, is looked at again after this time."""


class Survey:
    """Looks at clips, one after the other, with low priority, by the models that serve now.

    Args:
        folder: where the signals are kept.
        inference: gives the sessions.
        models: whose version the signals belong to.
        idle: tells whether no annotator waits for an analysis; a look waits until then.
    """

    def __init__(
        self, folder: Path, inference: Inference, models: ModelRegistry, idle: Callable[[], bool]
    ) -> None:
        self._folder, self._inference, self._models, self._idle = folder, inference, models, idle
        self._wanted: list[str] = []
        self._failed: dict[str, float] = {}  # key → until when it is not looked at again
        self._known: dict[str, ClipSignals] = {}
        self._change = threading.Condition()
        threading.Thread(target=self._work, name="survey", daemon=True).start()

    def signals(self, clip_ids: list[str], wait_s: float = 0.0) -> dict[str, ClipSignals | None]:
        """Give the signals of clips, None where they are not known yet; those are looked at from now on.

        Args:
            clip_ids: the clips.
            wait_s: how long to wait for the missing ones.
        """
        until = time.monotonic() + wait_s
        with self._change:
            while True:
                keys = {clip_id: self._key(clip_id) for clip_id in clip_ids}
                found = {clip_id: self._load(key) for clip_id, key in keys.items()}
                now = time.monotonic()
                missing = [
                    clip
                    for clip, key in keys.items()
                    if key and found[clip] is None and self._failed.get(key, now) <= now
                ]
                left = until - now
                self._wanted = missing
                self._change.notify_all()
                if not missing or left <= 0:
                    return found
                self._change.wait(left)

    def _work(self) -> None:
        while True:
            with self._change:
                while not self._wanted:
                    self._change.wait()
                clip_id = self._wanted.pop(0)
            while not self._idle():
                time.sleep(0.05)
            retry_s = self._look(clip_id)
            key = self._key(clip_id)
            with self._change:
                if retry_s and key:
                    self._failed[key] = time.monotonic() + retry_s
                self._change.notify_all()

    def _look(self, clip_id: str) -> float:
        """Keep the signals of a clip, or tell after how many seconds to look at it again."""
        try:
            # Fetched first: the key of an archive's clip changes when its file is here.
            key = self._key_of(self._inference.fetch(clip_id)[1])
            with self._inference.session(clip_id, lambda *_: None) as session:
                signals = clip_signals(session, session.track())
            with self._change:
                self._keep(key, signals)
            return 0.0
        except (Refusal, ArchiveError):
            return RETRY_S
        except EchoKeypointsError:
            return math.inf
        except Exception:  # a clip that breaks something must not end the survey of the others
            logger.exception("a clip could not be surveyed")
            return math.inf

    def _key(self, clip_id: str) -> str | None:
        try:
            return self._key_of(self._inference.entry(clip_id))
        except Refusal:
            return None  # it is gone

    def _key_of(self, entry: Entry) -> str:
        text = f"{entry.id}\n{entry.stamp}\n{self._models.serving}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def _load(self, key: str | None) -> ClipSignals | None:
        if key is None:
            return None
        if key not in self._known:
            try:
                document = json.loads((self._folder / f"{key}.json").read_text(encoding="utf-8"))
                self._known[key] = ClipSignals.from_document(document)
            except (OSError, ValueError, KeyError):
                return None
        return self._known[key]

    def _keep(self, key: str, signals: ClipSignals) -> None:
        self._known[key] = signals
        self._folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(self._folder / f"{key}.json") as part:
            part.write_text(json.dumps(signals.to_document()), encoding="utf-8")
