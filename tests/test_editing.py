import json
from dataclasses import replace

import numpy as np
import pytest

from echo_keypoints import editing
from echo_keypoints.analysis import result_of
from echo_keypoints.biomarkers import Patient, measure
from echo_keypoints.errors import QueryError, ResultError
from echo_keypoints.results import from_document, load_result, save_result, to_document
from echo_keypoints.tracking import load_backend, open_session
from example_results import make_clip, make_header
from known_hearts import beating, lengths_at, result_of_lengths

WHO = {"who": "reader A", "reason": "looked at it"}


@pytest.fixture
def result():
    return measure(beating())


def reread(result):
    return from_document(json.loads(json.dumps(to_document(result), allow_nan=False)))


def test_a_moved_end_systole_is_measured_there_and_the_original_is_kept(result):
    before = result.beats[1]
    moved = editing.set_beat(result, 1, es_frame=before["es_frame"] + 4, **WHO)
    beat = moved.beats[1]
    assert beat["es_frame"] == before["es_frame"] + 4 and beat["es_source"] == "user"
    assert beat["automatic"]["es_frame"] == before["es_frame"]
    assert beat["indices"]["LVIDs"] == pytest.approx(moved.lengths["LVID"].mm[beat["es_frame"]], abs=1e-4)
    assert beat["indices"]["FS"] < before["indices"]["FS"] - 1
    assert result.beats[1] == before and not result.audit
    (entry,) = moved.audit
    assert (entry.who, entry.what, entry.reason) == ("reader A", "beat 1", "looked at it")
    assert entry.old["es_frame"] == before["es_frame"] and entry.new["es_frame"] == beat["es_frame"]


def test_a_shared_end_diastole_moves_for_both_beats(result):
    frame = result.beats[1]["ed_frame"] + 2
    moved = editing.set_beat(result, 1, ed_frame=frame, **WHO)
    assert moved.beats[0]["next_ed_frame"] == moved.beats[1]["ed_frame"] == frame
    assert moved.beats[0]["rr_ms"] == pytest.approx(result.beats[0]["rr_ms"] + 40, abs=20)


def test_decisions_count_and_last(result):
    rejected = editing.reject_beat(result, 0, **WHO)
    assert not rejected.beats[0]["accepted"]
    assert rejected.measurements["indices"]["FS"]["n"] == result.measurements["indices"]["FS"]["n"] - 1
    back = editing.accept_beat(rejected, 0, **WHO)
    assert back.beats[0]["accepted"] and len(back.audit) == 2 and back.audit[0] == rejected.audit[0]
    again = measure(reread(rejected))
    assert to_document(again) == to_document(reread(rejected))


def test_beats_can_be_added_and_searched_again(result):
    lost = measure(result_without_beats())
    assert lost.beats == ()
    added = editing.add_beat(lost, 5, 24, 55, es_is_avc=True, **WHO)
    (beat,) = added.beats
    assert (beat["ed_source"], beat["es_source"], beat["complete"]) == ("user", "avc_user", True)
    assert measure(reread(added)).beats == reread(added).beats
    assert editing.find_beats_again(added, **WHO).beats == ()
    with pytest.raises(QueryError, match="overlap"):
        editing.add_beat(added, 20, 30, **WHO)


def result_without_beats():
    still = beating()
    return beating(points_px=np.repeat(still.points_px[:1], len(still.points_px), axis=0))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda r: editing.set_beat(r, 9, es_frame=3, **WHO), "no beat 9"),
        (lambda r: editing.set_beat(r, 0, es_frame=99999, **WHO), "not one of them"),
        (lambda r: editing.set_beat(r, 0, es_frame=0, **WHO), "order"),
        (lambda r: editing.set_beat(r, 1, ed_frame=r.beats[0]["es_frame"] - 1, **WHO), "order|overlap"),
        (lambda r: editing.set_beat(r, 0, **WHO), "Nothing"),
        (lambda r: editing.reject_beat(r, 0, who=" ", reason=""), "name"),
    ],
)
def test_what_cannot_be_is_refused(result, change, message):
    with pytest.raises(QueryError, match=message):
        change(result)


def test_the_patient_and_the_view(result):
    known = editing.set_patient(result, Patient("F", 160, 60, 40), **WHO)
    assert "LVMI" in known.measurements["indices"] and known.measurements["patient"]["sex"] == "F"
    assert known.measurements["indices"]["LVM"]["flags"]
    assert editing.reject_beat(known, 0, **WHO).measurements["patient"]["sex"] == "F"
    other = editing.set_view(known, False, **WHO)
    assert other.quality["grade"] == "poor" and "not parasternal" in other.quality["reasons"][0]
    assert measure(reread(other)).quality["view"]["decision"] == "other"


def test_landmarks_are_set_and_cleared(tmp_path):
    header = make_header(frame_count=12, frame_times_s=np.arange(12) / 30)
    rng = np.random.default_rng(0)
    clip = make_clip(header)
    clip = type(clip)(header, rng.integers(0, 255, clip.pixels.shape, np.uint8))
    with open_session(clip, load_backend(threads=1)) as session:
        first = result_of(header, session.track())
        save_result(first, tmp_path / "result.json")
        # In noise the networks may look anywhere, beyond the edge, too.
        seen = np.clip(first.points_px[6], 4, 110)
        wanted = seen + 3
        wanted[3] = np.nan
        edited = editing.set_landmarks(first, session, 6, wanted, **WHO)
        np.testing.assert_allclose(edited.points_px[6, :3], wanted[:3])
        np.testing.assert_array_equal(edited.automatic_px, first.points_px)
        assert edited.audit[-1].old["set"] is None and edited.audit[-1].new["set"][3] == [None, None]
        save_result(edited, tmp_path / "result.json")
        stored = load_result(tmp_path)
        more = editing.set_landmarks(stored, session, 6, seen, **WHO)
        cleared = editing.clear_landmarks(more, session, 6, **WHO)
        np.testing.assert_allclose(cleared.points_px, first.points_px, atol=1e-4)
        assert not cleared.anchors and cleared.automatic_px is None and len(cleared.audit) == 3
        with pytest.raises(QueryError, match="No landmark"):
            editing.clear_landmarks(cleared, session, 6, **WHO)
        with pytest.raises(ResultError, match="other weights"):
            editing.set_landmarks(
                replace(first, models={"detector.onnx": "0" * 64}), session, 6, wanted, **WHO
            )


def test_half_a_beat_from_end_systole_on_may_be_corrected():
    times = np.arange(40) / 50
    half = measure(result_of_lengths(times, lengths_at(0.3 + times)))
    (beat,) = half.beats
    assert beat["next_ed_frame"] is None and beat["es_frame"] < beat["ed_frame"]
    moved = editing.set_beat(half, 0, ed_frame=beat["ed_frame"] - 1, **WHO)
    assert moved.beats[0]["ed_frame"] == beat["ed_frame"] - 1
    with pytest.raises(QueryError, match="order"):
        editing.set_beat(half, 0, es_frame=beat["ed_frame"], **WHO)
