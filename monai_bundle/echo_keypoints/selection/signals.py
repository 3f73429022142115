"""What a clip shows, without any label, of how hard it is for the networks and of how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.results import plain
from echo_keypoints.tracking import Session, Tracking

_LOOKS = 6  # frames that say what a clip looks like


@dataclass(frozen=True, eq=False)
class ClipSignals:
    """Signals of one clip, one value a frame; higher is harder.

    Attributes:
        disagreement_px: ``(T,)`` mean distance in model px between detector and tracker.
        doubt: ``(T,)`` 1 - the smallest confidence of the four landmarks.
        implausibility: ``(T,)`` how unlike a heart the movement is: the largest jump of a landmark against the
            mean of its neighbours in time, in model px, plus 20 px where the landmarks are out of order.
        appearance: ``(D,)`` what the networks' maps look like (`Session.appearance`).
    """

    disagreement_px: NDArray[np.float64]
    doubt: NDArray[np.float64]
    implausibility: NDArray[np.float64]
    appearance: NDArray[np.float64]

    def of_clip(self, name: str) -> float:
        """Sum up a signal over the clip: the mean of its harder half, so that a calm diastole hides nothing."""
        values = np.sort(getattr(self, name))
        return float(values[len(values) // 2 :].mean())

    def to_document(self) -> dict[str, Any]:
        """Give plain JSON data."""
        return {name: plain(values) for name, values in asdict(self).items()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ClipSignals:
        """Read what `to_document` gave.

        Raises:
            KeyError: a signal is missing.
        """
        return cls(**{name: np.array(document[name], np.float64) for name in cls.__dataclass_fields__})


def clip_signals(session: Session, tracking: Tracking) -> ClipSignals:
    """Read the signals off a tracked clip.

    Args:
        session: of the clip.
        tracking: what it gave, without anchors.
    """
    points = tracking.letterbox.to_model(tracking.points_px)
    detections = tracking.letterbox.to_model(tracking.detections_px)
    frames = np.linspace(0, len(points) - 1, min(_LOOKS, len(points))).round().astype(int)
    return ClipSignals(
        disagreement_px=np.linalg.norm(points - detections, axis=-1).mean(axis=1),
        doubt=1 - tracking.confidence.min(axis=1),
        implausibility=_jumps(points) + 20.0 * _out_of_order(points),
        appearance=session.appearance([int(frame) for frame in frames]).mean(axis=0),
    )


def _jumps(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest distance ``(T,)`` of a landmark from the middle of its neighbours in time; 0 at both ends."""
    jumps = np.zeros(len(points))
    if len(points) > 2:
        middle = (points[2:] + points[:-2]) / 2
        jumps[1:-1] = np.linalg.norm(points[1:-1] - middle, axis=-1).max(axis=1)
    return jumps


def _out_of_order(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell the frames ``(T,)`` in which the landmarks do not follow each other along the measuring line."""
    line = points[:, 3] - points[:, 0]
    along = np.einsum("tkc,tc->tk", points, line)
    return np.asarray((np.diff(along, axis=1) <= 0).any(axis=1))
