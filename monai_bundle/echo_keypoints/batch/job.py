"""One clip of a batch: the function that every worker runs, here or on a cluster. It never raises."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from echo_keypoints.batch.states import FAILED, state_of
from echo_keypoints.errors import EchoKeypointsError
from echo_keypoints.processing import Outputs, analyze_into
from echo_keypoints.results import RESULT_NAME
from echo_keypoints.tracking import load_backend
from echo_keypoints.tracking.backends import Backend
from echo_keypoints.writers.csv import clip_facts


@dataclass(frozen=True)
class Job:
    """A clip to analyse.

    Attributes:
        path: relative path, by which the work-list knows it.
        clip: absolute path of the clip.
        output: absolute path of the output folder.
        folder: of the results, relative to `output`.
    """

    path: str
    clip: str
    output: str
    folder: str


@dataclass(frozen=True)
class Options:
    """How clips are analysed; plain data that any worker can be sent.

    Attributes:
        backend, models, device: as in `load_backend`; `models` None for the weights that came with the software.
        threads: CPU threads of each worker.
        outputs: which files are written.
        reference: how the reference frame is chosen.
        overwrite: analyse again where there is a result; else it is kept, and only its files are made again.
    """

    backend: str = "onnx"
    models: str | None = None
    device: str | None = None
    threads: int = 1
    outputs: Outputs = field(default_factory=Outputs)
    reference: str | int = "confidence"
    overwrite: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        path: of the job.
        state: one of `states.FINISHED`, or `states.FAILED`.
        reason: for the state; empty where all is well.
        seconds: that it took.
        summary: the row of `clip.csv`; empty where it failed.
        result_mtime_ns: change time of the result's file, 0 where it failed.
    """

    path: str
    state: str
    reason: str
    seconds: float
    summary: dict[str, str] = field(default_factory=dict)
    result_mtime_ns: int = 0


def process(job: Job, options: Options) -> Outcome:
    """Analyse one clip and write its files; whatever goes wrong becomes the reason of a failure."""
    start = time.perf_counter()
    _limit_opencv(options.threads)
    try:
        result, folder = analyze_into(
            Path(job.clip),
            Path(job.output),
            backend=_backend(options.backend, options.models, options.threads, options.device),
            outputs=options.outputs,
            overwrite=options.overwrite,
            resume=True,
            set_aside=True,
            name=job.folder,
            reference=options.reference,
            threads=options.threads,
        )
        state, reason = state_of(result)
        changed = (folder / RESULT_NAME).stat().st_mtime_ns
        return Outcome(job.path, state, reason, time.perf_counter() - start, clip_facts(result), changed)
    except EchoKeypointsError as error:
        reason = str(error)
    except Exception as error:  # a fault of ours must not stop the others
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        reason = f"{Path(job.clip).name} met a fault of the software ({type(error).__name__} at {where})."
    return failure(job, reason, time.perf_counter() - start)


def _limit_opencv(threads: int) -> None:
    """By itself OpenCV, which a plain installation does not have, takes all cores in every process."""
    try:
        import cv2
    except ImportError:
        return
    cv2.setNumThreads(threads)


def failure(job: Job, reason: str, seconds: float) -> Outcome:
    """Give the outcome of a job that failed."""
    return Outcome(job.path, FAILED, reason, seconds)


@lru_cache(maxsize=1)
def _backend(name: str, models: str | None, threads: int, device: str | None) -> Backend:
    """Load the networks once in each process."""
    return load_backend(name, models, threads, device)
