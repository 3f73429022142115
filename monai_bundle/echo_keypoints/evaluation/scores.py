"""All scores of one run: which metrics a case allows, over which frames, under which names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.anatomy import LANDMARK_NAMES, SEGMENT_NAMES
from echo_keypoints.evaluation import metrics
from echo_keypoints.evaluation.cases import Case
from echo_keypoints.tracking.letterbox import MODEL_SIZE

Scores = dict[str, float]

SDR_MM = (1, 2, 3, 4)


def score(case: Case, points: NDArray[np.float64], query_frame: int, *, given: bool) -> Scores:
    """Score the tracks of one clip.

    Args:
        case: the clip and its truth.
        points: ``(T, 4, 2)`` in model pixels.
        query_frame: the frame that the tracker started from.
        given: whether it started from the true points. That frame is then no achievement and scores nowhere;
            else it counts, except for δ_avg, which never counts it.

    Returns:
        Metric → value, pixels at 224 unless the name says ``mm`` or ``percent``. A metric that the case does
        not define is absent: displacement and temporal ones without truth on every frame, mm without a scale.
    """
    return score_frames(case, points[case.frames], case.model_truth, query_frame, given=given)


def score_frames(
    case: Case,
    predicted: NDArray[np.float64],
    true: NDArray[np.float64],
    query_frame: int,
    *,
    given: bool,
) -> Scores:
    """As `score`, for landmarks ``(F, 4, 2)`` on the frames with truth only, against any such truth."""
    query = case.position(query_frame)
    counted = np.ones(len(true), bool)
    if given and query is not None:
        counted[query] = False
    across, along = metrics.wall_percent(predicted, true, counted)
    size = (MODEL_SIZE, MODEL_SIZE)
    scores = {
        "delta_avg_percent": 100 * metrics.delta_avg(predicted, true, size, query, counted),
        "mpe_px": metrics.mpe(predicted, true, counted),
        "median_px": metrics.median_point_error(predicted, true, counted),
        "failure_percent": 100 * metrics.failure_rate(predicted, true, counted),
        "across_percent": across,
        "along_percent": along,
        "lvid_percent": metrics.lvid_percent(predicted, true, counted),
        **_lengths("mae", metrics.length_mae(predicted, true, counted)),
    }
    key_frames = [
        i for f in (case.end_diastole, case.end_systole) if (i := case.position(f)) is not None and counted[i]
    ]
    if key_frames:
        scores |= _lengths("mae_edes", metrics.length_mae(predicted, true, key_frames))
    if case.consecutive and len(true) > 1:
        scores |= _lengths("sigma", metrics.sigma_temporal(predicted, true))
        each = metrics.ave(predicted, true)
        scores |= {f"ave_{name}_px": float(v) for name, v in zip(LANDMARK_NAMES, each, strict=True)}
        scores["ave_px"] = float(each.mean())
        if query is not None:
            scores["survival_percent"] = 100 * metrics.survival(predicted, true, size, query)
    return scores | _in_mm(scores, case.mm_per_px) | _detected(predicted, true, counted, case.mm_per_px)


def _lengths(metric: str, values: NDArray[np.float64]) -> Scores:
    named = {f"{metric}_{name}_px": float(v) for name, v in zip(SEGMENT_NAMES, values, strict=True)}
    return {**named, f"{metric}_sum_px": float(values.sum())}


def _detected(
    predicted: NDArray[np.float64],
    true: NDArray[np.float64],
    counted: NDArray[np.bool_],
    mm_per_px: float | None,
) -> Scores:
    if mm_per_px is None:
        return {}
    return {
        f"sdr_{mm}mm_percent": 100 * metrics.detection_rate(predicted, true, mm / mm_per_px, counted)
        for mm in SDR_MM
    }


def _in_mm(scores: Scores, mm_per_px: float | None) -> Scores:
    """Model pixels are square, so every distance goes to millimetres by one factor."""
    if mm_per_px is None:
        return {}
    return {f"{name[:-3]}_mm": value * mm_per_px for name, value in scores.items() if name.endswith("_px")}
