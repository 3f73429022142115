"""What an annotator does, for tests: set landmarks on a frame."""

from __future__ import annotations

import numpy as np

from echo_keypoints.editing import set_landmarks
from echo_keypoints.label_client import LabelClient
from echo_keypoints.results import AnalysisResult


def corrected(
    client: LabelClient, clip_id: str, result: AnalysisResult, frame: int, shift_px: float = 0.0
) -> AnalysisResult:
    """The result after a person set the four landmarks of a frame, tracked again by the server."""
    points = np.round(result.points_px[frame] + shift_px, 2)
    session = client.session(clip_id, result)
    return set_landmarks(result, session, frame, points, who=client.annotator, reason="test")
