"""The work-list: a SQLite file that knows the state of every clip, whatever happens to the processes."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from echo_keypoints.batch.discovery import FoundClip
from echo_keypoints.batch.states import FAILED, NEW, RUNNING, STATES
from echo_keypoints.errors import ResultError
from echo_keypoints.results import utc_now

WORKLIST_NAME = "worklist.sqlite"
_LOCK_NAME = ".worklist.lock"
_VERSION = 1
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS clips (
    path TEXT PRIMARY KEY,
    folder TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ({", ".join(f"'{state}'" for state in STATES)})),
    reason TEXT NOT NULL DEFAULT '',
    seconds REAL,
    changed_utc TEXT NOT NULL,
    result_mtime_ns INTEGER,
    summary TEXT NOT NULL DEFAULT '{{}}'
)
"""


@dataclass(frozen=True)
class Entry:
    """A clip of the work-list.

    Attributes:
        path, folder: as in `discovery.FoundClip`.
        state: one of `states.STATES`.
        reason: why it failed, needs a review, or who reviewed it.
        seconds: that its analysis took, or None.
        changed_utc: when the state changed.
        result_mtime_ns: change time of the result that `summary` was made from, or None.
        summary: the row of ``clip.csv`` by its columns; empty without a result.
    """

    path: str
    folder: str
    state: str
    reason: str
    seconds: float | None
    changed_utc: str
    result_mtime_ns: int | None
    summary: dict[str, str]


_COLUMNS = tuple(field.name for field in fields(Entry))


@contextmanager
def sole_run(output: Path) -> Iterator[None]:
    """Make sure that no other batch works on the same folder; the lock goes with the process, even when killed.

    Raises:
        ResultError: another one does.
    """
    with usable(output):
        lock = sqlite3.connect(output / _LOCK_NAME, timeout=0, isolation_level=None)
        try:
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                raise ResultError(
                    f"Another batch is working on {output.name}; wait until it ends."
                ) from error
            yield
        finally:
            lock.close()


@contextmanager
def usable(output: Path) -> Iterator[None]:
    """Say in one sentence that the work-list cannot be read or written: no permission, or no space.

    Raises:
        ResultError: so it is.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        raise ResultError(
            f"The work-list in {output.name} cannot be used ({error}); check permissions and free space."
        ) from error


class Worklist:
    """The work-list of an output folder. Every change is on the disk when the method returns.

    Args:
        output: folder of the results.

    Raises:
        ResultError: the file there is no work-list of this version.
    """

    def __init__(self, output: Path) -> None:
        with usable(output):
            self._base = sqlite3.connect(output / WORKLIST_NAME, timeout=30, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._base.close()
                raise

    def _prepare(self) -> None:
        try:
            (version,) = self._base.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise ResultError(f"{WORKLIST_NAME} is of another version; choose another output folder.")
            self._base.execute(_SCHEMA)
            self._base.execute(f"PRAGMA user_version = {_VERSION}")
        except sqlite3.OperationalError:  # it cannot be read or written, which is no damage
            raise
        except sqlite3.DatabaseError as error:
            raise ResultError(f"{WORKLIST_NAME} is damaged ({error}); delete it and start again.") from error

    def __enter__(self) -> Worklist:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def recover(self) -> None:
        """Put clips back in line that were being analysed when an earlier run ended."""
        self._base.execute("UPDATE clips SET state = ? WHERE state = ?", (NEW, RUNNING))

    def add(self, clips: Sequence[FoundClip]) -> None:
        """Put clips in line that are not in the list, and those whose file has changed."""
        self._base.execute("BEGIN")
        self._base.executemany(
            "INSERT INTO clips (path, folder, size, mtime_ns, state, changed_utc) "
            "VALUES (:path, :folder, :size, :mtime_ns, :new, :now) "
            "ON CONFLICT (path) DO UPDATE SET size = :size, mtime_ns = :mtime_ns, state = :new, reason = '', "
            "changed_utc = :now WHERE size != :size OR mtime_ns != :mtime_ns",
            [{**vars(clip), "new": NEW, "now": utc_now()} for clip in clips],
        )
        self._base.execute("COMMIT")

    def requeue(self, states: Sequence[str]) -> None:
        """Put all clips of these states in line again."""
        marks = ", ".join("?" * len(states))
        self._base.execute(
            f"UPDATE clips SET state = ?, reason = '' WHERE state IN ({marks})", (NEW, *states)
        )

    def start(self, path: str) -> None:
        """Note that a clip is being analysed."""
        self._base.execute(
            "UPDATE clips SET state = ?, changed_utc = ? WHERE path = ?", (RUNNING, utc_now(), path)
        )

    def fail(self, path: str, reason: str, seconds: float | None) -> None:
        """Note that a clip could not be analysed, and why."""
        self._base.execute(
            "UPDATE clips SET state = ?, reason = ?, seconds = ?, changed_utc = ?, summary = '{}', "
            "result_mtime_ns = NULL WHERE path = ?",
            (FAILED, reason, seconds, utc_now(), path),
        )

    def finish(
        self,
        path: str,
        state: str,
        reason: str,
        summary: dict[str, str],
        result_mtime_ns: int,
        seconds: float | None = None,
    ) -> None:
        """Note the state and the facts of a clip that has a result; `seconds` None keeps what is there."""
        self._base.execute(
            "UPDATE clips SET state = ?, reason = ?, summary = ?, result_mtime_ns = ?, "
            "seconds = coalesce(?, seconds), changed_utc = ? WHERE path = ?",
            (state, reason, json.dumps(summary), result_mtime_ns, seconds, utc_now(), path),
        )

    def entries(self, *states: str) -> list[Entry]:
        """Give the clips in the order of their paths; of some states only, if any are named."""
        where = f"WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        rows = self._base.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM clips {where} ORDER BY path", states
        ).fetchall()
        facts = (dict(zip(_COLUMNS, row, strict=True)) for row in rows)
        return [Entry(**{**fact, "summary": json.loads(fact["summary"])}) for fact in facts]

    def tally(self) -> Counter[str]:
        """Count the clips of each state."""
        return Counter(dict(self._base.execute("SELECT state, count(*) FROM clips GROUP BY state")))
