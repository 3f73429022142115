"""The metrics: pure functions of predicted and true tracks.

Tracks are ``(T, 4, 2)`` ``(x, y)`` in the order of `anatomy.LANDMARKS`, in any pixels; multiply both by the
spacing first and every length or distance comes out in millimetres. T counts the frames with truth: all of
them for a phantom, the annotated ones for a real clip. A result that the input does not define (no frame to
score, one frame only) is NaN.

Sources: δ_avg is TAP-Vid's (Doersch et al., NeurIPS 2022, ``compute_tapvid_metrics``). MAE, σ_temporal and
AVE are those of Oh et al.; AVE is read as the error of the frame-to-frame displacement, the only reading that
their Table 1 admits (as a position error it would contradict their length errors).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from echo_keypoints.anatomy import SEGMENTS
from echo_keypoints.biomarkers.lengths import measure_lengths

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

DELTA_SIZE = 256
DELTA_THRESHOLDS = (1, 2, 4, 8, 16)
FAILURE_PX = 40.0
SURVIVAL_PX = 16.0
"""At 256 × 256, the limit of PIPs++; EchoTracker takes 50."""


def _pair(prediction: ArrayLike, truth: ArrayLike) -> tuple[Floats, Floats]:
    predicted, true = np.asarray(prediction, np.float64), np.asarray(truth, np.float64)
    if predicted.shape != true.shape or true.ndim != 3 or true.shape[1:] != (4, 2):
        raise ValueError(f"tracks must both have the shape (T, 4, 2), not {predicted.shape} and {true.shape}")
    return predicted, true


def _mean(values: Floats) -> float:
    # Not a nanmean: a prediction that is not a number must not improve a score by being left out.
    return float(values.mean()) if values.size else float("nan")


def point_errors(prediction: ArrayLike, truth: ArrayLike) -> Floats:
    """Euclidean distance of every point on every frame, ``(T, 4)``."""
    predicted, true = _pair(prediction, truth)
    return np.linalg.norm(predicted - true, axis=-1)


def mpe(prediction: ArrayLike, truth: ArrayLike, frames: Mask | None = None) -> float:
    """Mean point error over the frames of the mask ``(T,)`` (default: all)."""
    return _mean(_select(point_errors(prediction, truth), frames))


def median_point_error(prediction: ArrayLike, truth: ArrayLike, frames: Mask | None = None) -> float:
    """Median point error over the frames of the mask ``(T,)`` (default: all)."""
    errors = _select(point_errors(prediction, truth), frames)
    return float(np.median(errors)) if errors.size else float("nan")


def failure_rate(
    prediction: ArrayLike, truth: ArrayLike, frames: Mask | None = None, limit: float = FAILURE_PX
) -> float:
    """Share (0..1) of the points that are farther than ``limit`` from the truth, or not a number."""
    errors = _select(point_errors(prediction, truth), frames)
    return _mean((~(errors <= limit)).astype(np.float64))


def detection_rate(
    prediction: ArrayLike, truth: ArrayLike, limit: float, frames: Mask | None = None
) -> float:
    """Successful detection rate (SDR), 0..1: the share of the points at most ``limit`` from the truth.

    Tracks in mm give the SDR in mm, as SemiEchoTracker reports it at 1, 2, 3 and 4 mm.
    """
    errors = _select(point_errors(prediction, truth), frames)
    return _mean((errors <= limit).astype(np.float64))


def survival(
    prediction: ArrayLike,
    truth: ArrayLike,
    size: tuple[int, int],
    query_frame: int,
    limit: float = SURVIVAL_PX,
) -> float:
    """Share (0..1) of frames that points live through: a point dies where it first errs by more than ``limit`` px.

    PIPs++ (Zheng et al., ICCV 2023): the mean of the cumulative product of ``error <= limit`` at 256 × 256. Their
    query is in the first frame; here points go both ways from it, and it does not count itself.

    Args:
        prediction: ``(T, 4, 2)``, consecutive frames.
        truth: ``(T, 4, 2)``.
        size: ``(W, H)`` of the frame that the points are given in.
        query_frame: where the points are born.
        limit: px at 256.
    """
    scale = DELTA_SIZE / np.asarray(size, np.float64)
    predicted, true = _pair(prediction, truth)
    right = np.linalg.norm((predicted - true) * scale, axis=-1) <= limit  # (T, 4)
    ways = (right[query_frame + 1 :], right[:query_frame][::-1])
    return _mean(np.concatenate([np.logical_and.accumulate(way) for way in ways]).astype(np.float64))


def delta_avg(
    prediction: ArrayLike,
    truth: ArrayLike,
    size: tuple[int, int],
    query_frame: int | None = None,
    frames: Mask | None = None,
) -> float:
    """TAP-Vid's <δ_avg>, 0..1: the mean over x in {1, 2, 4, 8, 16} of the share of points closer than x px.

    Points are scaled to a 256 × 256 frame first, ``p · 256 / (W, H)``, and the comparison is strict. Every
    frame but the query frame counts ("strided" queries): the reference is mid-cycle, and with "first" the
    frames before it would drop out.

    Args:
        prediction: ``(T, 4, 2)``.
        truth: ``(T, 4, 2)``.
        size: ``(W, H)`` of the frame that the points are given in.
        query_frame: index of the query frame, left out; None if the query is not among the frames.
        frames: mask ``(T,)`` of frames that count at all (default: all).
    """
    predicted, true = _pair(prediction, truth)
    counted = np.ones(len(true), bool) if frames is None else np.array(frames, bool)
    if query_frame is not None:
        counted[query_frame] = False
    offsets = (predicted - true)[counted] * (DELTA_SIZE / np.asarray(size, np.float64))
    squared = (offsets**2).sum(-1)
    return _mean(np.array([_mean((squared < x**2).astype(np.float64)) for x in DELTA_THRESHOLDS]))


def ave(prediction: ArrayLike, truth: ArrayLike) -> Floats:
    """Error of the frame-to-frame displacement of each point, ``(4,)``.

    ``AVE_k = mean_{t>=1} || (p_t - p_{t-1}) - (g_t - g_{t-1}) ||``. Blind to a constant offset; high for
    jitter. The frames must be consecutive ones.
    """
    predicted, true = _pair(prediction, truth)
    steps = np.linalg.norm(np.diff(predicted - true, axis=0), axis=-1)
    return steps.mean(0) if len(steps) else np.full(4, np.nan)


def length_errors(prediction: ArrayLike, truth: ArrayLike) -> Floats:
    """Signed error of IVS, LVID and LVPW on every frame, ``(T, 3)`` in the order of `anatomy.SEGMENTS`."""
    predicted, true = _pair(prediction, truth)
    return _lengths(predicted) - _lengths(true)


def length_mae(prediction: ArrayLike, truth: ArrayLike, frames: Mask | Sequence[int] | None = None) -> Floats:
    """Mean absolute error of IVS, LVID and LVPW, ``(3,)``, over a mask or list of frames (default: all)."""
    errors = _select(np.abs(length_errors(prediction, truth)), frames)
    return errors.mean(0) if len(errors) else np.full(3, np.nan)


def sigma_temporal(prediction: ArrayLike, truth: ArrayLike) -> Floats:
    """Standard deviation over time of the signed length errors, ``(3,)``: drift and jitter, not bias."""
    return length_errors(prediction, truth).std(0)


def lvid_percent(prediction: ArrayLike, truth: ArrayLike, frames: Mask | None = None) -> float:
    """Mean absolute error of LVID in % of the true LVID of the same frame."""
    _, true = _pair(prediction, truth)
    relative = np.abs(length_errors(prediction, truth)[:, 1]) / _lvid(true)
    return 100 * _mean(_select(relative, frames))


def wall_components(prediction: ArrayLike, truth: ArrayLike) -> tuple[Floats, Floats]:
    """Split every error into its part across and along the wall, two signed ``(T, 4)``.

    Across is along the measuring line, true SEpP → PEpP of the same frame, where it changes the lengths.
    Along is at right angles to it (positive towards +90° in image axes), where readers are free to choose.
    """
    predicted, true = _pair(prediction, truth)
    line = true[:, 3] - true[:, 0]
    unit = line / np.linalg.norm(line, axis=-1, keepdims=True)  # (T, 2)
    normal = np.stack([-unit[:, 1], unit[:, 0]], axis=-1)
    offsets = predicted - true
    return np.einsum("tkc,tc->tk", offsets, unit), np.einsum("tkc,tc->tk", offsets, normal)


def wall_percent(prediction: ArrayLike, truth: ArrayLike, frames: Mask | None = None) -> tuple[float, float]:
    """Mean absolute error across and along the wall, each in % of the true LVID of the same frame."""
    _, true = _pair(prediction, truth)
    lvid = _lvid(true)[:, None]
    across, along = (
        100 * _mean(_select(np.abs(part) / lvid, frames)) for part in wall_components(prediction, truth)
    )
    return across, along


def _lengths(points: Floats) -> Floats:
    return np.stack([length.px for length in measure_lengths(points).values()], axis=-1)


def _lvid(points: Floats) -> Floats:
    start, end = SEGMENTS[1].start, SEGMENTS[1].end
    return np.linalg.norm(points[:, end] - points[:, start], axis=-1)


def _select(values: Floats, frames: Mask | Sequence[int] | None) -> Floats:
    return values if frames is None else values[np.asarray(frames)]
