"""Landmarks through every format and back."""

import json

import jsonschema
import numpy as np
import pytest

from echo_keypoints.cli import main
from echo_keypoints.data.echonet_lvh import read_echonet_lvh
from echo_keypoints.data.echonet_phantom import write_lookalike
from echo_keypoints.data.exchange.formats import FORMATS, read_clips, recognise, write_clips
from echo_keypoints.data.exchange.slicer import read_slicer, write_slicer
from echo_keypoints.data.exchange.unity import read_unity
from echo_keypoints.data.marks import Marks, read_marks, write_marks
from echo_keypoints.data.points import LabelError

POINTS = np.array([[30.5, 20.0], [31.0, 29.5], [34.25, 70.0], [35.0, 80.125]])
PARTLY = np.where([[True], [True], [False], [True]], POINTS + 1, np.nan)


def marks() -> Marks:
    return Marks({3: POINTS, 11: PARTLY}, (0.5, 0.5), 3, 11)


@pytest.mark.parametrize("form", ["json", "csv", "unity", "slicer"])
def test_there_and_back(form, tmp_path):
    target = tmp_path / ("labels.json" if form == "unity" else "out")
    write_clips({"a": marks(), "b-1": Marks({0: POINTS})}, target, form)
    assert recognise(target) == form
    found = read_clips(target, form, (0.5, 0.5) if form == "slicer" else None)
    assert list(found) == ["a", "b-1"]
    assert list(found["a"].frames) == [3, 11]
    np.testing.assert_allclose(found["a"].frames[3], POINTS, atol=1e-3)
    np.testing.assert_allclose(found["a"].frames[11], PARTLY, atol=1e-3)
    if form == "json":
        assert (found["a"].spacing_mm, found["a"].ed_frame, found["a"].es_frame) == ((0.5, 0.5), 3, 11)


def test_unity_as_published(tmp_path):
    code = "01-" + "ab" * 32 + "-0012.png"
    path = tmp_path / "labels-tune.json"
    curve = {"type": "curve", "x": "1 2 3", "y": "4 5 6"}
    point = {"type": "point", "x": "12.5", "y": "40"}
    path.write_text(
        json.dumps(
            {
                code: {
                    "labels": {"lv-ivs-top": point, "lv-pw-top": {**point, "type": "blurred"}, "x": curve}
                },
                code.replace("0012", "0020"): {"labels": {"lv-ivs-top": {"type": "off", "x": "", "y": ""}}},
            }
        )
    )
    assert recognise(path) == "unity"
    (clip,) = read_unity(path).values()
    assert list(clip.frames) == [12]
    np.testing.assert_array_equal(clip.frames[12], [[12.5, 40], [np.nan] * 2, [np.nan] * 2, [np.nan] * 2])


def test_slicer_files_are_what_slicer_reads(tmp_path):
    write_slicer({"a": marks()}, tmp_path)
    document = json.loads((tmp_path / "a.0011.mrk.json").read_text())
    # What the schema of Slicer's markups asks of a point list.
    schema = {
        "required": ["@schema", "markups"],
        "properties": {
            "@schema": {"pattern": r"markups-schema-v1\.\d+\.\d+\.json#$"},
            "markups": {
                "items": {
                    "required": ["type"],
                    "properties": {
                        "type": {"enum": ["Fiducial"]},
                        "coordinateSystem": {"enum": ["LPS", "RAS"]},
                        "controlPoints": {
                            "items": {
                                "required": ["id", "label", "position"],
                                "properties": {
                                    "position": {"type": "array", "minItems": 3, "maxItems": 3},
                                    "positionStatus": {"enum": ["defined", "undefined", "preview"]},
                                },
                            }
                        },
                    },
                }
            },
        },
    }
    jsonschema.validate(document, schema)
    first = document["markups"][0]["controlPoints"][0]
    assert first["label"] == "SEpP" and first["position"] == [15.75, 10.5, 0.0]
    # RAS turns x and y; points that were not placed have an empty position.
    document["markups"][0]["coordinateSystem"] = "RAS"
    for control in document["markups"][0]["controlPoints"]:
        control["position"] = [-control["position"][0], -control["position"][1], 0]
        if control["positionStatus"] == "undefined":
            control["position"] = ""
    (tmp_path / "a.0011.mrk.json").write_text(json.dumps(document))
    found = read_slicer([tmp_path / "a.0011.mrk.json"], (0.5, 0.5))["a"]
    np.testing.assert_allclose(found.frames[11], PARTLY)


def test_echonet_to_json_to_echonet(tmp_path, capsys):
    data = tmp_path / "echonet"
    write_lookalike(data, 2, seed=3, frames=16, size=96, noise_px=0.0)
    assert main(["convert", str(data), "--to", "json", "-o", str(tmp_path / "json")]) == 0
    assert "2 clips" in capsys.readouterr().out
    assert main(["convert", str(tmp_path / "json"), "--to", "echonet-lvh", "-o", str(tmp_path / "back")]) == 2
    assert "--clips" in capsys.readouterr().err
    arguments = ["--to", "echonet-lvh", "-o", str(tmp_path / "back"), "--clips", str(data)]
    assert main(["convert", str(tmp_path / "json"), *arguments]) == 0
    for batch in data.glob("Batch*"):
        (tmp_path / "back" / batch.name).symlink_to(batch)
    before, after = (read_echonet_lvh(folder).videos for folder in (data, tmp_path / "back"))
    for one, other in zip(before, after, strict=True):
        assert one.cm_per_px == pytest.approx(other.cm_per_px, rel=1e-4)
        assert (one.end_diastole, one.end_systole) == (other.end_diastole, other.end_systole)
        for frame, points in one.frames.items():
            np.testing.assert_allclose(other.frames[frame], points, atol=1e-4)


def test_the_truth_of_a_phantom_is_an_all_frames_set(tmp_path):
    assert main(["simulate", "-o", str(tmp_path), "--frames", "5", "--size", "64"]) == 0
    found = read_marks(tmp_path / "plax_000000.json")
    assert found.complete() == list(range(5)) and found.spacing_mm is not None


def test_nothing_is_overwritten_or_guessed(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("")
    assert main(["convert", str(tmp_path / "a.txt"), "--to", "csv", "-o", str(tmp_path / "o")]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in FORMATS)
    write_marks(marks(), tmp_path / "m.json")
    assert main(["convert", str(tmp_path / "m.json"), "--to", "csv", "-o", str(tmp_path)]) == 2
    assert "there already" in capsys.readouterr().err
    (tmp_path / "m.json").write_text('{"frames": {}, "mm_per_px": "x"}')
    with pytest.raises(LabelError, match=r"m\.json"):
        read_marks(tmp_path / "m.json")
