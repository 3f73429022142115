"""Another view of the same heart: one similarity and one grey map for all frames of an item."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

TURN_DEG = 15.0
ZOOM = 0.25
SHIFT = 0.08
"""Largest translation, as a share of the picture's side."""
GAMMA = 0.4
GAIN = 0.2
NOISE = 6.0
"""Largest standard deviation of the noise, in grey levels of 0..255."""


def random_view(
    frames: NDArray[np.uint8], points: NDArray[np.floating], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Turn, zoom and shift frames with their points, and change gain, gamma and noise.

    Hearts are not mirrored: a PLAX view has its apex on one side only.

    Args:
        frames: ``(F, S, S)``.
        points: ``(..., 2)`` px of these frames; NaN stays NaN.
        rng: source of randomness.

    Returns:
        New frames and points of the same shapes.
    """
    matrix = _similarity(frames.shape[-1], rng)
    size = (frames.shape[2], frames.shape[1])
    moved = [cv2.warpAffine(frame, matrix, size, flags=cv2.INTER_LINEAR) for frame in frames]
    table = _grey_map(rng)
    strength = rng.uniform(0, NOISE) * (rng.random() < 0.5)
    grey = table[np.stack(moved)] + strength * rng.standard_normal(frames.shape).astype(np.float32)
    new_points = np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return np.clip(np.round(grey), 0, 255).astype(np.uint8), new_points


def _similarity(side: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """``(2, 3)`` matrix of a similarity about the centre of a picture, old pixels → new pixels."""
    angle = np.deg2rad(rng.uniform(-TURN_DEG, TURN_DEG))
    scale = np.exp(rng.uniform(-1, 1) * np.log1p(ZOOM))
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.full(2, (side - 1) / 2)
    offset = centre - linear @ centre + rng.uniform(-SHIFT, SHIFT, 2) * side
    return np.column_stack([linear, offset])


def _grey_map(rng: np.random.Generator) -> NDArray[np.float32]:
    """New value of each of the 256 grey levels."""
    levels = np.linspace(0, 1, 256)
    changed = levels ** np.exp(rng.uniform(-GAMMA, GAMMA)) * np.exp(rng.uniform(-GAIN, GAIN))
    return (255 * changed).astype(np.float32)
