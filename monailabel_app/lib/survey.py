"""`Survey`: signals of all clips for active learning, gathered in the background and kept on disk."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from echo_keypoints.errors import EchoKeypointsError
from echo_keypoints.results import atomic_path
from echo_keypoints.selection import ClipSignals, clip_signals
from lib.inference import Inference
from lib.models import ModelRegistry

logger = logging.getLogger(__name__)


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
        self._failed: set[str] = set()
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
                missing = [
                    clip
                    for clip, signals in found.items()
                    if signals is None and keys[clip] not in self._failed
                ]
                left = until - time.monotonic()
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
                key = self._key(clip_id)
            while not self._idle():
                time.sleep(0.05)
            signals = self._look(clip_id)
            with self._change:
                if signals is None:
                    self._failed.add(key)
                else:
                    self._keep(key, signals)
                self._change.notify_all()

    def _look(self, clip_id: str) -> ClipSignals | None:
        try:
            with self._inference.session(clip_id, lambda *_: None) as session:
                return clip_signals(session, session.track())
        except EchoKeypointsError:
            return None
        except Exception:  # a clip that breaks something must not end the survey of the others
            logger.exception("a clip could not be surveyed")
            return None

    def _key(self, clip_id: str) -> str:
        entry = self._inference.entry(clip_id)
        text = f"{clip_id}\n{entry.stamp}\n{self._models.serving}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def _load(self, key: str) -> ClipSignals | None:
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
