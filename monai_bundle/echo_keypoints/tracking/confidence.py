"""How far a tracked point may be trusted.

The confidence of a point in a frame is the probability that it lies within `ConfidenceModel.tolerance_px` of
the truth: a logistic regression on what can be seen without the truth, fitted on phantoms, where the truth is
known (``training.calibration``). On real hearts it ranks points; its absolute level is only as good as the
phantoms are. A point that a person set has confidence 1.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.tracking.backends.base import Detections
from echo_keypoints.tracking.bilinear import read_patches
from echo_keypoints.tracking.placement import Placement

FEATURES = (
    "peak",
    "log_spread",
    "log_disagreement",
    "log_misplacement",
    "log_doubt",
    "similarity",
    "steadiness",
    "log_jerk",
)
"""In this order along the last axis of the features:

* peak: height of the heat-map in this frame, cut to 0..1.5.
* log_spread: ``log(1 + sigma)`` of the heat-map in model px.
* log_disagreement: ``log(1 + distance)`` in model px between the detection in this frame and the tracked
  point.
* log_misplacement: the same between the tracked point and where the beat as a whole shows it (`placement`).
* log_doubt: ``log(1 + standard deviation)`` in model px of where the beat shows it.
* similarity: correlation coefficient of the patch around the point with that around its reference.
* steadiness: the same with the frame before.
* log_jerk: ``log(1 + |p(t+1) - 2 p(t) + p(t-1)|)`` in model px.
"""

_PATCH = 15
_BLOCK = 128


@dataclass(frozen=True)
class ConfidenceModel:
    """Logistic regression: ``1 / (1 + exp(-(intercept + sum(weights * features))))``.

    Attributes:
        tolerance_px: distance from the truth, in model px, up to which a point counts as right.
        intercept: of the regression.
        weights: one for each of `FEATURES`.
        fitted_on: what it was fitted on, for the model card.
    """

    tolerance_px: float
    intercept: float
    weights: tuple[float, ...]
    fitted_on: str

    def __call__(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Features ``(..., 8)`` → probability ``(...)``."""
        logit = self.intercept + features @ np.asarray(self.weights)
        return 1 / (1 + np.exp(-np.clip(logit, -30, 30)))

    def to_json(self) -> str:
        """Text of the data file that `confidence_model` reads."""
        return json.dumps({**asdict(self), "features": FEATURES}, indent=2) + "\n"


MODEL_FILE = Path(__file__).with_name("confidence.json")
"""The shipped model."""


@cache
def confidence_model() -> ConfidenceModel:
    """Read the shipped model, `MODEL_FILE`."""
    data = json.loads(MODEL_FILE.read_text(encoding="utf-8"))
    if tuple(data.pop("features")) != FEATURES:
        raise ValueError("confidence.json was fitted for other features")
    return ConfidenceModel(**{**data, "weights": tuple(data["weights"])})


def confidence_features(
    frames: Callable[[int, int], NDArray[np.uint8]],
    track: Placement,
    references: NDArray[np.intp],
    detections: Detections,
) -> NDArray[np.float64]:
    """Describe how well each tracked point is supported.

    Args:
        frames: gives the model-space frames ``start .. stop - 1``.
        track: of T frames.
        references: ``(T, 4)`` the frame with which each point is compared.
        detections: in the same frames.

    Returns:
        ``(T, 4, 8)``, see `FEATURES`.
    """
    points = track.points
    length, landmarks = points.shape[:2]
    patches = np.empty((length, landmarks, _PATCH * _PATCH), np.float32)
    for start in range(0, length, _BLOCK):
        stop = min(start + _BLOCK, length)
        patches[start:stop] = _unit_patches(frames(start, stop), points[start:stop])
    before = np.maximum(np.arange(length) - 1, 0)
    before[0] = 1 if length > 1 else 0
    jerk = np.zeros((length, landmarks))
    jerk[1:-1] = np.linalg.norm(np.diff(points, n=2, axis=0), axis=-1)
    if length > 2:
        jerk[[0, -1]] = jerk[[1, -2]]
    return np.stack(
        (
            np.clip(detections.peak, 0, 1.5),
            np.log1p(detections.spread_px),
            np.log1p(np.linalg.norm(points - detections.points, axis=-1)),
            np.log1p(np.linalg.norm(points - track.seen, axis=-1)),
            np.log1p(track.doubt_px),
            (patches * patches[references, np.arange(landmarks)]).sum(-1),
            (patches * patches[before]).sum(-1),
            np.log1p(jerk),
        ),
        axis=-1,
    )


def _unit_patches(frames: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Bilinear patches ``(n, 4, 225)`` around points, with mean 0 and length 1; the border is repeated."""
    squares = read_patches(frames, np.arange(len(frames))[:, None], points, _PATCH)
    patches = squares.reshape(*points.shape[:2], -1)
    patches -= patches.mean(-1, keepdims=True)
    norm = np.linalg.norm(patches, axis=-1, keepdims=True)
    return (patches / np.maximum(norm, 1e-6)).astype(np.float32)
