import json
import os
import stat

import pytest
from PIL import Image

from echo_keypoints.errors import ResultError
from echo_keypoints.results import (
    AuditEntry,
    atomic_path,
    claim_folder,
    clip_digest,
    clip_stem,
    file_digest,
    load_result,
    save_result,
    to_document,
)
from example_results import make_header, make_result

ENTRY = AuditEntry("reader A", "2026-01-02T03:04:05Z", "landmarks of frame 1", reason="moved")


def test_saved_results_load_from_file_and_folder(tmp_path):
    save_result(make_result(), tmp_path / "result.json")
    for path in (tmp_path, tmp_path / "result.json"):
        assert to_document(load_result(path)) == to_document(make_result())
    assert os.listdir(tmp_path) == ["result.json"]


def damaged(text: str):
    document = json.loads(text)
    yield "empty", ""
    yield "cut short", text[: len(text) // 2]
    yield "other JSON", '{"a": 1}'
    yield "a list", "[]"
    yield "NaN", text.replace('"reference_frame":2', '"reference_frame":NaN')
    yield "newer", text.replace('"schema_version":"1.0"', '"schema_version":"2.0"')
    for room in ("clip", "tracks", "lengths", "models", "audit"):
        yield f"without {room}", json.dumps({k: v for k, v in document.items() if k != room})
    for room, name, value in (
        ("clip", "frame_count", 6),
        ("clip", "frame_times_s", [0, 1, 1, 2, 3]),
        ("clip", "spacing_mm", [1]),
        ("clip", "spacing_mm", [0, 0]),
        ("tracks", "points_px", [[1, 2], [3]]),
        ("tracks", "points_px", "text"),
        ("tracks", "confidence", None),
        ("tracks", "reference_frame", 99),
        ("tracks", "landmarks", ["a"]),
        ("tracks", "anchors", [{"frame": 1, "points_px": [1]}]),
        ("lengths", "IVS", {"px": [1, 2], "mm": None}),
    ):
        changed = json.loads(text)
        changed[room][name] = value
        yield f"{name} {value}", json.dumps(changed)


def test_damaged_files_are_refused_in_one_sentence(tmp_path):
    path = tmp_path / "result.json"
    for case, text in damaged(json.dumps(to_document(make_result()), separators=(",", ":"))):
        path.write_text(text)
        with pytest.raises(ResultError) as caught:
            load_result(path)
        message = str(caught.value)
        assert message.startswith("result.json ") and message.endswith(".") and "\n" not in message, case
        assert str(tmp_path) not in message, case
    path.write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(ResultError, match="cannot be used"):
        load_result(path)
    with pytest.raises(ResultError, match="no such file"):
        load_result(tmp_path / "absent.json")


def test_saving_keeps_the_audit_trail_and_other_clips(tmp_path):
    path = tmp_path / "result.json"
    save_result(make_result().amended(ENTRY), path)
    save_result(make_result().amended(ENTRY).amended(ENTRY), path)
    with pytest.raises(ResultError, match="audit"):
        save_result(make_result(), path)
    with pytest.raises(ResultError, match="another clip"):
        save_result(make_result(clip=make_header(source="other.dcm")), path)
    assert len(load_result(path).audit) == 2


def test_a_folder_belongs_to_one_clip(tmp_path):
    folder, earlier = claim_folder(tmp_path / "out", "heart.dcm", "b" * 64)
    assert folder == tmp_path / "out" / "heart" and folder.is_dir() and earlier is None
    assert claim_folder(tmp_path / "out", "heart.dcm", "b" * 64) == (folder, None)  # still empty
    save_result(make_result(), folder / "result.json")
    with pytest.raises(ResultError, match="--overwrite"):
        claim_folder(tmp_path / "out", "heart.dcm", "b" * 64)
    _, earlier = claim_folder(tmp_path / "out", "heart.dcm", "b" * 64, overwrite=True)
    assert earlier is not None and earlier.clip.source == "heart.dcm"
    for source, digest in (("heart.mp4", "b" * 64), ("heart.dcm", "c" * 64), ("heart.dcm", None)):
        with pytest.raises(ResultError, match="another clip"):
            claim_folder(tmp_path / "out", source, digest, overwrite=True)


def test_folders_with_other_things_are_left_alone(tmp_path):
    (tmp_path / "heart").mkdir()
    (tmp_path / "heart" / "thesis.doc").write_text("precious")
    with pytest.raises(ResultError, match="other files"):
        claim_folder(tmp_path, "heart.dcm", None, overwrite=True)
    (tmp_path / "note").write_text("a file")
    with pytest.raises(ResultError, match="cannot write"):
        claim_folder(tmp_path / "note", "heart.dcm", None)


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]
    with atomic_path(path) as part:
        assert part.suffix == ".txt" and part.parent == tmp_path
        part.write_text("new")
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_results_are_as_readable_as_other_files(tmp_path):
    (tmp_path / "other").write_text("")
    save_result(make_result(), tmp_path / "result.json")
    assert stat.S_IMODE((tmp_path / "result.json").stat().st_mode) == stat.S_IMODE(
        (tmp_path / "other").stat().st_mode
    )


def test_digests_are_sha256(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # the example of FIPS 180-2
    assert file_digest(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_digest(tmp_path) is None


def test_frames_of_a_folder_tell_it_from_others(tmp_path):
    for folder, greys in (("a", (1, 2)), ("b", (1, 2)), ("c", (2, 1)), ("d", (1, 2, 3))):
        (tmp_path / folder).mkdir()
        for number, grey in enumerate(greys):
            Image.new("L", (8, 8), grey).save(tmp_path / folder / f"frame{number}.png")
    (tmp_path / "b" / "notes.txt").write_text("no frame of it")
    digests = {name: clip_digest(tmp_path / name) for name in "abcd"}
    assert digests["a"] == digests["b"] and len(set(digests.values())) == 3
    assert clip_digest(tmp_path / "a" / "frame0.png") == file_digest(tmp_path / "a" / "frame0.png")
    assert clip_digest(tmp_path / "absent") is None


def test_uids_have_no_ending():
    names = {
        "a.dcm": "a",
        "1.2.840.1": "1.2.840.1",
        "1.2.840.1.dcm": "1.2.840.1",
        ".hidden": ".hidden",
        "a": "a",
    }
    assert {name: clip_stem(name) for name in names} == names


def test_what_is_in_the_way_is_set_aside_and_not_lost(tmp_path):
    folder, _ = claim_folder(tmp_path, "heart.dcm", "b" * 64)
    (folder / "other").mkdir()
    (folder / "other" / "result.json").write_text("of another clip below")
    assert claim_folder(tmp_path, "heart.dcm", "b" * 64) == (folder, None)  # folders are no concern of it
    save_result(make_result(), folder / "result.json")
    (folder / "curves.csv").write_text("1,2")
    assert claim_folder(tmp_path, "heart.dcm", "c" * 64, set_aside=True) == (folder, None)
    (aside,) = tmp_path.glob("heart.until-*")
    assert sorted(os.listdir(aside)) == ["curves.csv", "result.json"] and os.listdir(folder) == ["other"]
    assert load_result(aside).clip_sha256 == "b" * 64


@pytest.mark.parametrize("options", [{"overwrite": True}, {"set_aside": True}])
def test_a_damaged_result_can_be_made_again(options, tmp_path):
    (tmp_path / "heart").mkdir()
    (tmp_path / "heart" / "result.json").write_text("{")
    with pytest.raises(ResultError, match="cannot be used"):
        claim_folder(tmp_path, "heart.dcm", "b" * 64)
    folder, earlier = claim_folder(tmp_path, "heart.dcm", "b" * 64, **options)
    assert earlier is None and not os.listdir(folder)
    (aside,) = tmp_path.glob("heart.until-*")
    assert (aside / "result.json").read_text() == "{"
