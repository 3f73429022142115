"""`Tracking`: what tracking a clip gives, and `Retrackable`: what can be asked to do it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from echo_keypoints.clip import ClipHeader
from echo_keypoints.tracking.anchors import Anchor
from echo_keypoints.tracking.letterbox import LetterBox
from echo_keypoints.tracking.refinement import ITERATIONS


@dataclass(frozen=True, eq=False)
class Tracking:
    """Tracks of one clip.

    Attributes:
        points_px: ``(T, 4, 2)`` float64 (x, y), original pixels.
        confidence: ``(T, 4)`` float64 in 0..1 (see `tracking.confidence`); 1 where a person set the point.
        reference_frame: the frame that the others are compared with.
        reference_mode: ``confidence``, ``consistent``, ``first``, ``random``, ``frame`` or ``query``.
        iterations: refinements done.
        anchors: the frames that a person set, by frame, in original pixels.
        automatic_px: ``(T, 4, 2)`` the track without anchors: what `points_px` was before they were set.
        detections_px: ``(T, 4, 2)`` the detector's points of each frame on its own.
        placements_px: ``(T, 4, 2)`` where PlaceNet sees the landmarks (`placement`); without it, the same.
        features: ``(T, 4, 8)`` what the confidence was computed from (`confidence.FEATURES`).
        surroundings: which tissues are seen around the points (`tracking.surroundings`).
        letterbox: original pixels ↔ model space.
        backend: name of the inference engine.
        models: file name of every model used → its sha256.
    """

    points_px: NDArray[np.float64]
    confidence: NDArray[np.float64]
    reference_frame: int
    reference_mode: str
    iterations: int
    anchors: tuple[Anchor, ...]
    automatic_px: NDArray[np.float64]
    detections_px: NDArray[np.float64]
    placements_px: NDArray[np.float64]
    features: NDArray[np.float64]
    surroundings: dict[str, float]
    letterbox: LetterBox
    backend: str
    models: dict[str, str]


class Tracks(Protocol):
    """The part of `Tracking` that an editor needs."""

    @property
    def points_px(self) -> NDArray[np.float64]: ...  # noqa: D102

    @property
    def confidence(self) -> NDArray[np.float64]: ...  # noqa: D102

    @property
    def anchors(self) -> tuple[Anchor, ...]: ...  # noqa: D102


class Weights(Protocol):
    """The part of a back end that an editor needs."""

    @property
    def models(self) -> Mapping[str, str]: ...  # noqa: D102


class Retrackable(Protocol):
    """A clip that is ready to be tracked again: a `Session`, or one that a server holds."""

    @property
    def header(self) -> ClipHeader: ...  # noqa: D102

    @property
    def backend(self) -> Weights: ...  # noqa: D102

    def track(
        self,
        anchors: Sequence[Anchor] = (),
        *,
        query: tuple[int, ArrayLike] | None = None,
        reference: str | int = "confidence",
        iterations: int = ITERATIONS,
    ) -> Tracks:
        """Track the landmarks through the anchors; see `Session.track`."""
        ...
