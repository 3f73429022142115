import argparse
import json
import shutil

import jsonschema
import numpy as np
import pytest

from echo_keypoints.analysis import analyze_clip
from echo_keypoints.cli import main
from echo_keypoints.cli.analyze import parse_query, parse_reference
from echo_keypoints.results import file_digest, load_result, schema
from echo_keypoints.tracking import Anchor, load_backend


@pytest.fixture
def analyze(untrained):
    """Run ``analyze`` with the untrained networks on one thread."""
    options = ["--backend", "torch", "--device", "cpu", "--threads", "1", "--models", str(untrained)]
    return lambda *arguments: main(["analyze", *options, *map(str, arguments)])


def test_all_files_are_written(analyze, small_clip, tmp_path, capsys):
    assert analyze(small_clip, "-o", tmp_path, "--gif") == 0
    folder = tmp_path / "blob"
    assert capsys.readouterr().out.strip() == str(folder)
    assert {path.name for path in folder.iterdir()} == {
        "result.json",
        "curves.csv",
        "beats.csv",
        "clip.csv",
        "curves.png",
        "overlay.mp4",
        "overlay.gif",
        "report.html",
        "report.pdf",
    }
    document = json.loads((folder / "result.json").read_text())
    jsonschema.validate(document, schema())
    result = load_result(folder)
    assert result.clip.source == "blob.npz" and result.clip_sha256 == file_digest(small_clip)
    assert result.clip.spacing_mm == (0.5, 0.5) and result.backend == "torch"
    assert set(result.models) == {"sknet.pt", "trnet.pt"}
    np.testing.assert_allclose(result.clip.frame_times_s, [0, 0.05, 0.1, 0.15], atol=1e-7)
    assert str(small_clip.parent) not in (folder / "result.json").read_text()


def test_the_patient_goes_into_the_result(analyze, small_clip, tmp_path, capsys):
    known = ("--sex", "F", "--height-cm", "165", "--weight-kg", "60", "--age-years", "50")
    assert analyze(small_clip, "-o", tmp_path, "--no-video", "--no-report", *known) == 0
    patient = load_result(tmp_path / "blob").measurements["patient"]
    assert (patient["sex"], patient["height_cm"]) == ("F", 165) and patient["bsa_dubois_m2"] > 1.6
    assert analyze(small_clip, "-o", tmp_path / "no", "--height-cm", "1.65") == 2
    assert "height in cm" in capsys.readouterr().err


def test_a_bad_clip_does_not_stop_the_others(analyze, small_clip, tmp_path, capsys):
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(b"nothing of the kind")
    out = tmp_path / "out"
    assert analyze(bad, tmp_path / "absent.mp4", small_clip, "-o", out, "--no-video") == 2
    assert (out / "blob" / "result.json").exists() and not (out / "bad").exists()
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("echo-keypoints: ")]
    assert sum("bad.dcm" in line for line in lines) == 1 and sum("absent.mp4" in line for line in lines) == 1


def test_a_query_is_where_the_tracking_starts(analyze, small_clip, tmp_path):
    assert analyze(small_clip, "-o", tmp_path, "--no-video", "--query", "2:10,8,12,16,20,30,22,40.5") == 0
    result = load_result(tmp_path / "blob")
    assert result.reference_frame == 2 and result.reference_mode == "query"
    np.testing.assert_allclose(result.points_px[2], [[10, 8], [12, 16], [20, 30], [22, 40.5]])
    assert (result.confidence[2] == 1).all()
    assert not (tmp_path / "blob" / "overlay.mp4").exists()


@pytest.mark.parametrize("query", ["9:1,1,2,2,3,3,4,4", "0:1,1,2,2,3,3,4000,4"])
def test_a_query_outside_of_the_clip_is_refused_and_leaves_nothing(
    analyze, small_clip, tmp_path, query, capsys
):
    assert analyze(small_clip, "-o", tmp_path, "--query", query) == 2
    assert "blob.npz" in capsys.readouterr().err and not (tmp_path / "blob").exists()


def test_results_are_only_replaced_on_request(analyze, small_clip, tmp_path, capsys):
    out = tmp_path / "out"
    assert analyze(small_clip, "-o", out) == 0
    before = (out / "blob" / "result.json").read_bytes()
    assert analyze(small_clip, "-o", out) == 2
    assert "--overwrite" in capsys.readouterr().err and (out / "blob" / "result.json").read_bytes() == before
    assert analyze(small_clip, "-o", out, "--overwrite", "--no-video", "--no-report", "--reference", "3") == 0
    result = load_result(out / "blob")
    assert result.reference_frame == 3 and [entry.what for entry in result.audit] == ["analysis"]
    for name in ("overlay.mp4", "report.html", "report.pdf"):
        assert not (out / "blob" / name).exists()  # it would show the replaced result
    other = tmp_path / "elsewhere" / "blob.npz"
    other.parent.mkdir()
    with np.load(small_clip) as arrays:
        np.savez(other, video=arrays["video"][::-1], fps=20.0)
    assert analyze(other, "-o", out, "--overwrite") == 2
    assert "another clip" in capsys.readouterr().err


def test_missing_weights_are_one_sentence(small_clip, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert (
        main(["analyze", str(small_clip), "-o", str(tmp_path / "out"), "--models", str(tmp_path / "empty")])
        == 2
    )
    error = capsys.readouterr().err
    assert "detector.onnx" in error and "Traceback" not in error and error.count("\n") == 1


def test_anchors_keep_the_automatic_track(untrained, small_clip):
    backend = load_backend("torch", untrained, 1, "cpu")
    points = np.array([[10.0, 8], [12, 16], [20, 30], [22, 40]])
    automatic = analyze_clip(small_clip, backend=backend)
    result = analyze_clip(small_clip, backend=backend, anchors=[Anchor(1, points)])
    assert automatic.automatic_px is None and [a.frame for a in result.anchors] == [1]
    np.testing.assert_allclose(result.points_px[1], points)
    np.testing.assert_allclose(result.automatic_px, automatic.points_px, atol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "3:1,2,3",
        "a:1,2,3,4,5,6,7,8",
        "1:1,2,3,4,5,6,7,nan",
        "1:2:1,2,3,4,5,6,7,8",
        "1:1,2,3,4,5,6,7,8,9",
    ],
)
def test_odd_queries_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="FRAME:x,y"):
        parse_query(text)


def test_references():
    assert parse_reference("first") == "first" and parse_reference("12") == 12
    for text in ("-1", "best", "1.5", ""):
        with pytest.raises(argparse.ArgumentTypeError):
            parse_reference(text)


def test_progress_is_told(untrained, small_clip):
    told = []
    analyze_clip(
        small_clip, backend=load_backend("torch", untrained, 1, "cpu"), progress=lambda *a: told.append(a)
    )
    assert {stage for stage, _, _ in told} == {"read", "detect", "refine"}
    assert all(0 < done <= total for _, done, total in told)


def test_folders_of_images_have_no_digest(untrained, small_clip, tmp_path):
    from PIL import Image

    with np.load(small_clip) as arrays:
        for index, frame in enumerate(arrays["video"]):
            Image.fromarray(frame).save(tmp_path / f"{index}.png")
    result = analyze_clip(tmp_path, backend=load_backend("torch", untrained, 1, "cpu"))
    assert result.clip_sha256 is None and result.clip.source == tmp_path.name


def test_the_weights_are_named_by_their_digest(untrained, small_clip):
    result = analyze_clip(small_clip, backend=load_backend("torch", untrained, 1, "cpu"))
    assert result.models["sknet.pt"] == file_digest(untrained / "sknet.pt")


def test_copies_of_a_clip_are_the_same_clip(analyze, small_clip, tmp_path):
    assert analyze(small_clip, "-o", tmp_path / "out", "--no-video") == 0
    copy = shutil.copy(small_clip, tmp_path)
    assert analyze(copy, "-o", tmp_path / "out", "--no-video", "--overwrite") == 0
