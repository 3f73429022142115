"""What the panel shows: words and states for its widgets, from the controller. Knows the widgets by name, and no Qt."""

from __future__ import annotations

from typing import Any

from echo_keypoints.results import AnalysisResult
from EchoKeypointsLib.controller import Controller
from EchoKeypointsLib.desk import ServerDesk
from EchoKeypointsLib.review import beat_at
from EchoKeypointsLib.study import Study
from EchoKeypointsLib.summary import beat_rows, doubtful_frames
from EchoKeypointsLib.worklist import Worklist

_NEED_STUDY = ("analyzeButton", "previousButton", "playButton", "nextButton")
_NEED_RESULT = (
    *("previousDoubtfulButton", "nextDoubtfulButton", "confirmButton", "patientButton"),
    *("edButton", "esButton", "nextEdButton", "acceptBeatButton", "rejectBeatButton"),
    *("newBeatButton", "findBeatsButton", "auditButton"),
)
_BAR = 1000


class Display:
    """Keeps the panel's widgets up to date.

    Args:
        ui: the widgets by name.
        controller, desk, worklist: what they show.
    """

    def __init__(self, ui: Any, controller: Controller, desk: ServerDesk, worklist: Worklist) -> None:
        self._ui, self._controller, self._desk, self._worklist = ui, controller, desk, worklist
        controller.changed.connect(self.refresh)
        controller.frame_changed.connect(lambda: refresh_frame(ui, controller))
        controller.said.connect(self.say)
        controller.failed.connect(self.say)
        desk.changed.connect(lambda: refresh_server(ui, desk))
        worklist.changed.connect(self._show_worklist)

    def refresh(self) -> None:
        """Bring all of the panel up to date."""
        refresh(self._ui, self._controller)

    def say(self, sentence: str) -> None:
        """Show a sentence; no pop-up."""
        self._ui.statusLabel.text = sentence

    def _show_worklist(self) -> None:
        self._ui.worklistLabel.text = self._worklist.words


def refresh(ui: Any, controller: Controller) -> None:
    """Bring all of the panel up to date, but for what a frame changes (`refresh_frame`)."""
    study = controller.study if controller.study and controller.study.complete else None
    result = study.result if study else None
    idle = controller.task is None
    whole = result is not None and not controller.editor.busy  # no correction is missing
    for name in _NEED_STUDY:
        getattr(ui, name).enabled = study is not None and (idle or name != "analyzeButton")
    for name in _NEED_RESULT:
        getattr(ui, name).enabled = result is not None
    for name in (
        "openFileButton",
        "sampleButton",
        "openSequenceButton",
        "nextSampleButton",
        "openNextButton",
    ):
        getattr(ui, name).enabled = idle
    _show_task(ui, controller)
    history = controller.editor.history
    for button, what in ((ui.undoButton, history.can_undo), (ui.redoButton, history.can_redo)):
        button.enabled = bool(what) and whole
        button.toolTip = what.capitalize() if what else "Nothing to go back to"
    corrected = result is not None and bool(result.anchors)
    ui.revertAllButton.enabled = corrected
    for button in (ui.exportButton, ui.submitButton):
        button.enabled = whole and idle
    ui.clipLabel.text = clip_text(study) if study else "No clip yet."
    ui.scaleLabel.text = scale_text(study) if study else ""
    ui.calibrateButton.enabled = study is not None and may_calibrate(study)
    ui.plaxButton.visible = result is not None and doubted(result)
    ui.qualityLabel.text = quality_text(study) if result is not None else ""
    ui.measurementTable.setMRMLTableNode(study.get("measurements") if study else None)
    ui.seekWidget.setMRMLSequenceBrowserNode(study.browser if study else None)
    doubtful = [] if result is None else doubtful_frames(result).tolist()
    ui.doubtfulLabel.text = f"Doubtful frames: {len(doubtful)}" if result is not None else "Doubtful frames"
    _fill(ui.doubtfulList, [f"frame {frame}" for frame in doubtful])
    _fill(ui.beatList, [] if result is None else beat_rows(result))
    ui.auditText.plainText = "" if result is None else audit_text(study)
    refresh_frame(ui, controller)


def refresh_frame(ui: Any, controller: Controller) -> None:
    """Bring up to date what another frame changes."""
    study = controller.study
    if study is None or not study.complete:
        ui.frameLabel.text = ""
        ui.revertFrameButton.enabled = False
        return
    result, frame = study.result, study.frame
    ui.playButton.text = "Pause" if study.browser.GetPlaybackActive() else "Play"
    if result is not None and beat_at(result, frame) is not None and ui.beatList.currentRow < 0:
        ui.beatList.currentRow = beat_at(result, frame)
    ui.frameLabel.text = frame_text(study)
    ui.revertFrameButton.enabled = result is not None and any(a.frame == frame for a in result.anchors)


def refresh_server(ui: Any, desk: ServerDesk) -> None:
    """Show what a Label server told."""
    ui.serverLabel.text = desk.words
    models = [model for model in desk.info.get("models", []) if model["state"] != "rejected"]
    ui.modelComboBox.clear()
    for model in models:
        name = f"{model['version']}: {model['model'] or 'as delivered'} ({model['state']})"
        ui.modelComboBox.addItem(name, model["version"])
    serving = [i for i, model in enumerate(models) if model["state"] == "serving"]
    ui.modelComboBox.currentIndex = serving[0] if serving else -1
    names = list(desk.info.get("strategies", {}))
    if [ui.strategyComboBox.itemText(i) for i in range(ui.strategyComboBox.count)] != names:
        ui.strategyComboBox.clear()
        ui.strategyComboBox.addItems(names)


def clip_text(study: Study) -> str:
    """Name, size, frames and rate of a clip, and what its reader warned of."""
    header = study.header
    steps = (header.frame_times_s[-1] - header.frame_times_s[0]) / (header.frame_count - 1)
    rate = f"{1 / steps:.1f} fps" if header.times_known else "frame rate unknown"
    lines = [
        f"{header.source}: {header.frame_count} frames of {header.width} × {header.height}, {rate} "
        f"({header.times_source})"
    ]
    if header.spacing_mm:
        sx, sy = header.spacing_mm
        scale = f"{sx:.4f}" if abs(sx - sy) < 1e-6 else f"{sx:.4f} × {sy:.4f}"
        lines.append(f"{scale} mm per pixel ({header.spacing_source})")
    return "\n".join([*lines, *study.facts["warnings"]])


def scale_text(study: Study) -> str:
    """What to do where the scale is unknown."""
    if study.header.spacing_mm:
        return ""
    return "No millimetres yet: the scale is unknown. Calibrate below; until then lengths are in pixels."


def may_calibrate(study: Study) -> bool:
    """Whether a person may set the scale: only where the file has none."""
    return study.facts["header"]["spacing_mm"] is None or "depth ruler" in study.header.spacing_source


def frame_text(study: Study) -> str:
    """Number, time where it is known, and lengths of the frame shown."""
    header, frame = study.header, study.frame
    words = [f"Frame {frame} of 0–{header.frame_count - 1}"]
    if header.times_known:
        words.append(f"{header.frame_times_s[frame]:.3f} s")
    return ", ".join([*words, *(f"{name} {text}" for name, text in length_texts(study).items())])


def length_texts(study: Study) -> dict[str, str]:
    """The three lengths on the frame shown, with their unit."""
    result, frame = study.result, study.frame
    texts = {}
    for name, length in (result.lengths if result else {}).items():
        values, unit = (length.px, "px") if length.mm is None else (length.mm, "mm")
        texts[name] = "–" if values[frame] != values[frame] else f"{values[frame]:.1f} {unit}"
    return texts


def quality_text(study: Study) -> str:
    """How far the result can be trusted, in the engine's words."""
    quality = study.result.quality if study.result else {}
    if not quality:
        return ""
    return "\n".join([f"Quality: {quality['grade']}", *map(str, quality.get("reasons", []))])


def doubted(result: AnalysisResult) -> bool:
    """Whether the software doubts the view and no person has said that it is one."""
    view = result.quality.get("view", {})
    return view.get("verdict") == "doubtful" and view.get("decision") != "plax"


def audit_text(study: Study | None) -> str:
    """The audit trail, newest last."""
    entries = study.result.audit if study and study.result else ()
    lines = [f"{e.when}  {e.who}: {e.what}" + (f" ({e.reason})" if e.reason else "") for e in entries]
    return "\n".join(lines) or "Nothing was changed."


def _show_task(ui: Any, controller: Controller) -> None:
    task = controller.task
    ui.cancelButton.enabled = task is not None
    ui.progressBar.maximum = 0 if task and task.share is None else _BAR
    ui.progressBar.value = round(_BAR * task.share) if task and task.share is not None else 0
    if task:
        ui.statusLabel.text = task.words
    elif controller.editor.busy:
        ui.statusLabel.text = "Following the correction …"
    elif ui.statusLabel.text.endswith("…"):
        ui.statusLabel.text = ""


def _fill(widget: Any, rows: list[str]) -> None:
    """Fill a list, unless it has these rows already (the choice is then kept)."""
    if [widget.item(i).text() for i in range(widget.count)] == rows:
        return
    row = widget.currentRow
    widget.clear()
    for text in rows:
        widget.addItem(text)
    widget.currentRow = min(row, len(rows) - 1)
