"""Scores of labels: how far the model was off, how much each reader set, how well readers agree."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.anatomy import LANDMARK_NAMES, SEGMENT_NAMES
from echo_keypoints.results import AnalysisResult, from_document, landmark_origins, plain
from lib.labels import MODEL, ORIGINAL, LabelStore, Version


def score_labels(store: LabelStore, clip_ids: list[str]) -> dict[str, Any]:
    """Score every label of every clip.

    Args:
        store: of the labels.
        clip_ids: the clips.

    Returns:
        ``labels``: for each clip and annotator with a final label, the share of landmarks by origin, mean confidence,
        the model's distance from what the person set (px, and across and along the measuring line), whether the clip
        is measurable, and what is doubtful; ``readers``: the same summed up per annotator; ``agreement``: of each pair
        of readers, over the frames that both set in the same clips, distances of points and differences of lengths.
    """
    labels: list[dict[str, Any]] = []
    pairs: dict[tuple[str, str], list[tuple[AnalysisResult, AnalysisResult]]] = {}
    for clip_id in clip_ids:
        finals = store.newest_finals(clip_id)
        results = {name: from_document(store.load(clip_id, info.version)) for name, info in finals.items()}
        original = _original(store, clip_id)
        labels += [
            score_label(clip_id, finals[name], result, original) for name, result in sorted(results.items())
        ]
        for one, other in combinations(sorted(results), 2):
            pairs.setdefault((one, other), []).append((results[one], results[other]))
    readers = {
        name: _reader([label for label in labels if label["annotator"] == name])
        for name in sorted({label["annotator"] for label in labels})
    }
    agreement = [{"readers": list(names), **_agreement(results)} for names, results in sorted(pairs.items())]
    return dict(plain({"labels": labels, "readers": readers, "agreement": agreement}))


def score_label(
    clip_id: str, info: Version, result: AnalysisResult, original: AnalysisResult | None
) -> dict[str, Any]:
    """Score one label.

    Args:
        clip_id: the clip.
        info: of the label.
        result: the label.
        original: what the model found, if that is kept; else the label's own automatic track counts.
    """
    words = [word for frame in landmark_origins(result) for word in frame]
    automatic = original.points_px if original is not None else result.automatic_px
    frames, truth = _set_by_person(result)
    scored: dict[str, Any] = {"model_error_px": None, "model_across_px": None, "model_along_px": None}
    if automatic is not None and len(frames):
        error, across, along = _distances(automatic[frames], truth)
        scored = {"model_error_px": error, "model_across_px": across, "model_along_px": along}
    return {
        "clip": clip_id,
        "annotator": info.annotator,
        "version": info.version,
        "frames_set": len(frames),
        "share": {word: words.count(word) / len(words) for word in ("auto", "edited", "reader")},
        "mean_confidence": float(np.nanmean(result.confidence)),
        **scored,
        "quality": dict(result.quality).get("grade"),
        "doubts": _doubts(result),
    }


def _original(store: LabelStore, clip_id: str) -> AnalysisResult | None:
    """The newest result of the model that is kept, if any."""
    versions = [info for info in store.versions(clip_id) if (info.tag, info.annotator) == (ORIGINAL, MODEL)]
    return from_document(store.load(clip_id, versions[-1].version)) if versions else None


def _set_by_person(result: AnalysisResult) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Frames ``(N,)`` that a person set, and their points ``(N, 4, 2)``, NaN where not set."""
    frames = np.array([anchor.frame for anchor in result.anchors], np.intp)
    points = [anchor.points_px for anchor in result.anchors]
    return frames, np.stack(points) if points else np.zeros((0, 4, 2))


def _distances(points: NDArray[np.float64], truth: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean distance, and its mean parts along the length's direction and at right angles to it, in px.

    *Across* (the wall) is along the measuring line SEpP → PEpP, where an error changes the measurement; *along* (the
    wall) is at right angles to it.
    """
    line = points[:, 3] - points[:, 0]
    line = line / np.linalg.norm(line, axis=-1, keepdims=True)
    offset = points - truth
    across = np.einsum("nkc,nc->nk", offset, line)
    along = np.einsum("nkc,nc->nk", offset, np.stack((-line[:, 1], line[:, 0]), -1))
    distance = np.linalg.norm(offset, axis=-1)
    return float(np.nanmean(distance)), float(np.nanmean(abs(across))), float(np.nanmean(abs(along)))


def _doubts(result: AnalysisResult) -> list[str]:
    """Sentences on what a second look should check."""
    doubts = []
    frames, points = _set_by_person(result)
    if not len(frames):
        doubts.append("No frame was set by a person.")
    line = result.points_px[:, 3] - result.points_px[:, 0]
    order = np.diff(np.einsum("tkc,tc->tk", result.points_px, line), axis=1) <= 0
    if order.any():
        doubts.append(f"The landmarks are out of order on {int(order.any(axis=1).sum())} frames.")
    missing = np.isnan(points[:, :, 0]).sum(axis=0)
    for name, count in zip(LANDMARK_NAMES, missing, strict=True):
        if len(frames) and count == len(frames):
            doubts.append(f"{name} was never set by a person.")
    return doubts


def _reader(labels: list[dict[str, Any]]) -> dict[str, Any]:
    def mean(name: str) -> float | None:
        values = [label[name] for label in labels if label[name] is not None]
        return float(np.mean(values)) if values else None

    return {
        "clips": len(labels),
        "frames_set": sum(label["frames_set"] for label in labels),
        "reader_share": float(np.mean([label["share"]["reader"] for label in labels])),
        "model_error_px": mean("model_error_px"),
        "model_across_px": mean("model_across_px"),
        "model_along_px": mean("model_along_px"),
        "doubtful_clips": sum(bool(label["doubts"]) for label in labels),
    }


def _agreement(pairs: list[tuple[AnalysisResult, AnalysisResult]]) -> dict[str, Any]:
    """Compare two readers: the frames that both set by hand, and the lengths over all frames."""
    ours, theirs = [], []
    lengths: dict[str, list[NDArray[np.float64]]] = {name: [] for name in SEGMENT_NAMES}
    millimetres = all(result.clip.spacing_mm for pair in pairs for result in pair)
    for one, other in pairs:
        frames_one, points_one = _set_by_person(one)
        frames_other, points_other = _set_by_person(other)
        both, at_one, at_other = np.intersect1d(frames_one, frames_other, return_indices=True)
        if len(both):
            ours.append(points_one[at_one])
            theirs.append(points_other[at_other])
        for name in SEGMENT_NAMES:
            a, b = one.lengths[name], other.lengths[name]
            difference = a.mm - b.mm if millimetres and a.mm is not None and b.mm is not None else a.px - b.px
            lengths[name].append(difference)
    unit = "mm" if millimetres else "px"
    answer: dict[str, Any] = {"clips": len(pairs), "common_frames": sum(len(points) for points in ours)}
    if ours:
        error, across, along = _distances(np.concatenate(ours), np.concatenate(theirs))
        answer |= {"point_px": error, "across_px": across, "along_px": along}
    for name, differences in lengths.items():
        values = np.concatenate(differences)
        answer[name] = {
            "unit": unit,
            "bias": float(np.nanmean(values)),
            "mean_absolute": float(np.nanmean(abs(values))),
            "limits_of_agreement": float(1.96 * np.nanstd(values)),
        }
    return answer
