"""Undo and redo. The audit trail never shrinks: going back is itself an entry."""

from __future__ import annotations

import json

from echo_keypoints.results import AnalysisResult, AuditEntry, from_document, to_document, utc_now

_STATE = (
    "clip points_px confidence reference_frame reference_mode iterations backend models anchors automatic_px "
    "surroundings beats measurements quality warnings software created_utc"
).split()
"""All that a result holds, but for its clip's digest and its audit trail."""


class History:
    """What a person did to one result in this session, oldest first; results are kept as text."""

    def __init__(self) -> None:
        self._past: list[tuple[str, str]] = []  # what was done, the document before it
        self._future: list[tuple[str, str]] = []  # what was undone, the document with it

    @property
    def can_undo(self) -> str:
        """What undo would take back, in words; empty for nothing."""
        return self._past[-1][0] if self._past else ""

    @property
    def can_redo(self) -> str:
        """What redo would do again, in words; empty for nothing."""
        return self._future[-1][0] if self._future else ""

    def did(self, what: str, before: str) -> None:
        """Remember a change and the document before it."""
        self._past.append((what, before))
        self._future.clear()

    def undo(self, document: str, who: str) -> str:
        """Give the document before the last change, with an entry that says so.

        Args:
            document: as it is now.
            who: for the audit trail.
        """
        what, before = self._past.pop()
        self._future.append((what, document))
        return restored(document, before, who, f"undo: {what}")

    def redo(self, document: str, who: str) -> str:
        """Give the document with the change that was last undone."""
        what, after = self._future.pop()
        self._past.append((what, document))
        return restored(document, after, who, f"redo: {what}")


def restored(now: str, state: str, who: str, what: str) -> str:
    """Give a result the state of another one of the same clip, keeping its own audit trail and one entry more.

    Args:
        now: the result as text, with the trail.
        state: the result as text, with all else.
        who, what: of the entry.
    """
    wanted = _parsed(state)
    values = {name: getattr(wanted, name) for name in _STATE}
    return as_text(_parsed(now).amended(AuditEntry(who, utc_now(), what), **values))


def as_text(result: AnalysisResult) -> str:
    """Give a result as the text of ``result.json``."""
    return json.dumps(to_document(result), allow_nan=False, separators=(",", ":"))


def _parsed(text: str) -> AnalysisResult:
    return from_document(json.loads(text))
