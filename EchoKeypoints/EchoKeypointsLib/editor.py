"""`Editor`: corrections. A landmark that was dragged becomes an anchor; the process follows it up; undo goes back.

Corrections are sent one after another, each on top of the answer to the one before, so that none is lost however fast
a person works. While one is under way the landmarks under the mouse are left alone.
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


class Editor(VTKObservationMixin):
    """Corrections of the study at hand.

    Args:
        controller: whose study it is.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._controller = controller
        self._study: Study | None = None
        self._histories: dict[str, History] = {}
        self._waiting: deque[tuple[Edit, str, Callable[[], None] | None]] = deque()
        self._sending: int | None = None
        self._sent: dict[int, np.ndarray] = {}  # frame → landmarks that were sent and not answered yet
        self._held: int | None = None  # frame whose landmark is under the mouse
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
        """Watch nothing; corrections that were not answered yet are dropped."""
        self.removeObservers()
        self._study, self._sending, self._held = None, None, None
        self._waiting.clear()
        self._sent.clear()

    def forget(self) -> None:
        """Forget all that could be undone: the scene goes, and its nodes' ids with it."""
        self.detach()
        self._histories.clear()

    @property
    def busy(self) -> bool:
        """Whether a correction is being followed up."""
        return self._sending is not None

    @property
    def history(self) -> History:
        """Of the study at hand."""
        key = self._study.node.GetID() if self._study else ""
        return self._histories.setdefault(key, History())

    # --- changes

    def set_landmarks(self, frame: int, points_px: np.ndarray, reason: str = "moved by hand") -> None:
        """Make landmarks ``(4, 2)`` of a frame an anchor; NaN for those that were not set."""
        self.submit(
            "landmarks",
            {"frame": frame, "points_px": plain(points_px)},
            f"landmarks of frame {frame}",
            reason,
        )

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
    ) -> None:
        """Queue a change of the result.

        Args:
            kind, values: as `echo_keypoints.worker.edits.apply_edit` knows them.
            what: for undo, in words.
            reason: for the audit trail.
            then: called when it is done.
        """
        self._attached()
        self._waiting.append((Edit(kind, values, self._controller.who(), reason), what, then))
        self._send_next()
        self._controller.changed.emit()

    def undo(self) -> None:
        """Take the last change back."""
        if self.history.can_undo:
            self._go(self.history.undo)

    def redo(self) -> None:
        """Do again what was taken back."""
        if self.history.can_redo:
            self._go(self.history.redo)

    def take(self, document: str, what: str = "") -> None:
        """Show a result; remember the one before for undo, where `what` has words for it."""
        study = self._attached()
        before = study.document
        if before is not None and what:
            self.history.did(what, before)
        self._show(document)

    # --- building blocks

    def _attached(self) -> Study:
        if self._study is None:
            raise RuntimeError("there is no clip at hand")
        return self._study

    def _go(self, step) -> None:
        study = self._attached()
        if self.busy or self._waiting or study.document is None:
            return
        self._show(step(study.document, self._controller.who()))
        self._controller.changed.emit()

    def _show(self, document: str) -> None:
        study = self._attached()
        self._quiet = True
        try:
            study.show(document, keep=() if self._held is None else (self._held,))
        finally:
            self._quiet = False

    def _send_next(self) -> None:
        study = self._study
        if study is None or self.busy:
            return
        if not self._waiting:
            self._sent.clear()
            return
        edit, what, then = self._waiting.popleft()

        def done(answer: dict[str, Any]) -> None:
            if self._sending == number and study.complete:
                self._sending = None
                self.take(answer["document"], what)
                self._send_next()
                self._controller.changed.emit()
                if then:
                    then()

        def failed(kind: str, sentence: str) -> None:
            if self._sending == number and study.complete:
                self._sending = None
                self._show(study.document or "")  # what was dragged goes back to where it was
                self._send_next()
                self._controller.changed.emit()
                self._controller.failed.emit(sentence)

        params = {"clip": self._controller.clip_spec(), "document": study.document, "edit": asdict(edit)}
        number = self._sending = self._controller.worker.call("edit", params, done, failed)

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
        self._held = study.frame

    def _on_points(self, points, event) -> None:
        study = self._study
        if self._quiet or study is None or not study.complete:
            return
        if self._held is None and study.frame == self._shown:
            self._commit()  # moved by other means than the mouse, e.g. in the Markups module
        study.follow()

    def _on_release(self, points, event) -> None:
        self._held = None
        self._commit()

    def _commit(self) -> None:
        """Send what a person moved on the frame shown."""
        study = self._attached()
        result = study.result
        if result is None:
            return
        now = study.points_px
        points = landmarks.moved(self._sent.get(study.frame, result.points_px[study.frame]), now)
        if not np.isnan(points).all():
            self._sent[study.frame] = now
            self.set_landmarks(study.frame, points)
