import sqlite3

import pytest

from echo_keypoints.batch.discovery import FoundClip
from echo_keypoints.batch.states import DONE, FAILED, NEW, RUNNING
from echo_keypoints.batch.worklist import WORKLIST_NAME, Worklist, sole_run
from echo_keypoints.errors import ResultError

A, B = FoundClip("a.dcm", "a", 10, 100), FoundClip("b.dcm", "b", 20, 200)


@pytest.fixture
def worklist(tmp_path):
    with Worklist(tmp_path) as worklist:
        worklist.add([A, B])
        yield worklist


def states(worklist):
    return {entry.path: entry.state for entry in worklist.entries()}


def test_a_clip_goes_from_new_to_finished(worklist):
    assert states(worklist) == {"a.dcm": NEW, "b.dcm": NEW}
    worklist.start("a.dcm")
    assert states(worklist)["a.dcm"] == RUNNING
    worklist.finish("a.dcm", DONE, "", {"frames": "4"}, 123, 1.5)
    worklist.fail("b.dcm", "it is a still", 0.1)
    a, b = worklist.entries()
    assert (a.state, a.seconds, a.summary, a.result_mtime_ns) == (DONE, 1.5, {"frames": "4"}, 123)
    assert (b.state, b.reason) == (FAILED, "it is a still")
    assert worklist.tally() == {DONE: 1, FAILED: 1}


def test_what_was_running_is_new_after_a_crash(worklist, tmp_path):
    worklist.start("a.dcm")
    with Worklist(tmp_path) as again:  # nobody said goodbye
        again.recover()
        again.add([A, B])
        assert states(again) == {"a.dcm": NEW, "b.dcm": NEW}


def test_only_changed_files_are_new_again(worklist):
    for path in ("a.dcm", "b.dcm"):
        worklist.finish(path, DONE, "", {}, 1, 1.0)
    worklist.add([A, FoundClip("b.dcm", "b", 21, 200)])
    assert states(worklist) == {"a.dcm": DONE, "b.dcm": NEW}


def test_failures_can_be_tried_again(worklist):
    worklist.fail("a.dcm", "no", 1.0)
    worklist.finish("b.dcm", DONE, "", {}, 1, 1.0)
    worklist.requeue([FAILED])
    assert states(worklist) == {"a.dcm": NEW, "b.dcm": DONE}


def test_one_run_at_a_time(tmp_path):
    with sole_run(tmp_path):
        with pytest.raises(ResultError, match="Another batch"), sole_run(tmp_path):
            pass
    with sole_run(tmp_path):
        pass


def test_another_file_in_its_place_is_refused(tmp_path):
    (tmp_path / WORKLIST_NAME).write_bytes(b"something else altogether" * 100)
    with pytest.raises(ResultError, match="damaged"):
        Worklist(tmp_path)


def test_another_version_is_refused(tmp_path):
    base = sqlite3.connect(tmp_path / WORKLIST_NAME)
    base.execute("PRAGMA user_version = 99")
    base.close()
    with pytest.raises(ResultError, match="another version"):
        Worklist(tmp_path)


def test_a_worklist_that_cannot_be_written_is_not_called_damaged(tmp_path):
    (tmp_path / WORKLIST_NAME).mkdir()
    with pytest.raises(ResultError, match="check permissions and free space"):
        Worklist(tmp_path)
    with pytest.raises(ResultError, match="cannot be used"), sole_run(tmp_path / "absent"):
        pass
