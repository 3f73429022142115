"""What a scanner prints over and around the picture: text, rulers, ECG, logos, bars. None of it is anatomy."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_LETTERS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/.%cmHz "))


def draw_overlays(size: int, inside: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a random set of overlays on black.

    Args:
        size: side of the square picture in px.
        inside: ``(size, size)``, True where the sector is; most text stays outside of it.
        rng: draws what, where and how bright.

    Returns:
        ``(size, size)`` uint8; the picture becomes the maximum of itself and this.
    """
    canvas = np.zeros((size, size), np.uint8)
    scale = size / 224
    if rng.random() < 0.5:
        _text(canvas, inside, rng, scale)
    if rng.random() < 0.35:
        _depth_ruler(canvas, rng, scale)
    if rng.random() < 0.35:
        _ecg(canvas, rng, scale)
    if rng.random() < 0.15:  # a grey bar with a patient line
        height = int(rng.uniform(4, 14) * scale)
        top = 0 if rng.random() < 0.5 else size - height
        canvas[top : top + height] = int(rng.uniform(30, 140))
    if rng.random() < 0.2:  # probe mark or logo
        centre = (int(rng.uniform(0.1, 0.9) * size), int(rng.uniform(0, 0.12) * size))
        cv2.circle(
            canvas, centre, int(rng.uniform(2, 5) * scale), int(rng.uniform(100, 255)), -1, cv2.LINE_AA
        )
    if rng.random() < 0.15:  # grey-scale bar
        x, height = int(rng.uniform(0.93, 0.98) * size), int(rng.uniform(0.2, 0.5) * size)
        ramp = np.linspace(255, 0, height).astype(np.uint8)
        canvas[10 : 10 + height, x : x + max(2, int(4 * scale))] = ramp[:, None]
    return canvas


def _text(
    canvas: NDArray[np.uint8], inside: NDArray[np.bool_], rng: np.random.Generator, scale: float
) -> None:
    size = len(canvas)
    for _ in range(rng.integers(1, 9)):
        x, y = int(rng.uniform(0, 0.85) * size), int(rng.uniform(0.03, 1) * size)
        if inside[min(y, size - 1), min(x, size - 1)] and rng.random() < 0.8:
            continue
        word = "".join(rng.choice(_LETTERS, rng.integers(2, 10)))
        height = float(rng.uniform(0.16, 0.36) * scale)
        cv2.putText(
            canvas, word, (x, y), cv2.FONT_HERSHEY_SIMPLEX, height, int(rng.uniform(90, 255)), 1, cv2.LINE_AA
        )


def _depth_ruler(canvas: NDArray[np.uint8], rng: np.random.Generator, scale: float) -> None:
    size = len(canvas)
    x = int((rng.uniform(0.0, 0.08) if rng.random() < 0.5 else rng.uniform(0.9, 0.99)) * size)
    step, grey, length = rng.uniform(5, 20) * scale, int(rng.uniform(90, 255)), int(rng.uniform(1, 5) * scale)
    for y in np.arange(rng.uniform(0, step), size, step).astype(int):
        canvas[y, x : x + length] = grey


def _ecg(canvas: NDArray[np.uint8], rng: np.random.Generator, scale: float) -> None:
    size = len(canvas)
    x = np.arange(size)
    period, phase = rng.uniform(25, 120) * scale, rng.uniform(0, 1)
    beat = np.mod(x / period + phase, 1)
    trace = np.exp(-(((beat - 0.3) / 0.015) ** 2)) - 0.25 * np.exp(-(((beat - 0.34) / 0.02) ** 2))
    trace = (
        trace + 0.2 * np.exp(-(((beat - 0.6) / 0.05) ** 2)) + 0.12 * np.exp(-(((beat - 0.15) / 0.03) ** 2))
    )
    y = size * rng.uniform(0.84, 0.98) - trace * rng.uniform(8, 24) * scale
    first, last = sorted(rng.integers(0, size, 2)) if rng.random() < 0.5 else (0, size)
    points = np.stack([x, y], -1)[first:last].astype(np.int32)
    if len(points) > 1:
        cv2.polylines(canvas, [points], False, int(rng.uniform(90, 240)), 1, cv2.LINE_AA)
