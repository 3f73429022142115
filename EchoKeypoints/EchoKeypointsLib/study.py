"""`Study`: one clip in the scene, with everything that was made of it, held together by node references.

A scripted-module node is the hub; whoever holds it finds all the rest, in this session or in a scene that was saved.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from echo_keypoints.clip import ClipHeader
from echo_keypoints.errors import ClipError
from echo_keypoints.results import (
    AnalysisResult,
    from_document,
    header_from_document,
    header_to_document,
)
from EchoKeypointsLib import calipers, cine, curves, landmarks, shading
from EchoKeypointsLib.geometry import Spacing, shown_spacing
from EchoKeypointsLib.nodes import file_away, new_text, sequences_logic
from EchoKeypointsLib.summary import (
    MEASUREMENT_COLUMNS,
    marks_of,
    measurement_rows,
    segment_confidence,
    shown_lengths,
)

MODULE = "EchoKeypointsStudy"
_LINES = ("line IVS", "line LVID", "line LVPW")
_CORE = ("cine", "browser", "landmarks", "clip")


class Study:
    """A clip in the scene.

    Args:
        node: the hub, vtkMRMLScriptedModuleNode.
    """

    def __init__(self, node: slicer.vtkMRMLScriptedModuleNode) -> None:
        self.node = node
        self._parsed: tuple[int, AnalysisResult] | None = None

    # --- making and finding

    @classmethod
    def steps(
        cls,
        scene: slicer.vtkMRMLScene,
        header: ClipHeader,
        pixels: NDArray[np.uint8],
        facts: dict[str, Any],
    ) -> Iterator[Study | None]:
        """Bring a clip into the scene step by step, so that a long one never blocks; wholly or not at all.

        Args:
            scene: to add to.
            header: of the clip.
            pixels: ``(T, H, W)`` uint8.
            facts: plain JSON data to keep beside the header: ``warnings``, ``sha256``.

        Yields:
            None after each frame, and the study as the last.

        Raises:
            ClipError: a user deleted its nodes on the way.
        """
        name = scene.GenerateUniqueName("PLAX clip")
        sequence = cine.new_sequence(scene, f"{name} cine")
        points = cine.new_sequence(scene, f"{name} landmarks")
        try:
            for _ in chain(cine.fill(sequence, header, pixels), landmarks.fill(points, header)):
                yield None
                if not (scene.IsNodePresent(sequence) and scene.IsNodePresent(points)):
                    raise ClipError(
                        "The clip was deleted while it was brought into the scene; open it again."
                    )
        except BaseException:  # also of a generator that is closed
            for node in filter(scene.IsNodePresent, (points, sequence)):
                scene.RemoveNode(node)
            raise
        study = cls(scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", name))
        study.node.SetModuleName(MODULE)
        study._refer("cine", sequence)
        study._refer("landmarks", points)
        text = json.dumps({**facts, "header": header_to_document(header)})
        study._refer("clip", new_text(scene, f"{name} facts", text))
        study._browse(header)
        study._file_away()
        yield study

    @classmethod
    def all(cls, scene: slicer.vtkMRMLScene) -> list[Study]:
        """Find the complete studies of a scene, in the order in which they were made."""
        count = scene.GetNumberOfNodesByClass("vtkMRMLScriptedModuleNode")
        nodes = [scene.GetNthNodeByClass(i, "vtkMRMLScriptedModuleNode") for i in range(count)]
        found = [cls(node) for node in nodes if node.GetModuleName() == MODULE]
        return [study for study in found if study.complete]

    @property
    def complete(self) -> bool:
        """Whether clip and browser are there (a user may delete any node at any time)."""
        return self.node.GetScene() is not None and all(map(self.get, _CORE))

    def get(self, role: str):
        """Give the node of a role, or None."""
        return self.node.GetNodeReference(role)

    @property
    def scene(self) -> slicer.vtkMRMLScene:
        """The scene."""
        return self.node.GetScene()

    # --- what is known

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What was read of the clip, plain JSON data: ``header``, ``warnings``, ``sha256``."""
        return dict(json.loads(self.get("clip").GetText()))

    @property
    def header(self) -> ClipHeader:
        """Facts of the clip; with the scale that a person measured, if one did."""
        result = self.result
        return header_from_document(self.facts["header"]) if result is None else result.clip

    @property
    def document(self) -> str | None:
        """The result as text (``result.json``), or None before the analysis."""
        node = self.get("result")
        return node.GetText() if node else None

    @property
    def result(self) -> AnalysisResult | None:
        """The result, or None before the analysis."""
        node = self.get("result")
        if node is None:
            return None
        stamp = node.GetMTime()
        if self._parsed is None or self._parsed[0] != stamp:
            self._parsed = (stamp, from_document(json.loads(node.GetText())))
        return self._parsed[1]

    # --- frames

    @property
    def browser(self) -> slicer.vtkMRMLSequenceBrowserNode:
        """The browser that shows the frames."""
        return self.get("browser")

    @property
    def frame(self) -> int:
        """The frame shown."""
        return max(0, int(self.browser.GetSelectedItemNumber()))

    def go_to(self, frame: int) -> None:
        """Show a frame; outside of the clip it is the nearest one."""
        self.browser.SetSelectedItemNumber(int(np.clip(frame, 0, self.header.frame_count - 1)))

    @property
    def volume(self) -> slicer.vtkMRMLScalarVolumeNode:
        """The volume that shows the present frame."""
        return self.browser.GetProxyNode(self.get("cine"))

    @property
    def points(self) -> slicer.vtkMRMLMarkupsFiducialNode:
        """The landmarks of the present frame, which a person can drag; missing before the analysis."""
        return self.browser.GetProxyNode(self.get("landmarks"))

    @property
    def points_px(self) -> NDArray[np.float64]:
        """The landmarks ``(4, 2)`` of the present frame as they are shown, in pixels."""
        return landmarks.points_of(self.points, self.header.spacing_mm)

    # --- showing

    def show(self, document: str, keep: Container[int] = ()) -> None:
        """Take a result into the scene: landmarks, curves, table.

        Args:
            document: the result as text.
            keep: frames whose landmarks are under the mouse at this moment, and stay as they are.
        """
        if self.get("result") is None:
            self._refer("result", new_text(self.scene, f"{self.node.GetName()} result", document))
        else:
            self.get("result").SetText(document)
        result = self.result
        self._regrid(result.clip.spacing_mm)
        anchors = {a.frame: ~np.isnan(a.points_px[:, 0]) for a in result.anchors}
        tracks = (result.clip, result.points_px, result.confidence, anchors)
        landmarks.update(self.get("landmarks"), *tracks, keep=keep)
        if self.frame not in keep:
            sequences_logic().UpdateProxyNodesFromSequences(self.browser)
        if self.get("chart") is None:
            self._add_review()
        self._show_lengths(result)
        self.follow()

    def follow(self) -> None:
        """Let calipers and cursor follow the frame and the landmarks shown."""
        if self.get("chart") is None:
            return
        calipers.follow([self.get(role) for role in _LINES], self.points_px, self.header.spacing_mm)
        curves.move_cursor(self.get("cursor"), float(self.header.frame_times_s[self.frame]))

    def rescale(self, spacing_mm: Spacing, source: str) -> None:
        """Give a clip without a result the scale that a person measured."""
        facts = self.facts
        facts["header"] |= {"spacing_mm": list(spacing_mm), "spacing_source": source}
        self.get("clip").SetText(json.dumps(facts))
        self._regrid(spacing_mm)

    # --- building blocks

    def _browse(self, header: ClipHeader) -> None:
        browser = self.scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", self.node.GetName())
        self._refer("browser", browser)
        browser.SetAndObserveMasterSequenceNodeID(self.get("cine").GetID())
        browser.AddSynchronizedSequenceNode(self.get("landmarks"))
        browser.SetSaveChanges(self.get("landmarks"), True)  # what a person drags is kept on its frame
        browser.SetOverwriteProxyName(self.get("landmarks"), False)
        browser.SetPlaybackRateFps(float(1 / np.median(np.diff(header.frame_times_s))))
        browser.SetPlaybackItemSkippingEnabled(False)  # every frame counts in a review
        browser.SetPlaybackLooped(True)
        sequences_logic().UpdateProxyNodesFromSequences(browser)
        cine.dress(self.volume)
        self.points.SetName(f"{self.node.GetName()} points")
        landmarks.dress(self.points)

    def _regrid(self, spacing_mm: Spacing | None) -> None:
        """Lay the frames out in the clip's scale, if they are not."""
        if not np.allclose(self.volume.GetSpacing()[:2], shown_spacing(spacing_mm), rtol=1e-9):
            cine.set_scale(self.get("cine"), spacing_mm)
            sequences_logic().UpdateProxyNodesFromSequences(self.browser)

    def _add_review(self) -> None:
        """Add calipers, curves and table; once."""
        scene, name = self.scene, self.node.GetName()
        for role, line in zip(_LINES, calipers.add_lines(scene), strict=True):
            self._refer(role, line)
        header = self.header
        shade, halos = shading.add_shading(scene, header.frame_times_s)
        table, cursor, series, chart = curves.add_curves(
            scene, header.frame_times_s, halos, times_known=header.times_known
        )
        for role, node in (("table", table), ("cursor", cursor), ("chart", chart), ("shading", shade)):
            self._refer(role, node)
        for role, node in series.items():
            self._refer(f"series {role}", node)
        self._refer("measurements", scene.AddNewNodeByClass("vtkMRMLTableNode", f"{name} measurements"))
        self.get("measurements").SetLocked(True)
        self._file_away()

    def _show_lengths(self, result: AnalysisResult) -> None:
        lengths, unit = shown_lengths(result)
        marks = marks_of(result)
        frames = {
            curves.ED: marks.ed,
            curves.ES: marks.es,
            curves.CORRECTED: marks.corrected,
        }
        curves.show_lengths(*(self.get(r) for r in ("table", "cursor", "chart")), lengths, unit, frames)
        shading.show_shading(self.get("shading"), lengths, segment_confidence(result))
        table = self.get("measurements")
        was_modifying = table.StartModify()
        table.RemoveAllColumns()
        rows = measurement_rows(result)
        for index, title in enumerate(MEASUREMENT_COLUMNS):
            array = vtk.vtkStringArray()
            array.SetName(title)
            for row in rows:
                array.InsertNextValue(row[index])
            table.AddColumn(array)
        table.EndModify(was_modifying)

    def _refer(self, role: str, node: slicer.vtkMRMLNode) -> None:
        self.node.SetNodeReferenceID(role, node.GetID())

    def _roles(self) -> list[str]:
        roles: list[str] = []
        self.node.GetNodeReferenceRoles(roles)
        return roles

    def _file_away(self) -> None:
        """Keep the nodes of a study together in a folder of the subject hierarchy."""
        shown = [self.get(role) for role in self._roles()] + [self.volume, self.points]
        file_away(self.scene, self.node.GetName(), shown)
