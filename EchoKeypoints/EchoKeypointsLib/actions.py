"""What the panel's buttons do: from what is typed and chosen in its widgets to the controller. Knows no Qt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

from EchoKeypointsLib import calibration, review
from EchoKeypointsLib.controller import Controller
from EchoKeypointsLib.curve_click import clicked_frame
from EchoKeypointsLib.desk import ServerDesk
from EchoKeypointsLib.study import Study
from EchoKeypointsLib.worklist import Worklist

EXPORTS = ("report", "csv", "sr", "markups", "video")
"""Kinds of `echo_keypoints.worker.exports`; each has a check box of its name."""

KEYS = {
    "Right": "nextButton",
    "Left": "previousButton",
    "Space": "playButton",
    "N": "nextDoubtfulButton",
    "P": "previousDoubtfulButton",
    "C": "confirmButton",
}
"""Key → the button that it presses."""

ON_SERVER = 1
"""Row of the server in the list of places."""


class Actions:
    """The buttons.

    Args:
        ui: the panel's widgets by name.
        controller, desk, worklist: what they act on.
        ready: whether the Python packages are there; asks the user if not.
        may_send: asks the user whether a clip may leave this computer.
    """

    def __init__(
        self,
        ui: Any,
        controller: Controller,
        desk: ServerDesk,
        worklist: Worklist,
        ready: Callable[[], bool],
        may_send: Callable[[str], bool],
    ) -> None:
        self.ui, self.controller, self.desk, self.worklist = ui, controller, desk, worklist
        self._ready, self._may_send = ready, may_send
        self._ruler: slicer.vtkMRMLMarkupsLineNode | None = None

    def clicks(self) -> dict[str, Callable[[], Any]]:
        """Give what a click on each button does, by the button's name."""
        editor, desk = self.controller.editor, self.desk
        return {
            "openSequenceButton": self.open_sequence,
            "analyzeButton": self.analyze,
            "cancelButton": self.controller.cancel,
            "connectButton": self.connect,
            "serveButton": self.serve,
            "nextSampleButton": self.next_sample,
            "submitButton": desk.submit,
            "patientButton": lambda: editor.submit("patient", self.patient() or {}, "the patient's facts"),
            "previousButton": lambda: review.step(self._study, -1),
            "nextButton": lambda: review.step(self._study, 1),
            "playButton": lambda: (review.toggle_play(self._study), self.controller.frame_changed.emit()),
            "previousDoubtfulButton": lambda: self.doubtful(-1),
            "nextDoubtfulButton": lambda: self.doubtful(1),
            "confirmButton": editor.confirm_frame,
            "undoButton": editor.undo,
            "redoButton": editor.redo,
            "revertFrameButton": editor.revert_frame,
            "revertAllButton": editor.revert_all,
            "edButton": lambda: self.change_beat("beat", "ed_frame"),
            "esButton": lambda: self.change_beat("beat", "es_frame"),
            "nextEdButton": lambda: self.change_beat("beat", "next_ed_frame"),
            "acceptBeatButton": lambda: self.change_beat("accept"),
            "rejectBeatButton": lambda: self.change_beat("reject"),
            "newBeatButton": lambda: editor.submit("add_beat", {"ed_frame": self._study.frame}, "a new beat"),
            "findBeatsButton": lambda: editor.submit("find_beats", {}, "all changes of beats"),
            "plaxButton": lambda: editor.submit("view", {"plax": True}, "the view"),
            "exportButton": self.export,
            "refreshButton": self.look_at_worklist,
            "openNextButton": self.worklist.open_next,
            "reviewedButton": self.worklist.mark_reviewed,
        }

    # --- open

    def open_file(self, path: str) -> None:
        """Open a clip."""
        if path and self._ready():
            self.controller.open_file(path)

    def open_sequence(self) -> None:
        """Take the chosen sequence."""
        browser = self.ui.sequenceSelector.currentNode()
        if browser is None:
            self.controller.said.emit("Choose a sequence first.")
        elif self._ready():
            self.controller.open_sequence(browser, slicer.dicomDatabase)

    def calibrate(self, start: bool) -> None:
        """Let two clicks on the depth ruler set the scale, or stop it."""
        if self._ruler is not None:
            slicer.mrmlScene.RemoveNode(self._ruler)
            self._ruler = None
        if start:
            self._ruler = calibration.place_ruler(slicer.mrmlScene)
            self.controller.said.emit("Click both ends of the distance on the depth ruler.")

    def follow_ruler(self) -> None:
        """Take the scale once both ends have been clicked and nothing is under way, e.g. the first analysis.

        Raises:
            QueryError: this cannot be the scale.
        """
        if self._ruler is None or self.controller.task or not calibration.ends_set(self._ruler):
            return
        ruler, self._ruler = self._ruler, None
        self.ui.calibrateButton.checked = False
        self.controller.calibrate(ruler, self.ui.distanceSpinBox.value)

    def forget(self) -> None:
        """The scene goes, and the ruler with it."""
        self._ruler = None
        self.ui.calibrateButton.checked = False

    # --- analyse

    def analyze(self) -> None:
        """Track and measure, here or on the server."""
        if not self._ready():
            return
        if self.ui.placeComboBox.currentIndex != ON_SERVER:
            self.controller.analyze(self.patient())
        elif not self.desk.connected:
            self.controller.said.emit("Connect to a server first.")
        elif self.controller.server_place() or self._may_send(self.desk.url):
            self.desk.analyze(self.patient())

    def connect(self) -> None:
        """Ask the server what it offers."""
        if self._ready():
            self.desk.connect(self.ui.urlEdit.text, self.controller.who(), self.ui.tokenEdit.text)

    def serve(self) -> None:
        """Let the chosen version serve."""
        version = self.ui.modelComboBox.currentData
        if version is None:
            self.controller.said.emit("Connect to a server and choose a version first.")
        else:
            self.desk.serve(int(version))

    def next_sample(self) -> None:
        """Fetch and open the server's next clip."""
        if self.desk.connected:
            self.desk.open_next(self.ui.strategyComboBox.currentText)
        else:
            self.controller.said.emit("Connect to a server first.")

    def patient(self) -> dict[str, Any] | None:
        """Give the patient's facts as typed; None where there are none."""
        typed = {
            "height_cm": self.ui.heightSpinBox.value,
            "weight_kg": self.ui.weightSpinBox.value,
            "age_years": self.ui.ageSpinBox.value,
        }
        facts: dict[str, Any] = {name: value for name, value in typed.items() if value > 0}
        if self.ui.sexComboBox.currentIndex > 0:
            facts["sex"] = self.ui.sexComboBox.currentText
        return facts or None

    # --- review and correct

    def doubtful(self, direction: int) -> None:
        """Go to the next doubtful frame."""
        if review.next_doubtful(self._study, direction) is None:
            self.controller.said.emit("No frame is doubtful.")

    def go_to_listed_frame(self, item: Any) -> None:
        """Go to a frame of the list of doubtful ones."""
        self._study.go_to(int(item.text().split()[-1]))

    def go_to_listed_beat(self, item: Any) -> None:
        """Go to the ED of a beat of the list."""
        result = self._study.result
        if result is not None:
            self._study.go_to(result.beats[self.ui.beatList.currentRow]["ed_frame"])

    def go_to_clicked(self, series_ids: Any, selections: Any) -> None:
        """Go to the frame whose point on a curve was clicked."""
        study = self.controller.study
        frame = clicked_frame(study, series_ids, selections) if study else None
        if study and frame is not None:
            study.browser.SetPlaybackActive(False)
            study.go_to(frame)

    def change_beat(self, kind: str, role: str | None = None) -> None:
        """Change the chosen beat; `role` is what the frame shown becomes."""
        study, row = self._study, self.ui.beatList.currentRow
        beats = study.result.beats if study.result else ()
        if not 0 <= row < len(beats):
            self.controller.said.emit("Choose a beat in the list first.")
            return
        values = {"index": row} | ({role: study.frame} if role else {})
        self.controller.editor.submit(kind, values, f"beat {row + 1}")

    # --- export and batch

    def export(self) -> None:
        """Write the chosen files."""
        folder = self.ui.folderEdit.currentPath
        kinds = [kind for kind in EXPORTS if getattr(self.ui, f"{kind}CheckBox").checked]
        if folder in ("", ".") or not kinds:
            self.controller.said.emit("Choose a folder and what to export first.")
        else:
            self.controller.export(folder, kinds)

    def look_at_worklist(self) -> None:
        """Read the work-list."""
        clips, results = self.ui.clipsEdit.currentPath, self.ui.resultsEdit.currentPath
        if {clips, results} & {"", "."}:
            self.controller.said.emit("Choose the folder of the clips and that of their results first.")
        elif self._ready():
            self.worklist.look(clips, results)

    @property
    def _study(self) -> Study:
        if self.controller.study is None:
            raise RuntimeError("there is no clip at hand")
        return self.controller.study
