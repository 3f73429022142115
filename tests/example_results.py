"""Small hand-made results and clips that several rooms test with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from echo_keypoints.clip import Clip, ClipHeader
from echo_keypoints.results import AnalysisResult
from echo_keypoints.tracking import Anchor

TIMES_S = np.array([0.0, 0.0294, 0.0735, 0.1029, 0.147])
"""Uneven, as Philips machines write them."""


def make_header(**changes: Any) -> ClipHeader:
    facts: dict[str, Any] = {
        "source": "heart.dcm",
        "frame_count": 5,
        "height": 120,
        "width": 128,
        "frame_times_s": TIMES_S,
        "times_source": "FrameTimeVector",
        "spacing_mm": (0.4, 0.5),
        "spacing_source": "DICOM ultrasound region",
        "scan_region": (4, 2, 124, 118),
        "metadata": {"manufacturer": "Phantom", "heart_rate": np.float32(61.5), "levels": np.arange(3)},
    }
    return ClipHeader(**(facts | changes))


def make_points(frame_count: int = 5) -> np.ndarray:
    """A calliper of 10, 40 and 9 px that sways and beats."""
    rest = np.array([[60.0, 30], [60, 40], [60, 80], [60, 89]])
    beat = np.array([[0.0, 1], [0, 2], [0, -2], [0, -1]])
    return rest + np.sin(np.arange(frame_count))[:, None, None] * beat + 0.25


def make_result(**changes: Any) -> AnalysisResult:
    header = changes.pop("clip", make_header())
    count = header.frame_count
    facts: dict[str, Any] = {
        "clip": header,
        "points_px": make_points(count),
        "confidence": np.linspace(0.6, 1.0, count * 4).reshape(count, 4),
        "reference_frame": 2,
        "models": {"detector.onnx": "a" * 64},
        "clip_sha256": "b" * 64,
        "warnings": ("The frame times are uneven.",),
        "created_utc": "2026-01-02T03:04:05Z",
    }
    return AnalysisResult(**(facts | changes))


def make_anchor(result: AnalysisResult, frame: int) -> Anchor:
    points = result.points_px[frame] + 1.5
    points[3] = np.nan
    return Anchor(frame, points)


def make_clip(header: ClipHeader | None = None, grey: int = 60) -> Clip:
    header = header or make_header()
    shape = (header.frame_count, header.height, header.width)
    return Clip(header, np.full(shape, grey, np.uint8))


def make_measured(**changes: Any) -> AnalysisResult:
    """A result with measurements: beat 0 accepted (ED 1, ES 2), beat 1 rejected (ED 3, no ES)."""
    result = make_result(**changes)
    frames = {"d": 1, "s": 2}
    indices = {
        f"{name}{phase}": float(result.lengths[name].mm[frame])
        for name in result.lengths
        for phase, frame in frames.items()
    }
    indices["FS"] = 100 * (1 - indices["LVIDs"] / indices["LVIDd"])
    indices["RWT"] = 2 * indices["LVPWd"] / indices["LVIDd"]
    indices["EDV_Teichholz"], indices["LVM"] = 12.5, None
    units = {"FS": "%", "RWT": "1", "EDV_Teichholz": "mL", "LVM": "g"}
    summary = {
        name: {
            "label": f"label of {name}",
            "value": value,
            "unit": units.get(name, "mm"),
            "sd": 0.25 if name == "LVIDd" else None,
            "n": 1,
            "per_beat": [value],
            "interval": None,
            "source": "Lang 2015",
            "note": None,
            "flags": [],
        }
        for name, value in indices.items()
        if value is not None
    }
    beat = {
        "index": 0,
        "ed_frame": 1,
        "es_frame": 2,
        "next_ed_frame": 4,
        "ed_time_s": 0.0294,
        "es_time_s": 0.0735,
        "rr_ms": 117.6,
        "complete": True,
        "ed_source": "max_lvid",
        "es_source": "min_lvid",
        "accepted": True,
        "reasons": [],
        "warnings": [],
        "confidence": 0.8,
        "indices": indices,
    }
    rejected = beat | {
        "index": 1,
        "ed_frame": 3,
        "es_frame": None,
        "accepted": False,
        "reasons": ["the beat is cut short"],
        "indices": {"LVIDd": 19.5},
    }
    return replace(
        result,
        beats=(beat, rejected),
        measurements={
            "indices": summary,
            "missing": {"LVM": "a wall is missing"},
            "heart_rate_bpm": 61.5,
            "rhythm_note": None,
            "patient": {},
            "conventions": {"lengths": "mm"},
            "curves": {},
        },
        quality={
            "grade": "adequate",
            "measurable": True,
            "view": {"verdict": "plax", "score": 0.9},
            "reasons": ["One beat was rejected."],
            "checks": [],
        },
    )
