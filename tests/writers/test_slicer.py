import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from echo_keypoints.anatomy import LANDMARK_NAMES
from echo_keypoints.readers import read_clip
from echo_keypoints.writers.slicer import write_image_sequence, write_landmark_sequence, write_markups
from example_results import TIMES_S, make_clip, make_header, make_result


@pytest.fixture
def result():
    """The posterior endocardium is not measurable on frame 1."""
    points = make_result().points_px
    points[1, 2] = np.nan
    return make_result(points_px=points)


@pytest.fixture
def clip():
    pixels = np.random.default_rng(0).integers(0, 255, (5, 120, 128), np.uint8)
    return replace(make_clip(), pixels=pixels)


def test_markups_hold_the_landmarks_in_lps_millimetres(result, tmp_path):
    write_markups(result, 3, tmp_path / "a.mrk.json")
    (markups,) = json.loads((tmp_path / "a.mrk.json").read_text())["markups"]
    assert markups["coordinateSystem"] == "LPS" and markups["type"] == "Fiducial"
    for number, point in enumerate(markups["controlPoints"]):
        x, y = result.points_px[3, number]
        assert point["label"] == LANDMARK_NAMES[number] and point["positionStatus"] == "defined"
        assert point["position"] == pytest.approx([x * 0.4, y * 0.5, 0], abs=1e-4)


def test_without_a_scale_a_pixel_is_a_millimetre(tmp_path):
    header = make_header(spacing_mm=None, spacing_source="unknown")
    write_markups(make_result(clip=header), 0, tmp_path / "a.mrk.json")
    (markups,) = json.loads((tmp_path / "a.mrk.json").read_text())["markups"]
    assert markups["controlPoints"][0]["position"] == [60.25, 30.25, 0]


def test_our_reader_sees_the_same_frames(result, clip, tmp_path):
    write_image_sequence(result.clip, clip.as_source(), tmp_path / "a.seq.nrrd")
    back = read_clip(tmp_path / "a.seq.nrrd")
    np.testing.assert_array_equal(back.pixels, clip.pixels)
    np.testing.assert_allclose(back.header.frame_times_s, TIMES_S, atol=1e-6)
    assert back.header.spacing_mm == pytest.approx((0.4, 0.5))


def test_the_same_result_gives_the_same_files(result, clip, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_landmark_sequence(result, tmp_path / name / "x.seq.mrb")
        write_image_sequence(result.clip, clip.as_source(), tmp_path / name / "x.seq.nrrd")
    for name in ("x.seq.mrb", "x.seq.nrrd"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    with zipfile.ZipFile(tmp_path / "a" / "x.seq.mrb") as bundle:
        assert bundle.testzip() is None and len(bundle.namelist()) == 6


# ---- the real thing: MRML of the package slicer-core, which the session `slicer` of nox installs


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: nox -s slicer")
    scene, application = slicer.vtkMRMLScene(), slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    names = ("vtkSlicerUnitsLogic", "vtkSlicerMarkupsLogic", "vtkSlicerSequencesLogic")
    logics = [getattr(slicer, name)() for name in (*names, "vtkSlicerVolumesLogic")]
    remote, manager = slicer.vtkMRMLRemoteIOLogic(), slicer.vtkDataIOManagerLogic()
    for logic in (*logics, remote, manager):
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(scene)
    # Reading a bundle unpacks it into the cache.
    remote.GetCacheManager().SetRemoteCacheDirectory(str(tmp_path_factory.mktemp("cache")))
    manager.SetAndObserveDataIOManager(remote.GetDataIOManager())
    remote.AddDataIOToScene()
    yield scene
    del logics, remote, manager


def load(scene, node_class, storage_class, path):
    node, storage = scene.AddNewNodeByClass(node_class), scene.AddNewNodeByClass(storage_class)
    storage.SetFileName(str(path))
    assert storage.ReadData(node) == 1
    return node


def position(node, number):
    point = [0.0] * 3
    node.GetNthControlPointPosition(number, point)
    return point


def ras(result, frame, number):
    """Slicer's RAS of a landmark: both axes turned round from LPS."""
    x, y = result.points_px[frame, number]
    return pytest.approx([-x * 0.4, -y * 0.5, 0], abs=1e-4)


def test_slicer_loads_markups(scene, result, tmp_path):
    write_markups(result, 1, tmp_path / "a.mrk.json")
    node = load(scene, "vtkMRMLMarkupsFiducialNode", "vtkMRMLMarkupsJsonStorageNode", tmp_path / "a.mrk.json")
    assert [node.GetNthControlPointLabel(k) for k in range(4)] == list(LANDMARK_NAMES)
    assert position(node, 1) == ras(result, 1, 1)
    states = [node.GetNthControlPointPositionStatus(k) for k in range(4)]
    assert [state == node.PositionMissing for state in states] == [False, False, True, False]


def test_slicer_loads_the_landmark_sequence(scene, result, tmp_path):
    write_landmark_sequence(result, tmp_path / "a.seq.mrb")
    node = load(scene, "vtkMRMLSequenceNode", "vtkMRMLSequenceStorageNode", tmp_path / "a.seq.mrb")
    assert (node.GetIndexName(), node.GetIndexUnit()) == ("time", "s")
    assert [float(node.GetNthIndexValue(i)) for i in range(5)] == pytest.approx(TIMES_S, abs=1e-6)
    for frame in (0, 4):
        assert position(node.GetNthDataNode(frame), 3) == ras(result, frame, 3)
    assert "confidence" in node.GetNthDataNode(0).GetNthControlPointDescription(0)


def test_slicer_loads_the_frames_and_plays_them_with_the_landmarks(scene, result, clip, tmp_path):
    import slicer

    write_landmark_sequence(result, tmp_path / "a.seq.mrb")
    write_image_sequence(result.clip, clip.as_source(), tmp_path / "a.seq.nrrd")
    frames = load(scene, "vtkMRMLSequenceNode", "vtkMRMLVolumeSequenceStorageNode", tmp_path / "a.seq.nrrd")
    points = load(scene, "vtkMRMLSequenceNode", "vtkMRMLSequenceStorageNode", tmp_path / "a.seq.mrb")
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(frames.GetID())
    browser.AddSynchronizedSequenceNode(points)
    browser.SetSelectedItemNumber(2)
    logic = slicer.vtkSlicerSequencesLogic()
    logic.SetMRMLScene(scene)
    logic.UpdateProxyNodesFromSequences(browser)
    volume, markups = browser.GetProxyNode(frames), browser.GetProxyNode(points)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(volume)[0], clip.pixels[2])
    assert volume.GetSpacing()[:2] == pytest.approx((0.4, 0.5))
    # The landmark lies on its pixel: through the image's own geometry.
    import vtk

    to_index = vtk.vtkMatrix4x4()
    volume.GetRASToIJKMatrix(to_index)
    index = to_index.MultiplyPoint([*position(markups, 0), 1])[:2]
    assert index == pytest.approx(tuple(result.points_px[2, 0]), abs=1e-3)
