"""`run_batch`: from a folder of clips to a folder of results with a summary and an index page."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from echo_keypoints.batch.discovery import find_clips
from echo_keypoints.batch.index_page import INDEX_NAME, index_page
from echo_keypoints.batch.job import Job, Options, Outcome
from echo_keypoints.batch.schedulers import Scheduler, Started
from echo_keypoints.batch.states import FAILED, FINISHED, NEW, state_of
from echo_keypoints.batch.summary import SUMMARY_NAME, write_summary
from echo_keypoints.batch.worklist import WORKLIST_NAME, Entry, Worklist, sole_run
from echo_keypoints.editing import mark_reviewed
from echo_keypoints.errors import EchoKeypointsError, ResultError
from echo_keypoints.results import RESULT_NAME, atomic_path, load_result, save_result
from echo_keypoints.writers.csv import clip_facts

_PAGE_INTERVAL_S = 20.0

Progress = Callable[[int, int, Outcome | None], None]
"""Called as ``progress(finished, total, outcome)``: once at the start with None, then after every clip."""


@dataclass(frozen=True)
class Tally:
    """How a batch ended: the number of clips by their states, and how many this run analysed."""

    states: dict[str, int]
    analysed: int


def run_batch(
    root: Path,
    output: Path,
    scheduler: Scheduler,
    options: Options,
    *,
    retry_failed: bool = False,
    progress: Progress | None = None,
) -> Tally:
    """Analyse all clips of a folder that have no result yet, and keep account.

    Whatever ends it, power failure included, calling it again goes on where it was: the work-list is on the disk
    after every clip, results are written whole or not at all.

    Args:
        root: folder of the clips, looked through with all below it.
        output: folder for the results, made if absent. Clips keep their place: ``a/b.dcm`` goes to ``a/b/``.
        scheduler: who does the work.
        options: how clips are analysed. With `overwrite` those that are finished are analysed again.
        retry_failed: try again what failed before.
        progress: told how far it is.

    Raises:
        ResultError: another batch works on the same folder, or it cannot be written to.
        EchoKeypointsError: `root` is no folder.
    """
    if not root.is_dir():
        raise EchoKeypointsError(f"{root.name} is not a folder; batch takes a folder of clips.")
    try:
        next(root.iterdir(), None)
    except OSError as error:
        raise EchoKeypointsError(
            f"The folder {root.name} cannot be read ({error.strerror or error})."
        ) from error
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultError(f"The folder {output.name} cannot be made ({error.strerror or error}).") from error
    with sole_run(output), Worklist(output) as worklist:
        worklist.recover()
        clips = find_clips(root, output)
        worklist.add(clips)
        if retry_failed:
            worklist.requeue([FAILED])
        if options.overwrite:
            worklist.requeue(FINISHED)
        for clip in clips:
            if not clip.name_is_text:
                worklist.fail(clip.path, "Its name is not UTF-8; rename it.", None)
        analysed = _work_off(worklist, root.resolve(), output.resolve(), scheduler, options, progress)
        refresh(worklist, output)
        return Tally(dict(worklist.tally()), analysed)


def _work_off(
    worklist: Worklist,
    root: Path,
    output: Path,
    scheduler: Scheduler,
    options: Options,
    progress: Progress | None,
) -> int:
    """Run the clips that are in line, and keep the index page up to date meanwhile."""
    entries = worklist.entries(NEW)
    total = sum(worklist.tally().values())
    finished = total - len(entries)
    jobs = [Job(e.path, str(root / e.path), str(output), e.folder) for e in entries]
    if progress:
        progress(finished, total, None)
    page_due = time.monotonic() + _PAGE_INTERVAL_S
    try:
        for event in scheduler.run(jobs, options) if jobs else ():
            if isinstance(event, Started):
                worklist.start(event.path)
                continue
            _note(worklist, event)
            finished += 1
            if progress:
                progress(finished, total, event)
            if time.monotonic() > page_due:
                write_overview(worklist, output)
                page_due = time.monotonic() + _PAGE_INTERVAL_S
    finally:
        worklist.recover()
        write_overview(worklist, output)
    return len(jobs)


def _note(worklist: Worklist, outcome: Outcome) -> None:
    if outcome.state == FAILED:
        worklist.fail(outcome.path, outcome.reason, outcome.seconds)
    else:
        worklist.finish(
            outcome.path,
            outcome.state,
            outcome.reason,
            outcome.summary,
            outcome.result_mtime_ns,
            outcome.seconds,
        )


def refresh(worklist: Worklist, output: Path) -> None:
    """Look at results that were changed since, by a reader for instance, and write the overview anew."""
    for entry in worklist.entries(*FINISHED):
        file = output / entry.folder / RESULT_NAME
        try:
            changed = file.stat().st_mtime_ns
            if changed != entry.result_mtime_ns:
                result = load_result(file)
                worklist.finish(entry.path, *state_of(result), clip_facts(result), changed)
        except (OSError, ResultError):
            worklist.fail(entry.path, "Its result is gone or damaged; use --retry-failed.", None)
    write_overview(worklist, output)


def review(output: Path, clips: list[str], who: str, reason: str = "") -> list[Entry]:
    """Mark clips of a finished batch as reviewed, in their results and in the work-list.

    Args:
        output: folder of the batch.
        clips: paths as the work-list and the index page show them.
        who: the reader, for the audit trail.
        reason: for the audit trail.

    Returns:
        The clips as they are now.

    Raises:
        ResultError: there is no work-list, or a clip is not in it or has no result.
        QueryError: nobody is named.
    """
    if not (output / WORKLIST_NAME).is_file():
        raise ResultError(f"{output.name} holds no batch; run one first.")
    with Worklist(output) as worklist:
        entries = {entry.path: entry for entry in worklist.entries()}
        for clip in clips:
            if clip not in entries:
                raise ResultError(f"{clip} is not in the work-list of {output.name}.")
            if entries[clip].state not in FINISHED:
                raise ResultError(f"{clip} has no result to review; its state is {entries[clip].state}.")
        for clip in clips:
            file = output / entries[clip].folder / RESULT_NAME
            save_result(mark_reviewed(load_result(file), who=who, reason=reason), file)
        refresh(worklist, output)
        return [entry for entry in worklist.entries() if entry.path in clips]


def write_overview(worklist: Worklist, output: Path) -> None:
    """Write ``summary.csv`` and ``index.html``.

    Raises:
        ResultError: the folder cannot be written to.
    """
    entries = worklist.entries()
    try:
        write_summary(entries, output / SUMMARY_NAME)
        with atomic_path(output / INDEX_NAME) as part:
            part.write_text(index_page(entries, output), encoding="utf-8")
    except OSError as error:
        raise ResultError(
            f"The overview cannot be written to {output.name} ({error.strerror or error})."
        ) from error
