"""The states of a clip in a work-list, and which one a result is in."""

from __future__ import annotations

from echo_keypoints.editing import is_reviewed
from echo_keypoints.results import AnalysisResult

NEW, RUNNING, DONE = "new", "running", "done"
NEEDS_REVIEW, REVIEWED, FAILED = "needs review", "reviewed", "failed"
STATES = (NEW, RUNNING, DONE, NEEDS_REVIEW, REVIEWED, FAILED)
FINISHED = (DONE, NEEDS_REVIEW, REVIEWED)
"""States of clips that have a result."""

_DOUBTFUL_GRADES = ("poor", "not measurable")


def state_of(result: AnalysisResult) -> tuple[str, str]:
    """Give the state of a finished clip and the reason for it, which may be empty.

    A person's review counts before the software's doubts: a poor quality, a view that may not be parasternal
    long axis, no measurement.
    """
    if is_reviewed(result):
        who = next(entry.who for entry in reversed(result.audit) if entry.what == "review")
        return REVIEWED, f"by {who}"
    reasons = list(result.quality.get("reasons", ()))
    view = result.quality.get("view", {})
    doubtful = (view.get("decision") or view.get("verdict")) in ("doubtful", "other")
    if doubtful:
        reasons.insert(0, "The view may not be parasternal long axis.")
    if doubtful or result.quality.get("grade") in _DOUBTFUL_GRADES:
        return NEEDS_REVIEW, " ".join(reasons)
    return DONE, ""
