"""`Worklist`: the clips of a batch that need a person's review, one after another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from EchoKeypointsLib.controller import Controller
from EchoKeypointsLib.signals import Signal


class Worklist:
    """A batch's folder of results, and which of its clips is at hand.

    Args:
        controller: of the panel.

    Attributes:
        words: how the batch stands.
        changed: emitted when the words have changed.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._clips, self._results = Path(), Path()
        self._open: list[dict[str, Any]] = []
        self._seen: set[str] = set()
        self._at_hand: dict[str, Any] | None = None
        self.words = ""
        self.changed = Signal()

    def look(self, clips: str, results: str) -> None:
        """Read the work-list.

        Args:
            clips: the folder that the batch was run on.
            results: the folder of its results.
        """
        self._clips, self._results = Path(clips), Path(results)
        self._seen.clear()
        self._ask("worklist", {}, "Reading the work-list", self._took)

    def open_next(self) -> None:
        """Open the next clip that needs a review, with its result."""
        entry = next((entry for entry in self._open if entry["path"] not in self._seen), None)
        if entry is None:
            self._controller.said.emit("No clip of the work-list is waiting for a review.")
            return
        self._seen.add(entry["path"])

        def loaded(answer: dict[str, Any]) -> None:
            self._at_hand = entry
            self._controller.open_file(self._clips / entry["path"], document=answer["document"])
            self._controller.said.emit(entry["reason"])

        self._ask("worklist_load", {"folder": entry["folder"]}, "Opening the next clip", loaded)

    def mark_reviewed(self) -> None:
        """Note that the result at hand was reviewed, and save it into the batch."""
        study, entry = self._controller.study, self._at_hand
        if study is None or entry is None or study.header.source != Path(entry["path"]).name:
            self._controller.said.emit("The clip at hand is not of the work-list; open one with “Open next”.")
            return

        def saved(answer: dict[str, Any]) -> None:
            self._at_hand = None
            self._took(answer)

        def save() -> None:
            params = {"folder": entry["folder"], "document": study.document}
            self._ask("worklist_save", params, "Saving", saved)

        self._controller.editor.submit("reviewed", {}, "the review", then=save)

    def _ask(self, method: str, params: dict[str, Any], words: str, done) -> None:
        self._controller.request(method, {"results": str(self._results), **params}, words, done)

    def _took(self, answer: dict[str, Any]) -> None:
        self._open = answer["open"]
        states = ", ".join(f"{count} {state}" for state, count in sorted(answer["tally"].items()))
        self.words = f"{states}. Waiting for a review: {len(self._open)}."
        self.changed.emit()
