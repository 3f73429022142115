import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from echo_keypoints.biomarkers import measure
from echo_keypoints.results import AuditEntry, from_document, plain, schema, to_document
from example_results import make_anchor, make_header, make_result


@pytest.fixture(scope="module")
def validator():
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


def rich_result():
    """A result with all that may be there: anchors, gaps, audit, later rooms' data, no file digest."""
    result = make_result(clip_sha256=None, measurements=measure(make_result()).measurements)
    points, confidence = result.points_px.copy(), result.confidence.copy()
    points[4, 0], confidence[4, 0] = np.nan, np.nan
    entry = AuditEntry(
        "reader A", "2026-01-02T03:04:05Z", "landmarks of frame 1", None, [[1.0, 2.0]], "moved"
    )
    changes = {"points_px": points, "confidence": confidence, "automatic_px": result.points_px}
    return result.amended(entry, anchors=(make_anchor(result, 1),), **changes)


@pytest.mark.parametrize(
    "result",
    [make_result(), rich_result(), make_result(clip=make_header(spacing_mm=None, scan_region=None))],
    ids=["plain", "rich", "no scale"],
)
def test_documents_fit_the_schema_and_come_back(result, validator):
    text = json.dumps(to_document(result), allow_nan=False)  # fails on numpy types and on NaN
    document = json.loads(text)
    validator.validate(document)
    again = from_document(document)
    np.testing.assert_allclose(again.points_px, result.points_px, atol=1e-5)
    np.testing.assert_allclose(again.confidence, result.confidence, atol=1e-5)
    np.testing.assert_allclose(again.clip.frame_times_s, result.clip.frame_times_s, atol=1e-7)
    for name in ("source", "frame_count", "height", "width", "times_source", "spacing_mm", "scan_region"):
        assert getattr(again.clip, name) == getattr(result.clip, name)
    for name in (
        "reference_frame",
        "reference_mode",
        "models",
        "audit",
        "warnings",
        "clip_sha256",
        "software",
    ):
        assert getattr(again, name) == getattr(result, name)
    assert [a.frame for a in again.anchors] == [a.frame for a in result.anchors]
    assert to_document(again) == document


def test_the_core_is_as_the_design_fixes_it():
    document = to_document(make_result())
    assert document["schema_version"] == "1.0" and document["software"]["name"] == "echo-keypoints"
    assert document["models"] == {"detector.onnx": {"sha256": "a" * 64}}
    assert document["clip"]["spacing_mm"] == [0.4, 0.5]
    assert document["tracks"]["landmarks"] == ["SEpP", "SEnP", "PEnP", "PEpP"]
    assert np.shape(document["tracks"]["points_px"]) == (5, 4, 2)
    assert document["lengths"]["LVID"]["px"][0] == 40 and document["lengths"]["LVID"]["mm"][0] == 20
    assert document["beats"] == [] and document["measurements"] == {} and document["quality"] == {}


def test_without_a_scale_there_are_no_millimetres():
    document = to_document(make_result(clip=make_header(spacing_mm=None)))
    assert document["clip"]["spacing_mm"] is None
    assert [document["lengths"][name]["mm"] for name in ("IVS", "LVID", "LVPW")] == [None] * 3


def test_what_is_not_measurable_is_null():
    document = to_document(rich_result())
    assert document["tracks"]["points_px"][4][0] == [None, None]
    assert document["tracks"]["confidence"][4][0] is None
    assert document["lengths"]["IVS"]["px"][4] is None and document["lengths"]["LVID"]["px"][4] is not None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.float64("nan"), None),
        (float("inf"), None),
        (np.int16(3), 3),
        (np.bool_(True), True),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        ((1, "a", None), [1, "a", None]),
        ({1: np.uint8(2)}, {"1": 2}),
        (b"\x01\xff", "01ff"),
        (ValueError("text"), "text"),
    ],
)
def test_plain_leaves_json_types_only(value, expected):
    assert plain(value) == expected
    json.dumps(plain(value), allow_nan=False)


def test_a_hand_edited_length_is_noticed():
    document = to_document(make_result())
    document["lengths"]["LVID"]["mm"][1] += 1
    with pytest.raises(ValueError, match="LVID in mm does not fit its tracks"):
        from_document(document)


def test_the_audit_trail_only_grows():
    result = make_result()
    entry = AuditEntry("a", "2026-01-02T03:04:05Z", "x")
    assert result.amended(entry).amended(entry).audit == (entry, entry) and result.audit == ()
    with pytest.raises(ValueError, match="grow"):
        result.amended(entry, audit=())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("points_px", np.zeros((4, 4, 2))),
        ("confidence", np.zeros((5, 3))),
        ("automatic_px", np.zeros((5, 4))),
        ("reference_frame", 5),
        ("reference_frame", -1),
    ],
)
def test_parts_must_fit_the_clip(name, value):
    with pytest.raises(ValueError):
        replace(make_result(), **{name: value})
