"""`Controller`: what the panel does, without the panel. Opens, analyses, edits and exports; nothing waits.

The panel calls `poll` some twenty times a second; every callback and every change of the scene happens in there or in
the call of a method, on the main thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from echo_keypoints.clip import ClipHeader
from echo_keypoints.errors import EchoKeypointsError
from echo_keypoints.results import header_from_document
from EchoKeypointsLib import calibration, layout
from EchoKeypointsLib.editor import Editor
from EchoKeypointsLib.history import restored
from EchoKeypointsLib.signals import Signal
from EchoKeypointsLib.sources import dicom_file, loaded_clip
from EchoKeypointsLib.specs import ClipSpecs
from EchoKeypointsLib.study import Study
from EchoKeypointsLib.task import STAGES, Task
from EchoKeypointsLib.worker import Worker

_SLICE_S = 0.03
"""How long one `poll` may work on a clip that is being brought into the scene."""


class Controller:
    """The state of one panel.

    Args:
        worker: the engine's process.
        who: the reader's name, asked for when it is needed.

    Attributes:
        study: the clip at hand, or None.
        task: what is under way, or None.
        editor: corrections of `study`.
        changed: emitted when anything above has changed.
        frame_changed: emitted when another frame is shown.
        said: emitted with a sentence for the user.
        failed: emitted with a sentence about what went wrong.
    """

    def __init__(self, worker: Worker | None = None, who: Callable[[], str] = lambda: "reader") -> None:
        self.worker = worker or Worker()
        self.who = who
        self.study: Study | None = None
        self.task: Task | None = None
        self.changed, self.frame_changed, self.said, self.failed = Signal(), Signal(), Signal(), Signal()
        self.editor = Editor(self)
        self._specs = ClipSpecs()
        self._steps: Iterator[Study | None] | None = None
        self._number: int | None = None  # of the request that `task` waits for
        self._method = ""  # of that request

    # --- open

    def open_file(
        self, path: str | Path, *, server: dict[str, Any] | None = None, document: str | None = None
    ) -> None:
        """Read a clip from a file and show it.

        Args:
            path: the file.
            server: ``{"clip_id", "version"}`` where the clip is one of a Label server.
            document: a result of this clip as text, to be shown with it.
        """
        spec = {"path": str(path)} | ({"place": server} if server else {})
        pixels = self._specs.new_pixels()

        def arrived(answer: dict[str, Any]) -> None:
            frames = np.load(pixels, mmap_mode="r")
            facts = {name: answer[name] for name in ("warnings", "sha256")}
            self._bring_in(header_from_document(answer["header"]), frames, facts, spec, document)

        self.request("read", {"clip": spec, "pixels": str(pixels)}, f"Reading {Path(path).name}", arrived)

    def open_sequence(self, browser: slicer.vtkMRMLSequenceBrowserNode, database: Any = None) -> None:
        """Take a sequence that is in the scene; from its DICOM file, where there is one.

        Raises:
            ClipError: it is no cine of two-dimensional images.
        """
        known = next((study for study in Study.all(slicer.mrmlScene) if study.browser is browser), None)
        if known:
            self.select(known)
            return
        path = dicom_file(browser, database)
        if path is not None:
            self.open_file(path)
            return
        header, pixels = loaded_clip(browser)
        self._bring_in(header, pixels, {"warnings": list(header.warnings), "sha256": None}, {})

    def select(self, study: Study | None) -> None:
        """Make a study of the scene the one at hand, and show it."""
        if study is None or self.study is None or study.node is not self.study.node:
            self.editor.detach()
            self.study = study
            if study is not None:
                self.editor.attach(study)
        if study is not None:
            layout.show_volume(slicer.mrmlScene, study.volume)
            if study.get("chart"):
                layout.show_chart(slicer.mrmlScene, study.get("chart"))
                study.follow()
                self.worker.call("warm_up", {"clip": self.clip_spec()}, lambda _: None, lambda *_: None)
        self.changed.emit()

    def _bring_in(
        self,
        header: ClipHeader,
        pixels: np.ndarray,
        facts: dict[str, Any],
        spec: dict[str, Any],
        document: str | None = None,
    ) -> None:
        def steps() -> Iterator[Study | None]:
            for study in Study.steps(slicer.mrmlScene, header, pixels, facts):
                if study is not None:
                    self._specs.remember(study, spec)
                    if document:
                        study.show(document)
                yield study

        self._steps = steps()
        self._set_task(Task("Bringing the clip into the scene …"))

    # --- analyse

    def analyze(self, patient: dict[str, Any] | None = None, server: dict[str, Any] | None = None) -> None:
        """Track and measure the clip at hand.

        Args:
            patient: facts as `echo_keypoints.biomarkers.Patient` takes them.
            server: ``{"connection", "clip_id"}`` to have it done on a Label server.
        """
        study = self._study()
        self._specs.track_on(study, server)

        def arrived(answer: dict[str, Any]) -> None:
            before = study.document
            document = answer["document"]
            if before is not None:  # nothing that a person did is lost
                document = restored(before, document, self.who(), "analysed again")
            self.editor.take(study, document, "the new analysis" if before else "")
            if study is self.study:
                layout.show_chart(slicer.mrmlScene, study.get("chart"))

        params = {"clip": self.clip_spec(), "patient": patient}
        self.request("analyze", params, "Analysing", arrived, study)

    def cancel(self) -> None:
        """Stop what is under way."""
        if self._number is not None:
            self.worker.cancel(self._number)
        elif self._steps is not None:
            self._steps.close()  # type: ignore[attr-defined]
            self._steps = None
            self._set_task(None)

    def calibrate(self, ruler: slicer.vtkMRMLMarkupsLineNode, length_mm: float) -> None:
        """Take the scale from two clicks on the depth ruler; the ruler goes.

        Args:
            ruler: with both ends set.
            length_mm: the true distance between them.

        Raises:
            QueryError: this cannot be the scale.
        """
        study = self._study()
        try:
            spacing, source = calibration.measured_spacing(ruler, length_mm, study.header.spacing_mm)
        finally:
            slicer.mrmlScene.RemoveNode(ruler)
        if study.result is None:
            study.rescale(spacing, source)
        else:
            self.editor.submit("scale", {"spacing_mm": spacing, "source": source}, "the scale", source)
        self.said.emit(f"{spacing[0]:.4f} mm per pixel.")
        self.changed.emit()

    # --- export

    def export(self, folder: str | Path, kinds: list[str]) -> None:
        """Write files of the result into a folder; all corrections must be in it."""
        study = self._study()
        if self.must_wait():
            return

        def arrived(answer: dict[str, Any]) -> None:
            self.said.emit("Written: " + ", ".join(answer["files"]))

        params = {"clip": self.clip_spec(), "document": study.document, "folder": str(folder), "kinds": kinds}
        self.request("export", params, "Writing", arrived, study)

    # --- life

    def poll(self) -> None:
        """Deliver what has arrived, and go on with what is under way; never for long."""
        self.worker.poll()
        if self._steps is None:
            return
        end = time.perf_counter() + _SLICE_S
        while self._steps is not None and time.perf_counter() < end:
            study = self._next_step(self._steps)
            if study is not None:
                self._steps = None
                self._set_task(None)
                self.select(study)

    def reset(self) -> None:
        """Forget the scene, which is closing; what is under way is stopped and its answer dropped."""
        self.cancel()
        self._number, self._steps = None, None
        self.editor.forget()
        self.study = None
        self._specs.forget()
        self._set_task(None)

    def restore(self) -> None:
        """Take up the last study of the scene, unless one is at hand."""
        if self.study is None or not self.study.complete:
            studies = Study.all(slicer.mrmlScene)
            self.select(studies[-1] if studies else None)

    def close(self) -> None:
        """End the process and remove what was written on the way."""
        self.reset()
        self.worker.close()
        self._specs.close()

    # --- building blocks

    def clip_spec(self, study: Study | None = None) -> dict[str, Any]:
        """Say to the worker which clip a study (the one at hand) is of."""
        return self._specs.spec(study or self._study())

    def server_place(self) -> dict[str, Any] | None:
        """Which clip of a Label server the clip at hand is: ``{"clip_id", "version"}``, or None."""
        return self._specs.place(self._study())

    def set_server_place(self, study: Study, place: dict[str, Any]) -> None:
        """Remember which clip of a Label server a clip is."""
        self._specs.set_place(study, place)

    @property
    def analysing(self) -> bool:
        """Whether an analysis is under way."""
        return self._number is not None and self._method == "analyze"

    def must_wait(self) -> bool:
        """Whether the result lacks a correction that is being followed up; then the user is told."""
        if self.editor.busy:
            self.said.emit("A correction is still being followed up; try again in a moment.")
        return self.editor.busy

    @property
    def folder(self) -> str:
        """A folder for files on the way, gone when the panel closes."""
        return self._specs.folder

    def _study(self) -> Study:
        if self.study is None:
            raise RuntimeError("there is no clip at hand")
        return self.study

    def request(
        self,
        method: str,
        params: dict[str, Any],
        words: str,
        done: Callable[[dict[str, Any]], None],
        study: Study | None = None,
    ) -> None:
        """Send a request and show it as the task; its answer is dropped if the scene or the study is gone.

        Args:
            method, params: as `Worker.call`.
            words: what is under way.
            done: is given the answer.
            study: whose request it is.
        """

        def mine() -> bool:
            return self._number == number

        def ended() -> None:
            self._number = None
            self._set_task(None)

        def arrived(answer: dict[str, Any]) -> None:
            if mine():
                ended()
                if study is None or study.complete:
                    done(answer)
                self.editor.go_on()
                self.changed.emit()

        def failed(kind: str, sentence: str) -> None:
            if mine():
                ended()
                self.editor.go_on()
                if kind != "cancelled":
                    self.failed.emit(sentence)

        def progress(stage: str, count: int, total: int) -> None:
            if mine():
                share = count / total if total else None
                self._set_task(Task(f"{STAGES.get(stage, words)} …", share))

        self.cancel()
        self._set_task(Task(f"{words} …"))
        self._method = method
        number = self._number = self.worker.call(method, params, arrived, failed, progress)
        self.editor.go_on()  # where this takes the place of an analysis

    def _next_step(self, steps: Iterator[Study | None]) -> Study | None:
        """Go one step on with the clip that is being brought in; where that fails, with nothing any more."""
        try:
            return next(steps)
        except Exception as error:
            self._steps = None
            self._set_task(None)
            if isinstance(error, EchoKeypointsError):
                self.failed.emit(str(error))
                return None
            self.failed.emit("The clip could not be brought into the scene; Slicer's error log says why.")
            raise

    def _set_task(self, task: Task | None) -> None:
        self.task = task
        self.changed.emit()
