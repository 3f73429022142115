"""`SessionCache`: clips that are read and detected already, ready for refinement, in bounded memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from echo_keypoints.tracking import Session


@dataclass(eq=False)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    session: Session | None = None
    users: int = 0


class SessionCache:
    """The sessions that were used last. One request at a time has a session; others for the same clip wait.

    Sessions in use are never closed; so the memory is at most `limit_bytes` and what the running requests hold.

    Args:
        limit_bytes: of the sessions that are kept.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def use(self, key: Hashable, make: Callable[[], Session]) -> Iterator[Session]:
        """Give the session of a key, made if it is not kept.

        Args:
            key: of the clip, the state of its file, and the model version.
            make: opens it; whatever it raises is passed on.
        """
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            slot.users += 1
        try:
            with slot.lock:
                if slot.session is None:
                    slot.session = make()
                yield slot.session
        finally:
            with self._lock:
                slot.users -= 1
                self._shrink()

    def holds(self, key: Hashable) -> bool:
        """Tell whether a key's session is ready."""
        slot = self._slots.get(key)
        return slot is not None and slot.session is not None

    @property
    def bytes(self) -> int:
        """Memory of all sessions."""
        return sum(slot.session.memory_bytes for slot in list(self._slots.values()) if slot.session)

    def _shrink(self) -> None:
        """Close sessions that nobody uses: failed ones, and the oldest until the rest fits."""
        total = self.bytes
        for key, slot in list(self._slots.items()):
            if slot.users or (slot.session and total <= self._limit):
                continue
            if slot.session:
                total -= slot.session.memory_bytes
                slot.session.close()
            del self._slots[key]
