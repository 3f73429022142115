"""Does reading keep up with learning? ``python -m echo_keypoints.data.throughput FOLDER``.

Frames decoded, cropped to the scan and resized per second and core, beside the frames per second that SK-net learns
from on the same core.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from echo_keypoints.data.clips import model_clip
from echo_keypoints.data.folders import find_clips
from echo_keypoints.errors import ClipError
from echo_keypoints.networks import SKNet


def reading_rate(clips: Sequence[str], size: int = 224) -> float:
    """Frames per CPU second that are decoded, cropped and resized; every clip is read once.

    Raises:
        ClipError: there are no clips, or one cannot be read.
    """
    if not clips:
        raise ClipError("There are no clips to read.")
    started, count = time.process_time(), 0
    for clip in clips:
        model_clip.cache_clear()
        count += len(model_clip(clip, size)[0])
    return count / (time.process_time() - started)


def training_rate(frames: int = 8, size: int = 224, repeats: int = 2) -> float:
    """Frames per CPU second that SK-net (small) goes through forwards and backwards, at best."""
    network = SKNet.from_preset("small").train()
    batch = torch.rand(frames, 1, size, size)
    best = float("inf")
    for _ in range(repeats + 1):  # the first time warms up
        started = time.process_time()
        network(batch).square().mean().backward()
        best = min(best, time.process_time() - started)
    return frames / best


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", help="clips, such as a batch of EchoNet-LVH")
    parser.add_argument("--clips", type=int, default=20, metavar="N", help="at most so many (default: 20)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    clips = [item["image"] for item in find_clips(str(Path(options.folder)))][: options.clips]
    reading, learning = reading_rate(clips), training_rate()
    print(
        json.dumps(
            {
                "clips": len(clips),
                "frames_read_per_cpu_second": round(reading, 1),
                "frames_learnt_per_cpu_second": round(learning, 1),
                "cores_reading_per_core_learning": round(learning / reading, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
