"""How much memory a long clip takes: ``python tests/tracking/check_memory.py MODELS [FRAMES]``.

Not a test of the suite: 10,000 frames take minutes. It prints the largest resident set of the process.
"""

import resource
import sys
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.clip import ClipHeader, ClipSource
from echo_keypoints.tracking import load_backend, track_clip


def speckle(count: int) -> Iterator[NDArray[np.uint8]]:
    """Frames of 240 × 320 pixels, made one by one."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield rng.integers(0, 255, (240, 320), dtype=np.uint8)


def main() -> None:
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    header = ClipHeader("speckle", count, 240, 320, np.arange(count) / 30, "test")
    track_clip(ClipSource(header, lambda: speckle(count)), load_backend("onnx", sys.argv[1]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux
    print(f"{count} frames: at most {peak:.0f} MB resident")


if __name__ == "__main__":
    main()
