"""Whether the clip looks like a parasternal long axis at all, judged by what the tracks do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from echo_keypoints.biomarkers.judgement import Tracks
from echo_keypoints.biomarkers.kinetics import Curves
from echo_keypoints.biomarkers.motion import bend_deg


def judge_view(tracks: Tracks, curves: Curves, beats: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give the result's ``quality.view``: a verdict, and a score from 0 (another view) to 1 (surely PLAX)."""
    confidence = float(np.nan_to_num(np.nanmean(tracks.confidence)))
    bends = bend_deg(tracks.points)
    straight = 0.0 if np.isnan(bends).all() else float(np.clip(1 - np.nanmedian(bends) / 60, 0, 1))
    score = confidence * straight
    return {"verdict": "plax" if score >= 0.25 else "doubtful", "score": round(score, 3)}
