"""Results of hearts whose curves are known: a calliper that beats as told."""

from __future__ import annotations

from typing import Any

import numpy as np

from echo_keypoints.results import AnalysisResult
from example_results import make_header, make_result


def contraction(phase: np.ndarray, systole: float = 0.38, atrial: float = 0.25) -> np.ndarray:
    """0 at end-diastole (phase 0), 1 at end-systole, with early filling, diastasis and atrial contraction."""
    phase = np.mod(phase, 1.0)
    step = lambda x: np.clip(x, 0, 1) ** 2 * (3 - 2 * np.clip(x, 0, 1))  # noqa: E731
    diastole = (phase - systole) / (1 - systole)
    relaxed = 1 - (1 - atrial) * step(diastole / 0.35) - atrial * step((diastole - 0.75) / 0.25)
    return np.where(phase < systole, step(phase / systole), relaxed)


def lengths_at(
    phase: np.ndarray,
    systole: float = 0.38,
    d: tuple[float, float, float] = (10, 50, 10),
    s: tuple[float, float, float] = (14, 32, 15),
    atrial: float = 0.25,
) -> np.ndarray:
    """``(T, 3)`` IVS, LVID, LVPW in mm between their values at end-diastole and end-systole."""
    c = contraction(phase, systole, atrial)[:, None]
    return np.asarray(d) + c * (np.asarray(s, float) - np.asarray(d))


def result_of_lengths(
    times_s: np.ndarray, lengths_mm: np.ndarray, mm_per_px: float | None = 0.4, **changes: Any
) -> AnalysisResult:
    """A straight calliper of these lengths, ``(T, 3)`` mm, slightly oblique, in a clip of these times."""
    scale = mm_per_px or 0.4
    depths = (
        np.cumsum(np.column_stack([np.full(len(times_s), 40.0), lengths_mm]), axis=1) / scale
    )  # (T, 4) px
    depths -= (depths[:, 1:2] + depths[:, 2:3]) / 2 - 200  # the cavity's middle stays
    along = np.array([np.sin(0.1), np.cos(0.1)])
    points = np.array([150.0, 20.0]) + depths[..., None] * along
    metadata = {"times_known": True} | changes.pop("metadata", {})
    header = make_header(
        frame_count=len(times_s), width=640, height=480, frame_times_s=np.asarray(times_s, float),
        spacing_mm=mm_per_px and (mm_per_px, mm_per_px), scan_region=None, metadata=metadata,
    )  # fmt: skip
    facts = {"points_px": points, "confidence": np.full((len(times_s), 4), 0.9), "reference_frame": 0}
    return make_result(clip=header, **(facts | changes))


def beating(
    beats: float = 3.3, rate_bpm: float = 60, fps: float = 50, start: float = 0.9, **changes: Any
) -> AnalysisResult:
    """A regular heart of IVSd 10, LVIDd 50, LVPWd 10, LVIDs 32 mm; `start` is the phase of the first frame."""
    times = np.arange(round(beats * 60 / rate_bpm * fps)) / fps
    return result_of_lengths(times, lengths_at(start + times * rate_bpm / 60), **changes)
