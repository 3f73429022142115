"""Clips of a moving blob."""

import numpy as np


def write_clip(path, seed=0, frames=4):
    """A moving blob as NPZ: frames of 64 x 48 at 20 a second, 0.5 mm a pixel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:48, :64]
    shift = np.random.default_rng(seed).uniform(-5, 5)
    video = [200 * np.exp(-((x - 30 - shift - t) ** 2 + (y - 24) ** 2) / 90) for t in range(frames)]
    np.savez(path, video=np.stack(video).astype(np.uint8), fps=20.0, mm_per_px=0.5)
    return path
