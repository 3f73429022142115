"""The work-list of ``echo-keypoints batch``, for a reader who goes through it: what needs a look, and what is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from echo_keypoints.errors import ResultError
from echo_keypoints.results import RESULT_NAME, save_result
from echo_keypoints.worker.texts import result_from_text

Progress = Callable[[str, int, int], None]


def look(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """``{"results": folder}`` → ``{"tally": {state: count}, "open": [{"path", "folder", "reason"}]}``.

    ``open`` are the clips that need a person's review, in the order of their paths.

    Raises:
        ResultError: there is no work-list in the folder.
    """
    from echo_keypoints.batch.run import refresh
    from echo_keypoints.batch.states import NEEDS_REVIEW
    from echo_keypoints.batch.worklist import Worklist

    results = _results(params)
    with Worklist(results) as worklist:
        refresh(worklist, results)
        entries = worklist.entries(NEEDS_REVIEW)
        tally = dict(worklist.tally())
    rows = [{"path": e.path, "folder": e.folder, "reason": e.reason} for e in entries]
    return {"tally": tally, "open": rows}


def load(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """``{"results": folder, "folder": of the clip in it}`` → ``{"document": text}``.

    Raises:
        ResultError: the result is gone.
    """
    file = _inside(_results(params), str(params["folder"])) / RESULT_NAME
    try:
        return {"document": file.read_text(encoding="utf-8")}
    except OSError as error:
        raise ResultError(
            f"{file.parent.name} has no result ({error.strerror or error}); run the batch again."
        ) from None


def save(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Save a reviewed result back: ``{"results", "folder", "document": text}`` → as `look`.

    Raises:
        ResultError: the result there is of another clip, or was changed by somebody else meanwhile.
    """
    results = _results(params)
    result = result_from_text(params["document"])
    save_result(result, _inside(results, str(params["folder"])) / RESULT_NAME)
    return look(params, progress)


def _results(params: dict[str, Any]) -> Path:
    from echo_keypoints.batch.worklist import WORKLIST_NAME

    results = Path(params["results"])
    if not (results / WORKLIST_NAME).is_file():
        raise ResultError(
            f"{results.name or 'This folder'} holds no work-list; run echo-keypoints batch first."
        )
    return results


def _inside(results: Path, folder: str) -> Path:
    """Give the folder of a clip's results, which never lies outside of the batch."""
    path = (results / folder).resolve()
    if not path.is_relative_to(results.resolve()):
        raise ResultError("The work-list names a folder outside of its own; it is damaged.")
    return path
