"""`Editor`: corrections. A landmark that was dragged becomes an anchor; the process follows it up; undo goes back.

Corrections are sent one after another, each on top of the answer to the one before, so that none is lost however fast
a person works, and whatever he looks at meanwhile: each is shown in the study that it was made in. They wait while an
analysis is under way, whose answer knows nothing of them. Landmarks that a person moved stay where they are until
the answer to that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import vtk
from slicer.util import VTKObservationMixin

from echo_keypoints.results import plain
from EchoKeypointsLib import landmarks
from EchoKeypointsLib.history import History
from EchoKeypointsLib.study import Study

if TYPE_CHECKING:
    from EchoKeypointsLib.controller import Controller


@dataclass(frozen=True)
class Edit:
    """A change for the worker (`echo_keypoints.worker.edits.Edit`)."""

    kind: str
    values: dict[str, Any] = field(default_factory=dict)
    who: str = "reader"
    reason: str = ""


@dataclass(frozen=True)
class _Change:
    """A change that was asked for and is not answered yet."""

    study: Study
    edit: Edit
    what: str
    then: Callable[[], None] | None
    shown: np.ndarray | None  # landmarks of the frame as the person who moved them left them


class Editor(VTKObservationMixin):
    """Corrections; those of the study at hand, once they are asked for, go on when another one is.

    Args:
        controller: whose study is at hand.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._controller = controller
        self._study: Study | None = None
        self._histories: dict[str, History] = {}
        self._changes: deque[_Change] = deque()
        self._sending: int | None = None  # number of the request for the first of them
        self._held: tuple[int, np.ndarray] | None = None  # frame under the mouse, its landmarks before
        self._shown = -1
        self._quiet = False

    # --- whose

    def attach(self, study: Study) -> None:
        """Watch a study: its frame and its landmarks."""
        self.detach()
        self._study = study
        self._shown = study.frame
        self.addObserver(study.browser, vtk.vtkCommand.ModifiedEvent, self._on_browser)
        points = study.points
        self.addObserver(points, points.PointStartInteractionEvent, self._on_grab)
        self.addObserver(points, points.PointModifiedEvent, self._on_points)
        self.addObserver(points, points.PointEndInteractionEvent, self._on_release)

    def detach(self) -> None:
        """Watch nothing."""
        self.removeObservers()
        self._study, self._held = None, None

    def forget(self) -> None:
        """Forget all changes, to come or to be undone: the scene goes, and its nodes' ids with it."""
        self.detach()
        self._changes.clear()
        self._sending = None
        self._histories.clear()

    @property
    def busy(self) -> bool:
        """Whether a correction waits or is being followed up: the document is without it until then."""
        return bool(self._changes)

    @property
    def history(self) -> History:
        """Of the study at hand."""
        return self._history_of(self._study) if self._study else History()

    # --- changes

    def set_landmarks(
        self,
        frame: int,
        points_px: np.ndarray,
        reason: str = "moved by hand",
        shown: np.ndarray | None = None,
    ) -> None:
        """Make landmarks of a frame an anchor.

        Args:
            frame: which.
            points_px: ``(4, 2)``, NaN for those that were not set.
            reason: for the audit trail.
            shown: ``(4, 2)`` all landmarks as the scene has them, where a person moved them there.
        """
        values = {"frame": frame, "points_px": plain(points_px)}
        self.submit("landmarks", values, f"landmarks of frame {frame}", reason, shown=shown)

    def confirm_frame(self) -> None:
        """Make all landmarks of the frame shown an anchor: a person found them right."""
        study = self._attached()
        self.set_landmarks(study.frame, study.points_px, "confirmed")

    def revert_frame(self) -> None:
        """Give the frame shown back to the automatic track."""
        frame = self._attached().frame
        self.submit("clear", {"frame": frame}, f"landmarks of frame {frame}", "reverted to automatic")

    def revert_all(self) -> None:
        """Give all frames back to the automatic track."""
        self.submit("clear_all", {}, "all corrections", "reverted to automatic")

    def submit(
        self,
        kind: str,
        values: dict[str, Any],
        what: str,
        reason: str = "",
        then: Callable[[], None] | None = None,
        shown: np.ndarray | None = None,
    ) -> None:
        """Queue a change of the result at hand.

        Args:
            kind, values: as `echo_keypoints.worker.edits.apply_edit` knows them.
            what: for undo, in words.
            reason: for the audit trail.
            then: called when it is done.
            shown: as for `set_landmarks`.
        """
        edit = Edit(kind, values, self._controller.who(), reason)
        self._changes.append(_Change(self._attached(), edit, what, then, shown))
        self.go_on()
        self._controller.changed.emit()

    def undo(self) -> None:
        """Take the last change back."""
        if self.history.can_undo:
            self._go(self.history.undo)

    def redo(self) -> None:
        """Do again what was taken back."""
        if self.history.can_redo:
            self._go(self.history.redo)

    def take(self, study: Study, document: str, what: str = "") -> None:
        """Show a result of a study; remember the one before for undo, where `what` has words for it."""
        before = study.document
        if before is not None and what:
            self._history_of(study).did(what, before)
        self._show(study, document)

    def go_on(self) -> None:
        """Send the next change, unless it has to wait."""
        if self._sending is not None or self._controller.analysing:
            return
        while self._changes and not self._changes[0].study.complete:  # a user deleted it
            self._changes.popleft()
        if not self._changes:
            return
        change = self._changes[0]
        study = change.study

        def done(answer: dict[str, Any]) -> None:
            if self._sending == number:
                self._answered()
                if study.complete:
                    self.take(study, answer["document"], change.what)
                self.go_on()
                self._controller.changed.emit()
                if study.complete and change.then:
                    change.then()

        def failed(kind: str, sentence: str) -> None:
            if self._sending == number:
                self._answered()
                if study.complete and study.document:
                    self._show(study, study.document)  # what was dragged goes back to where it was
                self.go_on()
                self._controller.changed.emit()
                self._controller.failed.emit(sentence)

        params = {
            "clip": self._controller.clip_spec(study),
            "document": study.document,
            "edit": asdict(change.edit),
        }
        number = self._sending = self._controller.worker.call("edit", params, done, failed)

    # --- building blocks

    def _attached(self) -> Study:
        if self._study is None:
            raise RuntimeError("there is no clip at hand")
        return self._study

    def _history_of(self, study: Study) -> History:
        return self._histories.setdefault(study.node.GetID(), History())

    def _answered(self) -> None:
        self._sending = None
        self._changes.popleft()

    def _go(self, step: Callable[[str, str], str]) -> None:
        study = self._attached()
        if self.busy or not study.complete or study.document is None:
            return
        self._show(study, step(study.document, self._controller.who()))
        self._controller.changed.emit()

    def _show(self, study: Study, document: str) -> None:
        keep = set(self._moved(study))
        if self._held is not None and self._study is not None and study.node is self._study.node:
            keep.add(self._held[0])
        self._quiet = True
        try:
            study.show(document, keep)
        finally:
            self._quiet = False

    def _moved(self, study: Study) -> dict[int, np.ndarray]:
        """Frame → landmarks ``(4, 2)`` as a person left them, where that is not answered yet."""
        mine = (change for change in self._changes if change.study.node is study.node)
        return {c.edit.values["frame"]: c.shown for c in mine if c.shown is not None}

    def _on_browser(self, browser, event) -> None:
        study = self._study
        if study is None or not study.complete or study.frame == self._shown:
            return
        self._shown = study.frame
        study.follow()
        self._controller.frame_changed.emit()

    def _on_grab(self, points, event) -> None:
        study = self._attached()
        study.browser.SetPlaybackActive(False)
        self._held = study.frame, study.points_px

    def _on_points(self, points, event) -> None:
        study = self._study
        if self._quiet or study is None or not study.complete:
            return
        if self._held is None and study.frame == self._shown:
            self._commit()  # moved by other means than the mouse, e.g. in the Markups module
        study.follow()

    def _on_release(self, points, event) -> None:
        held, self._held = self._held, None
        self._commit(held[1] if held is not None and held[0] == self._attached().frame else None)

    def _commit(self, before: np.ndarray | None = None) -> None:
        """Send what a person moved on the frame shown; `before` where the scene has not followed the result."""
        study = self._attached()
        result = study.result
        if result is None:
            return
        if before is None:
            before = self._moved(study).get(study.frame, result.points_px[study.frame])
        now = study.points_px
        points = landmarks.moved(before, now)
        if not np.isnan(points).all():
            self.set_landmarks(study.frame, points, shown=now)
