"""Who does the work: processes on this machine, or a Dask cluster. Both run `job.process`."""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from typing import Protocol

from echo_keypoints.batch.job import Job, Options, Outcome, failure, process
from echo_keypoints.errors import EchoKeypointsError

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_CONNECT_S = 20.0
_SPAWN = get_context("spawn")  # a fork would copy the threads' locks of this process


@dataclass(frozen=True)
class Started:
    """A worker took up the job of this path."""

    path: str


class Scheduler(Protocol):
    """Runs jobs. Leaving the iteration early ends the workers."""

    def run(self, jobs: Sequence[Job], options: Options) -> Iterator[Started | Outcome]:
        """Run all jobs; give each one's start and outcome as they come, in any order."""
        ...


class LocalScheduler:
    """Processes on this machine, one clip each at a time. One that dies fails its clip and is replaced.

    Args:
        count: number of processes.
        timeout_s: a clip that takes longer is given up.
    """

    def __init__(self, count: int, timeout_s: float = 3600) -> None:
        self._count = count
        self._timeout_s = timeout_s

    def run(self, jobs: Sequence[Job], options: Options) -> Iterator[Started | Outcome]:
        """See `Scheduler.run`."""
        waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in jobs:
            waiting.put(job)
        events: queue.SimpleQueue[Started | Outcome | BaseException] = queue.SimpleQueue()
        workers: list[_Worker] = []

        def serve(worker: _Worker) -> None:
            try:
                while not worker.ended:
                    job = waiting.get_nowait()
                    events.put(Started(job.path))
                    events.put(worker.process(job, self._timeout_s))
            except queue.Empty:
                worker.end()
            except BaseException as error:
                events.put(error)

        with _thread_limits(options.threads):
            try:
                workers += [_Worker(options) for _ in range(min(self._count, len(jobs)))]
                threads = [threading.Thread(target=serve, args=(one,), daemon=True) for one in workers]
                for thread in threads:
                    thread.start()
                pending = len(jobs)
                while pending:
                    event = events.get()
                    if isinstance(event, BaseException):
                        raise event
                    pending -= isinstance(event, Outcome)
                    yield event
            finally:
                for worker in workers:
                    worker.end()


class _Worker:
    """A process that analyses one clip after another."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._lock = threading.Lock()
        self.ended = False
        self._start()

    def _start(self) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(theirs, self._options), daemon=True)
        self._process.start()
        theirs.close()

    def process(self, job: Job, timeout_s: float) -> Outcome:
        """Have a clip analysed; if the process dies or takes too long, it is replaced."""
        start = time.perf_counter()
        try:
            self._pipe.send(job)
            if self._pipe.poll(timeout_s):
                outcome: Outcome = self._pipe.recv()
                return outcome
            reason = f"{job.path} took longer than {timeout_s / 60:.0f} minutes and was given up."
        except (EOFError, OSError):
            with self._lock:  # two that wait for the same process can miss its end
                self._process.join(10)
            reason = (
                f"The process that analysed {job.path} died (exit code {self._process.exitcode}); the file may "
                "need more memory than there is."
            )
        self._replace()
        return failure(job, reason, time.perf_counter() - start)

    def _replace(self) -> None:
        with self._lock:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            if not self.ended:
                self._start()

    def end(self) -> None:
        """End the process, whatever it is doing."""
        with self._lock:
            self.ended = True
            self._process.kill()
            self._process.join()


def _serve(pipe: Connection, options: Options) -> None:
    """Analyse clips until the other end of the pipe is closed; end at once when the parent process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            job = pipe.recv()
            pipe.send(process(job, options))
        except (EOFError, OSError):
            return


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # the next run may already be working on the same clip


@contextmanager
def _thread_limits(threads: int) -> Iterator[None]:
    """Let processes that are started meanwhile use so many threads in numerical libraries."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class DaskScheduler:
    """A Dask cluster. Its workers see the clips and the output folder under the same paths as this machine.

    Args:
        address: of the scheduler, e.g. ``tcp://host:8786``.

    Raises:
        EchoKeypointsError: Dask is not installed, or nobody answers.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise EchoKeypointsError(
                "--scheduler needs Dask: pip install 'echo-keypoints[cluster]'."
            ) from error
        try:
            self._client = Client(address, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise EchoKeypointsError(f"No Dask scheduler answers at {address}.") from error

    def run(self, jobs: Sequence[Job], options: Options) -> Iterator[Started | Outcome]:
        """See `Scheduler.run`."""
        from distributed import Future, as_completed

        waiting, running = iter(jobs), {}

        def submit(job: Job) -> Future:
            future = self._client.submit(process, job, options, pure=False)
            running[future] = job
            return future

        try:
            # Few at a time, so that an early end leaves little to undo.
            first = [submit(job) for job in islice(waiting, self._window())]
            yield from (Started(job.path) for job in list(running.values()))
            done = as_completed(first, loop=self._client.loop)
            for future in done:
                yield _outcome(future, running.pop(future))
                if (job := next(waiting, None)) is not None:
                    done.add(submit(job))
                    yield Started(job.path)
        finally:
            self._client.cancel(list(running), force=True)
            self._client.close()

    def _window(self) -> int:
        """Give how many jobs are handed over at once: one for each thread of the cluster, and one in store."""
        threads = sum(self._client.nthreads().values())
        if not threads:
            raise EchoKeypointsError("The Dask cluster has no workers; start some.")
        return int(2 * threads)


def _outcome(future: object, job: Job) -> Outcome:
    """Fetch what a worker of the cluster gave."""
    try:
        outcome: Outcome = future.result()  # type: ignore[attr-defined]
        return outcome
    except Exception as error:  # a killed worker, a cancelled job, another version over there
        reason = f"The cluster lost {job.path} ({type(error).__name__}); do its workers see the same folders?"
        return failure(job, reason, 0.0)
