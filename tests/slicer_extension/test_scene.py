"""The MRML design on real MRML: what is where, what follows what, what survives a saved scene."""

import json
from dataclasses import replace

import numpy as np
import pytest
import slicer
from vtk.util.numpy_support import vtk_to_numpy

from echo_keypoints.errors import ClipError
from echo_keypoints.results import from_document
from EchoKeypointsLib import calibration, layout
from EchoKeypointsLib.curve_click import clicked_frame
from EchoKeypointsLib.geometry import px_to_ras, ras_to_px
from EchoKeypointsLib.history import as_text
from EchoKeypointsLib.sources import dicom_file, loaded_clip
from EchoKeypointsLib.study import Study
from EchoKeypointsLib.tables import column
from slicer_scene import SlicerScene


def shown_pixels(study):
    image = study.volume.GetImageData()
    width, height, _ = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width)


def test_frames_are_the_clip_s_and_stand_at_their_times(study, clip):
    assert study.get("cine").GetNumberOfDataNodes() == len(clip.pixels)
    for frame in (0, 17, 59):
        study.go_to(frame)
        assert np.array_equal(shown_pixels(study), clip.pixels[frame])
        assert float(study.get("cine").GetNthIndexValue(frame)) == pytest.approx(
            clip.header.frame_times_s[frame]
        )
    assert study.volume.GetSpacing()[:2] == pytest.approx(clip.header.spacing_mm)
    assert study.browser.GetPlaybackRateFps() == pytest.approx(40)
    assert not study.browser.GetPlaybackItemSkippingEnabled()


def test_pixels_and_ras_are_slicer_s_own(study, clip):
    ras = px_to_ras([100.25, 40.5], clip.header.spacing_mm)
    import vtk

    to_ijk = vtk.vtkMatrix4x4()
    study.volume.GetRASToIJKMatrix(to_ijk)
    assert to_ijk.MultiplyPoint([*ras, 1])[:2] == pytest.approx((100.25, 40.5))
    assert ras_to_px(ras, clip.header.spacing_mm) == pytest.approx((100.25, 40.5))


def test_landmarks_calipers_and_cursor_follow_the_frame(study, document, result):
    study.show(document)
    for frame in (3, 30, 58):
        study.go_to(frame)
        study.follow()
        assert study.points_px == pytest.approx(result.points_px[frame], abs=1e-3)
        assert column(study.get("cursor"), "x") == pytest.approx([result.clip.frame_times_s[frame]] * 2)
        for name in ("IVS", "LVID", "LVPW"):
            length = study.get(f"line {name}").GetLineLengthWorld()
            assert length == pytest.approx(result.lengths[name].mm[frame], abs=1e-3)


def test_curves_hold_one_row_a_frame_and_the_marks(study, document, result):
    study.show(document)
    table = study.get("table")
    expected = np.array(result.measurements["curves"]["LVID"], float)
    assert column(table, "LVID") == pytest.approx(expected, nan_ok=True)
    assert table.GetColumnUnitLabel("LVID") == "mm"
    ed = [beat["ed_frame"] for beat in result.beats]
    assert ed and set(ed) <= set(np.flatnonzero(np.isfinite(column(table, "ED"))))
    chart = study.get("chart")
    assert chart.GetNumberOfPlotSeriesNodes() == 9
    assert chart.GetYAxisTitle() == "length (mm)"


def test_curves_are_shaded_where_they_are_not_certain(study, result):
    """Each curve by the confidence of its own two landmarks, and no other."""
    from EchoKeypointsLib import shading

    confidence = np.full_like(result.confidence, 0.9)
    confidence[10, 0] = 0.3  # SEpP: the septum alone
    confidence[30:35, 2] = 0.6  # PEnP: cavity and posterior wall
    study.show(as_text(replace(result, confidence=confidence)))
    chart, rows = study.get("chart"), result.clip.frame_count + 1
    names = [chart.GetNthPlotSeriesNode(i).GetName() for i in range(chart.GetNumberOfPlotSeriesNodes())]
    assert names[:2] == list(shading.LEVELS)  # drawn first, below the curves
    shaded = {}
    for level in shading.LEVELS:
        values = column(study.get("shading"), level).reshape(3, rows)
        assert np.isnan(values[:, -1]).all()  # the line of one curve never runs on into the next
        shaded[level] = [np.flatnonzero(np.isfinite(part)).tolist() for part in values]
    assert shaded["doubtful"] == [[9, 10, 11], [], []]
    assert shaded["uncertain"] == [[9, 10, 11], list(range(29, 36)), list(range(29, 36))]
    halo = column(study.get("shading"), "uncertain").reshape(3, rows)[1, 31]
    assert halo == column(study.get("table"), "LVID")[31]
    series = study.get("series doubtful")
    assert series.GetOpacity() < 1 and series.GetLineWidth() > 3 * study.get("series LVID").GetLineWidth()
    assert [shading.frame_of_row(row, rows - 1) for row in (0, rows, rows + 7, 3 * rows - 1)] == [
        *(0, 0, 7),
        rows - 2,
    ]


def test_measurements_become_a_table(study, document, result):
    study.show(document)
    table = study.get("measurements").GetTable()
    first = [table.GetValue(row, 0).ToString() for row in range(table.GetNumberOfRows())]
    indices, missing = result.measurements["indices"], result.measurements["missing"]
    assert first == [*indices, *missing]
    row = first.index("LVIDd")
    cells = [table.GetValue(row, i).ToString() for i in range(table.GetNumberOfColumns())]
    assert cells[1].startswith(f"{indices['LVIDd']['value']:.4g}") and cells[1].endswith("mm")
    assert cells[4] == indices["LVIDd"]["label"]


def test_an_edit_is_written_back_to_its_frame_only(study, document, result):
    study.show(document)
    study.go_to(12)
    study.points.SetNthControlPointPosition(0, -10.0, -20.0, 0.0)
    study.go_to(13)
    assert study.points_px == pytest.approx(result.points_px[13], abs=1e-3)
    study.go_to(12)
    assert study.points_px[0] == pytest.approx(ras_to_px([-10, -20, 0], result.clip.spacing_mm))


def test_missing_and_doubtful_landmarks_look_so(study, result):
    points, confidence = result.points_px.copy(), np.full_like(result.confidence, 0.9)
    points[5, 2] = np.nan
    confidence[6, 1] = 0.1
    changed = replace(result, points_px=points, confidence=confidence, measurements={}, beats=())
    study.show(as_text(changed))
    study.go_to(5)
    study.follow()
    node = study.points
    assert node.GetNthControlPointPositionStatus(2) == node.PositionMissing
    assert not study.get("line LVID").GetDisplayNode().GetVisibility()
    assert study.get("line IVS").GetDisplayNode().GetVisibility()
    study.go_to(6)
    assert [node.GetNthControlPointSelected(i) for i in range(4)] == [1, 0, 1, 1]


def test_everything_comes_back_from_a_bundle(app, study, document, result, tmp_path):
    study.show(document)
    layout.show_chart(app.scene, study.get("chart"))
    study.go_to(21)
    bundle = tmp_path / "scene.mrb"
    assert app.scene.WriteToMRB(str(bundle), None)
    other = SlicerScene()
    other.install()
    assert other.scene.ReadFromMRB(str(bundle), True)
    (back,) = Study.all(other.scene)
    assert json.loads(back.document) == json.loads(document)
    assert back.frame == 21
    assert back.points_px == pytest.approx(result.points_px[21], abs=1e-3)
    assert back.facts["sha256"] == result.clip_sha256
    back.go_to(40)
    back.follow()
    assert back.points_px == pytest.approx(result.points_px[40], abs=1e-3)
    assert back.browser.GetSaveChanges(back.get("landmarks"))
    assert column(back.get("cursor"), "x")[0] == pytest.approx(result.clip.frame_times_s[40])
    assert back.get("line LVID").GetLineLengthWorld() == pytest.approx(
        result.lengths["LVID"].mm[40], abs=1e-3
    )
    back.show(document)  # and it can be worked with
    other.scene.Clear(0)


def test_cine_saves_as_a_sequence_file(study, clip, tmp_path):
    sequence = study.get("cine")
    sequence.AddDefaultStorageNode()
    storage = sequence.GetStorageNode()
    storage.SetFileName(str(tmp_path / "cine.seq.nrrd"))
    assert storage.WriteData(sequence)
    other = slicer.vtkMRMLScene()
    back = other.AddNewNodeByClass("vtkMRMLSequenceNode")
    reader = slicer.vtkMRMLVolumeSequenceStorageNode()
    other.AddNode(reader)
    reader.SetFileName(str(tmp_path / "cine.seq.nrrd"))
    assert reader.ReadData(back)
    assert back.GetNumberOfDataNodes() == len(clip.pixels)
    assert float(back.GetNthIndexValue(30)) == pytest.approx(clip.header.frame_times_s[30])
    assert back.GetNthDataNode(0).GetSpacing()[:2] == pytest.approx(clip.header.spacing_mm)


def test_a_loaded_sequence_is_a_clip(study, clip):
    header, pixels = loaded_clip(study.browser)
    assert np.array_equal(pixels, clip.pixels)
    assert header.frame_times_s == pytest.approx(clip.header.frame_times_s, abs=1e-6)
    assert header.spacing_mm == pytest.approx(clip.header.spacing_mm)
    study.get("cine").GetNthDataNode(0).SetSpacing(1, 1, 1)
    header, _ = loaded_clip(study.browser)
    assert header.spacing_mm is None and any("scale is unknown" in text for text in header.warnings)


def test_a_browser_without_sequence_is_refused_in_a_sentence(app):
    browser = app.scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Empty")
    with pytest.raises(ClipError, match="Empty has no sequence"):
        loaded_clip(browser)


def test_assumed_times_are_not_shown_as_seconds(app, clip, result):
    from EchoKeypointsLib import panel

    header = replace(clip.header, metadata={**clip.header.metadata, "times_known": False})
    *_, study = Study.steps(app.scene, header, clip.pixels, {"warnings": [], "sha256": None})
    assert panel.frame_text(study) == "Frame 0 of 0–59" and "frame rate unknown" in panel.clip_text(study)
    study.show(as_text(replace(result, clip=replace(header, warnings=()))))
    assert study.get("chart").GetXAxisTitle() == "time (s), assumed"
    assert panel.frame_text(study).startswith("Frame 0 of 0–59, IVS ")


def test_a_sequence_of_the_dicom_module_is_read_from_its_file(study, sample):
    class Database:
        def fileForInstance(self, uid):
            return str(sample) if uid == "1.2.3" else ""

    study.volume.SetAttribute("DICOM.instanceUIDs", "1.2.3")
    assert dicom_file(study.browser, Database()) == sample
    assert dicom_file(study.browser, None) is None


def ruler_of(scene, start, end):
    ruler = calibration.place_ruler(scene)
    for point in (start, end):
        ruler.AddControlPoint(px_to_ras(point, None))
    return ruler


def test_two_clicks_give_the_scale(app):
    ruler = ruler_of(app.scene, (10, 10), (10, 160))
    spacing, source = calibration.measured_spacing(ruler, 50, None)
    assert spacing == pytest.approx((1 / 3, 1 / 3)) and "50 mm over 150.0 pixels" in source


@pytest.mark.parametrize(("end", "length", "words"), [((10, 18), 50, "apart"), ((10, 110), 400, "cannot be")])
def test_impossible_rulers_are_refused(app, end, length, words):
    from echo_keypoints.errors import QueryError

    with pytest.raises(QueryError, match=words):
        calibration.measured_spacing(ruler_of(app.scene, (10, 10), end), length, None)


def test_without_scale_no_millimetre_is_shown(app, clip, result):
    from echo_keypoints.biomarkers import measure
    from EchoKeypointsLib import panel

    header = replace(clip.header, spacing_mm=None, spacing_source="unknown: none")
    *_, study = Study.steps(app.scene, header, clip.pixels, {"warnings": [], "sha256": None})
    in_px = measure(replace(result, clip=replace(result.clip, spacing_mm=None, spacing_source="unknown")))
    study.show(as_text(in_px))
    assert study.get("chart").GetYAxisTitle() == "length (px)"
    assert not study.get("line LVID").GetDisplayNode().GetPropertiesLabelVisibility()
    assert all(text.endswith("px") for text in panel.length_texts(study).values())
    assert "Calibrate" in panel.scale_text(study) and panel.may_calibrate(study)


def test_a_click_on_a_curve_gives_its_frame(study, document):
    import vtk

    study.show(document)
    ids, rows, all_rows = vtk.vtkStringArray(), vtk.vtkIdTypeArray(), vtk.vtkCollection()
    for series, row in (("series cursor", 1), ("series LVID", 33)):
        ids.InsertNextValue(study.get(series).GetID())
        rows = vtk.vtkIdTypeArray()
        rows.InsertNextValue(row)
        all_rows.AddItem(rows)
    assert clicked_frame(study, ids, all_rows) == 33
    ids.SetValue(1, study.get("series doubtful").GetID())  # a halo: of the septum, with its own rows
    assert clicked_frame(study, ids, all_rows) == 33


def test_the_layout_is_ours_and_is_given_back(app):
    node = app.scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    node.SetViewArrangement(3)
    before = layout.show(app.scene)
    assert node.GetViewArrangement() == layout.LAYOUT_ID
    assert app.scene.GetSingletonNode(layout.PLOT_VIEW, "vtkMRMLPlotViewNode") is not None
    layout.restore(app.scene, before)
    assert node.GetViewArrangement() == 3


def test_documents_survive_the_scene_s_text(document, study):
    study.show(document)
    assert from_document(json.loads(study.document)).audit == study.result.audit
