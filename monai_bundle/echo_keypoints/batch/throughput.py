"""How many clips a batch analyses in a minute, and how that grows with the number of processes."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from echo_keypoints.batch.job import Options
from echo_keypoints.batch.run import run_batch
from echo_keypoints.batch.schedulers import LocalScheduler
from echo_keypoints.batch.states import FAILED


def measure_throughput(clip: Path, count: int, jobs: tuple[int, ...], options: Options) -> dict[str, Any]:
    """Run a batch over copies of a clip, all outputs included, once for each number of processes.

    The start of the processes and the loading of the models count, as they do for a user.

    Args:
        clip: the file that is copied.
        count: number of copies.
        jobs: numbers of processes, the one to compare with first.
        options: of the batch; one thread a process shows what a core does.

    Returns:
        Plain data: for every number of processes seconds, clips a minute, the same for each process, and how many
        times faster than the first it is.

    Raises:
        ValueError: a copy could not be analysed.
    """
    runs: list[dict[str, Any]] = []
    for number in jobs:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "clips"
            root.mkdir()
            for copy in range(count):
                shutil.copy(clip, root / f"clip{copy:04d}{clip.suffix}")
            start = time.perf_counter()
            tally = run_batch(root, Path(folder) / "results", LocalScheduler(number), options)
            seconds = time.perf_counter() - start
        if tally.states.get(FAILED):
            raise ValueError(f"{tally.states[FAILED]} of {count} copies of {clip.name} failed")
        per_minute = 60 * count / seconds
        runs.append(
            {
                "jobs": number,
                "wall_s": seconds,
                "clips_per_min": per_minute,
                "clips_per_min_per_job": per_minute / number,
                "speed_up": (runs[0]["wall_s"] if runs else seconds) / seconds,
            }
        )
    return {"clips": count, "threads_per_job": options.threads, "runs": runs}
