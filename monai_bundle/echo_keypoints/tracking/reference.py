"""Which frame the others are compared with (paper, section 3.2 and Table 5)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.errors import QueryError
from echo_keypoints.tracking.initial import outliers


def _most_confident(points: NDArray[np.float64], peak: NDArray[np.float64], seed: int) -> int:
    return int(peak.sum(axis=1).argmax())


def _consistent(points: NDArray[np.float64], peak: NDArray[np.float64], seed: int) -> int:
    """The most confident of the frames in which no landmark is an outlier."""
    total = peak.sum(axis=1)
    calm = ~outliers(points, peak).any(axis=1)
    return int(np.where(calm, total, -np.inf).argmax() if calm.any() else total.argmax())


def _first(points: NDArray[np.float64], peak: NDArray[np.float64], seed: int) -> int:
    return 0


def _random(points: NDArray[np.float64], peak: NDArray[np.float64], seed: int) -> int:
    return int(np.random.default_rng(seed).integers(len(points)))


REFERENCE_MODES: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64], int], int]] = {
    "confidence": _most_confident,
    "consistent": _consistent,
    "first": _first,
    "random": _random,
}
"""Name → rule: points ``(T, 4, 2)``, peak ``(T, 4)`` and a seed → frame. ``confidence`` is the paper's: the
largest sum of the four peaks."""


def choose_reference(
    reference: str | int, points: NDArray[np.float64], peak: NDArray[np.float64], seed: int = 0
) -> int:
    """Choose the reference frame.

    Args:
        reference: a name of `REFERENCE_MODES`, or the index of a frame.
        points: ``(T, 4, 2)`` raw detections.
        peak: ``(T, 4)``.
        seed: of ``random``.

    Raises:
        QueryError: no such rule or frame.
    """
    if isinstance(reference, str):
        if reference not in REFERENCE_MODES:
            raise QueryError(
                f"The reference frame is one of {', '.join(REFERENCE_MODES)} or a frame's number."
            )
        return REFERENCE_MODES[reference](points, peak, seed)
    if not 0 <= reference < len(points):
        raise QueryError(
            f"The reference frame {reference} is outside the clip's frames 0 to {len(points) - 1}."
        )
    return int(reference)
