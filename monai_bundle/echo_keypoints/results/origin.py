"""Where each landmark of a result comes from: the model, a person, or a person's landmark on another frame."""

from __future__ import annotations

import numpy as np

from echo_keypoints.results.result import AnalysisResult

AUTO, EDITED, READER = "auto", "edited", "reader"

MOVED_PX = 0.05
"""A landmark that an anchor on another frame moved by less than this, in original pixels, counts as automatic."""


def landmark_origins(result: AnalysisResult) -> list[list[str]]:
    """Tell for every frame and landmark where it comes from.

    Returns:
        T lists of four words: ``"reader"`` where a person set the landmark on this frame (anchor or query),
        ``"edited"`` where it moved because of a landmark set on another frame, else ``"auto"``.
    """
    origins = np.full(result.points_px.shape[:2], AUTO, dtype=object)
    if result.automatic_px is not None:
        moved = np.linalg.norm(result.points_px - result.automatic_px, axis=-1)
        origins[moved > MOVED_PX] = EDITED
    if result.reference_mode == "query":
        origins[result.reference_frame] = READER
    for anchor in result.anchors:
        origins[anchor.frame, ~np.isnan(anchor.points_px[:, 0])] = READER
    return [[str(word) for word in frame] for frame in origins]
