"""Whether the clip looks like a parasternal long axis at all.

Seven pieces of evidence, each from 0 (speaks against) to 1 (as in a parasternal long axis), are weighed by a logistic
regression whose weights cannot be negative: better evidence never lowers the score. It is fitted on phantoms and on
clips of all views (``training.view_calibration``). A mid-ventricular short axis shows the same walls moving the
same way, so doubt there rests on the valves, which only the long axis has beside the calliper.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.biomarkers.judgement import Tracks
from echo_keypoints.biomarkers.kinetics import Curves
from echo_keypoints.biomarkers.motion import bend_deg
from echo_keypoints.biomarkers.rhythm import correlation

EVIDENCE = ("confidence", "straightness", "opposition", "motion", "walls", "contrast", "valves")
"""What is weighed, in this order:

* confidence: of the points, mean over frames and landmarks.
* straightness: 1 for a straight calliper, 0 from a median bend of 45°.
* opposition: walls thicken while the cavity shrinks: mean of both correlations with the cavity, negated, -1 → 0.
* motion: 1 where the cavity changes by 10 to 60 % of its largest; 0 for a still or a collapsing one.
* walls: 1 where the thinner wall is at least a fifth of the cavity.
* contrast: walls brighter than the cavity; 1 from a contrast of 0.6.
* valves: the picture changes more to the right of the calliper, where the base is, than to the left: 1 from a
  quarter more, 0 from 40 % less.
"""

MODEL_FILE = Path(__file__).with_name("view.json")
"""The shipped model."""

_LEAST_FRAMES = 6  # for correlations
_NEUTRAL = 0.5


@dataclass(frozen=True)
class ViewModel:
    """Logistic regression: ``1 / (1 + exp(-(intercept + sum(weights * evidence))))``; from 0.5 it is called PLAX.

    Attributes:
        intercept: of the regression.
        weights: one for each of `EVIDENCE`, none negative.
        fitted_on: what it was fitted on, and how well it did on what it had not seen.
    """

    intercept: float
    weights: tuple[float, ...]
    fitted_on: str

    def __call__(self, evidence: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evidence ``(..., 7)`` → score ``(...)``."""
        logit = self.intercept + evidence @ np.asarray(self.weights)
        return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))))

    def to_json(self) -> str:
        """Text of the data file that `view_model` reads."""
        return json.dumps({**asdict(self), "evidence": EVIDENCE}, indent=2) + "\n"


@cache
def view_model() -> ViewModel:
    """Read the shipped model, `MODEL_FILE`."""
    data = json.loads(MODEL_FILE.read_text(encoding="utf-8"))
    if tuple(data.pop("evidence")) != EVIDENCE:
        raise ValueError("view.json was fitted for other evidence")
    return ViewModel(**{**data, "weights": tuple(data["weights"])})


def judge_view(tracks: Tracks, curves: Curves, surroundings: Mapping[str, float]) -> dict[str, Any]:
    """Give the result's ``quality.view``.

    Args:
        tracks: of the clip.
        curves: of the clip.
        surroundings: what the picture looks like (`tracking.surroundings`); empty where that is not known.

    Returns:
        ``verdict`` (``plax`` or ``doubtful``), ``score`` from 0 to 1, and the ``evidence`` by name.
    """
    evidence = view_evidence(tracks, curves, surroundings)
    score = float(view_model()(evidence))
    return {
        "verdict": "plax" if score >= 0.5 else "doubtful",
        "score": round(score, 3),
        "evidence": {name: round(float(value), 3) for name, value in zip(EVIDENCE, evidence, strict=True)},
    }


def view_evidence(tracks: Tracks, curves: Curves, surroundings: Mapping[str, float]) -> NDArray[np.float64]:
    """Give ``(7,)`` the evidence, see `EVIDENCE`; all 0 where nothing was tracked."""
    lengths = [curves.lengths[name].values for name in ("IVS", "LVID", "LVPW")]
    known = np.isfinite(lengths).all(axis=0)
    if not known.any():
        return np.zeros(len(EVIDENCE))
    septum, cavity, posterior = (values[known] for values in lengths)
    largest, smallest = np.percentile(cavity, [95, 5])
    shrinks = float(1 - smallest / max(largest, 1e-9))
    thinner = min(np.median(septum), np.median(posterior)) / max(float(np.median(cavity)), 1e-9)
    opposed = _NEUTRAL
    if len(cavity) >= _LEAST_FRAMES:
        opposed = (2 - correlation(septum, cavity) - correlation(posterior, cavity)) / 4
    raw = (
        float(np.nan_to_num(np.nanmean(tracks.confidence))) if np.isfinite(tracks.confidence).any() else 0.0,
        1 - float(np.nanmedian(bend_deg(tracks.points[known]))) / 45,
        opposed,
        min(shrinks / 0.10, (0.85 - shrinks) / 0.25),
        float(thinner) / 0.2,
        surroundings.get("contrast", 0.6 * _NEUTRAL) / 0.6,
        (surroundings.get("valves", -0.15) + 0.5) / 0.7,
    )
    return np.clip(np.nan_to_num(np.array(raw, np.float64)), 0, 1)
