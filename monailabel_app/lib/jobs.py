"""`Jobs`: inference off the event loop, with progress, cancelling, and a bound on what is kept."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from echo_keypoints.errors import EchoKeypointsError
from lib.refusal import Refusal, not_found

logger = logging.getLogger(__name__)

MOST_WAITING = 64
KEEP_S = 600.0
QUICK_WORKERS = 2

Progress = Callable[[str, int, int], None]
Work = Callable[[Progress], dict[str, Any]]


class Cancelled(Exception):
    """A job was cancelled; it is raised inside of it."""


@dataclass(eq=False)
class Job:
    """One piece of work: state, how far it is, and what came of it; `clip` is the one whose original it makes."""

    clip: str | None = None
    id: str = field(default_factory=lambda: uuid4().hex)
    state: str = "queued"
    stage: str = "queue"
    done: int = 0
    total: int = 0
    message: str = ""
    result: dict[str, Any] | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)
    ended_at: float = 0.0

    def progress(self, stage: str, done: int, total: int) -> None:
        """Take note of how far the work is.

        Raises:
            Cancelled: nobody wants it any more.
        """
        if self.cancelled.is_set():
            raise Cancelled
        self.stage, self.done, self.total = stage, done, total

    def to_document(self) -> dict[str, Any]:
        """Give what clients see."""
        answer = {
            "job": self.id,
            "state": self.state,
            "stage": self.stage,
            "done": self.done,
            "total": self.total,
            "message": self.message,
        }
        return answer | ({"result": self.result} if self.state == "done" else {})


class Jobs:
    """Two pools of threads: one for whole clips, one for quick work that must not wait behind them.

    Args:
        workers: threads for whole clips.
    """

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix="analysis")
        self._quick = ThreadPoolExecutor(QUICK_WORKERS, thread_name_prefix="refinement")
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def submit(self, work: Work, *, quick: bool = False, clip: str | None = None) -> Job:
        """Begin, or queue, a piece of work.

        Raises:
            Refusal: 429, too many are waiting.
        """
        job = Job(clip)
        with self._lock:
            self._forget()
            if sum(not other.ended.is_set() for other in self._jobs.values()) >= MOST_WAITING:
                raise Refusal(429, f"{MOST_WAITING} analyses are waiting already; try again in a minute.")
            self._jobs[job.id] = job
        (self._quick if quick else self._pool).submit(_run, job, work)
        return job

    def idle(self) -> bool:
        """Tell whether nothing runs or waits."""
        return all(job.ended.is_set() for job in list(self._jobs.values()))

    def clips(self) -> set[str]:
        """The clips whose originals are being made, or wait for it."""
        return {job.clip for job in list(self._jobs.values()) if job.clip and not job.ended.is_set()}

    def get(self, job_id: str, wait_s: float = 0.0) -> Job:
        """Find a job, and give it some time to end.

        Raises:
            Refusal: 404, there is no such job, or it ended long ago.
        """
        job = self._jobs.get(job_id)
        if job is None:
            raise not_found("analysis; it may have ended long ago")
        job.ended.wait(max(0.0, min(wait_s, 30.0)))
        return job

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop at its next frame."""
        job = self.get(job_id)
        job.cancelled.set()
        return job

    def _forget(self) -> None:
        old = time.monotonic() - KEEP_S
        self._jobs = {
            key: job for key, job in self._jobs.items() if not job.ended.is_set() or job.ended_at > old
        }


def _run(job: Job, work: Work) -> None:
    try:
        job.progress("queue", 0, 0)
        job.state = "running"
        job.result = work(job.progress)
        job.state = "done"
    except Cancelled:
        job.state, job.message = "cancelled", "The analysis was cancelled."
    except Refusal as refusal:
        job.state, job.message = "failed", refusal.sentence
    except EchoKeypointsError as error:
        job.state, job.message = "failed", str(error)
    except Exception:  # whatever it is, the client waits for an answer and the server lives on
        logger.exception("analysis %s failed", job.id)
        job.state, job.message = "failed", f"The analysis failed; the server's log has more under {job.id}."
    finally:
        job.ended_at = time.monotonic()
        job.ended.set()
