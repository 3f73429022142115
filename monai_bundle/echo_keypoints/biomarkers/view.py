"""Whether the clip looks like a parasternal long axis at all.

Four pieces of evidence, each from 0 (speaks against) to 1 (as in a parasternal long axis), are weighed by a logistic
regression whose weights cannot be negative: better evidence never lowers the score. It is fitted on phantoms of this
and of other views, and on real clips (``training.view_calibration``).
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

from echo_keypoints.biomarkers.kinetics import Curves

EVIDENCE = ("layers", "base", "certainty", "motion")
"""What is weighed, in this order; the first three are `tracking.surroundings`:

* layers: each segment of the calliper lies on its tissue: 0 from 20 %, 1 from 70 % of the worst one.
* base: left atrium and aorta lie beside the calliper where they belong.
* certainty: of the tissues' labels: 0 from 50 %, 1 from 85 %.
* motion: 1 where the cavity changes by 10 to 60 % of its largest; 0 for a still or a collapsing one.
"""

MODEL_FILE = Path(__file__).with_name("view.json")
"""The shipped model."""

_RANGES = {"layers": (0.2, 0.7), "base": (0.0, 1.0), "certainty": (0.5, 0.85)}


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
        """Evidence ``(..., 4)`` → score ``(...)``."""
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


def judge_view(curves: Curves, surroundings: Mapping[str, float]) -> dict[str, Any]:
    """Give the result's ``quality.view``.

    Args:
        curves: of the clip.
        surroundings: which tissues are seen around the points (`tracking.surroundings`); empty where unknown.

    Returns:
        ``verdict`` (``plax`` or ``doubtful``), ``score`` from 0 to 1, and the ``evidence`` by name.
    """
    evidence = view_evidence(curves, surroundings)
    score = float(view_model()(evidence))
    return {
        "verdict": "plax" if score >= 0.5 else "doubtful",
        "score": round(score, 3),
        "evidence": {name: round(float(value), 3) for name, value in zip(EVIDENCE, evidence, strict=True)},
    }


def view_evidence(curves: Curves, surroundings: Mapping[str, float]) -> NDArray[np.float64]:
    """Give ``(4,)`` the evidence, see `EVIDENCE`; all 0 where nothing was tracked."""
    cavity = curves.lengths["LVID"].values
    if not np.isfinite(cavity).any():
        return np.zeros(len(EVIDENCE))
    largest, smallest = np.nanpercentile(cavity, [95, 5])
    shrinks = float(1 - smallest / max(largest, 1e-9))
    seen = [
        (surroundings[name] - low) / (high - low) if name in surroundings else 1.0  # nothing against it
        for name, (low, high) in _RANGES.items()
    ]
    raw = [*seen, min(shrinks / 0.10, (0.85 - shrinks) / 0.25)]
    return np.clip(np.nan_to_num(np.array(raw, np.float64)), 0, 1)
