"""Fitting the confidence of tracked points on clips whose truth is known.

``python -m echo_keypoints.training.calibration`` fits it to the shipped weights and writes it where inference
reads it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from echo_keypoints.clip import Clip, ClipHeader
from echo_keypoints.data.phantoms import VALIDATION_SEED
from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.tracking import open_session
from echo_keypoints.tracking.backends import Backend, load_backend
from echo_keypoints.tracking.confidence import FEATURES, MODEL_FILE, ConfidenceModel, confidence_features
from echo_keypoints.tracking.placement import Placement

TOLERANCE_PX = 8.0
"""A point is right up to this distance from the truth in model px: about twice what two careful readers differ."""

LOST_SHARE = 0.1
"""Share of points that are moved away on purpose: trackers rarely lose a point on phantoms, and a model that never saw
it happen would not notice."""

_STEPS = 50


def fit_confidence(
    features: NDArray[np.float64],
    errors: NDArray[np.float64],
    fitted_on: str,
    tolerance_px: float = TOLERANCE_PX,
    ridge: float = 1.0,
) -> ConfidenceModel:
    """Fit the logistic regression by Newton's method (iteratively re-weighted least squares).

    Write ``fit_confidence(...).to_json()`` to ``tracking/confidence.json`` to ship it.

    Args:
        features: ``(..., 8)`` of many points (`Tracking.features`).
        errors: ``(...)`` distance of each point from the truth, in model px.
        fitted_on: what the clips were, for the model card.
        tolerance_px: error up to which a point counts as right.
        ridge: weight of the penalty on standardised weights; keeps them finite if the classes separate.

    Raises:
        ValueError: the sizes differ, or all points are right or all wrong.
    """
    x = np.asarray(features, np.float64).reshape(-1, len(FEATURES))
    right = (np.asarray(errors).reshape(-1) <= tolerance_px).astype(np.float64)
    if len(x) != len(right):
        raise ValueError(f"{len(x)} rows of features for {len(right)} errors")
    if right.min() == right.max():
        raise ValueError("the points must be right in some places and wrong in others")
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
    design = np.column_stack((np.ones(len(x)), (x - mean) / scale))
    penalty = ridge * np.diag([0.0, *np.ones(len(FEATURES))])
    beta = np.zeros(len(FEATURES) + 1)
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (right - p) - penalty @ beta
        curvature = (design * np.maximum(p * (1 - p), 1e-6)[:, None]).T @ design + penalty
        step = np.linalg.solve(curvature, gradient)
        beta += step
        if np.abs(step).max() < 1e-8:
            break
    weights = beta[1:] / scale
    return ConfidenceModel(
        tolerance_px=tolerance_px,
        intercept=round(float(beta[0] - weights @ mean), 4),
        weights=tuple(round(float(weight), 4) for weight in weights),
        fitted_on=fitted_on,
    )


def ranking_quality(
    confidence: NDArray[np.float64], errors: NDArray[np.float64], tolerance_px: float
) -> float:
    """Probability that a right point has more confidence than a wrong one (area under the ROC curve).

    Args:
        confidence: ``(...)``.
        errors: ``(...)`` distance from the truth.
        tolerance_px: error up to which a point counts as right.

    Returns:
        0.5 for chance, 1 for a perfect order; NaN if all points are right or all wrong.
    """
    values, ties = np.unique(np.asarray(confidence).reshape(-1), return_inverse=True)
    right = np.asarray(errors).reshape(-1) <= tolerance_px
    good = np.bincount(ties[right], minlength=len(values)).astype(np.float64)
    bad = np.bincount(ties[~right], minlength=len(values)).astype(np.float64)
    pairs = good.sum() * bad.sum()
    below = np.cumsum(bad) - bad
    return float((good * (below + bad / 2)).sum() / pairs) if pairs else float("nan")


def phantom_tracks(backend: Backend, clips: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Track validation phantoms end to end.

    Args:
        backend: the networks.
        clips: how many phantoms.

    Returns:
        Features ``(N, 8)`` and distances from the truth ``(N,)`` in model px, of every point of every frame as
        tracked, and of some that were moved by up to 30 px.
    """
    features, errors = [], []
    for seed in tqdm(range(VALIDATION_SEED, VALIDATION_SEED + clips), desc="phantoms", unit="clip"):
        made = simulate_clip(seed, frame_count=32)
        count, height, width = made.video.shape
        times_s = made.times_s.astype(np.float64)
        header = ClipHeader("phantom", count, height, width, times_s, "simulation")
        with open_session(Clip(header, made.video), backend) as session:
            tracking, seen = session.track(), session.detections
            truth, found, placed = (
                tracking.letterbox.to_model(p)
                for p in (made.points, tracking.points_px, tracking.placements_px)
            )
            rng = np.random.default_rng(seed)
            lost = rng.random(found.shape[:2]) < LOST_SHARE
            moved = np.where(lost[..., None], found + rng.uniform(-30, 30, found.shape), found)
            compared = np.full(lost.shape, tracking.reference_frame)
            doubt_px = np.expm1(tracking.features[..., FEATURES.index("log_doubt")])
            track = Placement(moved, placed, doubt_px)
            of_moved = confidence_features(session.spool.read, track, compared, seen)
        features += [tracking.features.reshape(-1, len(FEATURES)), of_moved[lost]]
        errors += [_distance(found, truth).reshape(-1), _distance(moved, truth)[lost]]
    return np.concatenate(features), np.concatenate(errors)


def _distance(points: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.norm(points - truth, axis=-1)


def main(arguments: list[str] | None = None) -> None:
    """Fit on half of the phantoms, report on the other half, write the model."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--phantoms", type=int, default=120, metavar="N")
    parser.add_argument(
        "--models", type=Path, metavar="DIR", help="folder of the weights (default: the shipped)"
    )
    options = parser.parse_args(arguments)
    features, errors = phantom_tracks(load_backend("onnx", models_dir=options.models), options.phantoms)
    half = len(errors) // 2
    model = fit_confidence(features[:half], errors[:half], f"{options.phantoms // 2} phantoms, end to end")
    confidence = model(features[half:])
    right = errors[half:] <= model.tolerance_px
    print(f"held-out phantoms: AUC {ranking_quality(confidence, errors[half:], model.tolerance_px):.3f}")
    for low in np.arange(0, 1, 0.2):
        chosen = (confidence >= low) & (confidence < low + 0.2)
        if chosen.any():
            print(
                f"confidence {low:.1f} to {low + 0.2:.1f}: {right[chosen].mean():.2f} right of {chosen.sum()} points"
            )
    MODEL_FILE.write_text(model.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
