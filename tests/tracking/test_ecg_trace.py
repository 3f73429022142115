"""R waves of a drawn ECG: makers' kinds of marks and sweeps with known beats, pictures without one, and real clips."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from echo_keypoints.clip import Clip, ClipHeader
from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.readers import read_clip
from echo_keypoints.tracking import load_backend, open_session
from echo_keypoints.tracking.ecg_trace import ECG_IN_PICTURE, EcgTrace

Video = NDArray[np.uint8]

FPS, FRAMES, RATE_HZ, FIRST_R_S = 30.0, 70, 1.25, 0.3
ROWS, COLUMNS, X0, X1 = slice(200, 240), 320, 20, 300


def _wave(time_s: NDArray[np.floating]) -> NDArray[np.floating]:
    """An ECG: R waves of 30 px at `FIRST_R_S` + n / `RATE_HZ`, P and T waves of a quarter of that."""
    phase = (time_s - FIRST_R_S) * RATE_HZ % 1.0
    phase = np.where(phase > 0.5, phase - 1, phase) / RATE_HZ  # seconds from the nearest R wave

    def bump(at: float, width: float, height: float) -> NDArray[np.floating]:
        return height * np.exp(-(((phase - at) / width) ** 2))

    return bump(0, 0.012, 30) + bump(-0.16, 0.03, 5) + bump(0.28, 0.05, 8)


def _clip(kind: str, px_per_frame: float = 4.0, mark: bool = True, seed: int = 0) -> Video:
    """Noise above, a trace below: all of it from the start (``still``), or drawn by the mark as it sweeps (``sweep``).

    ``tick``: the mark is a short one; ``inverted``: the R waves point down; ``busy``: the fan reaches into the strip.
    """
    rng = np.random.default_rng(seed)
    start = X1 - 25 * px_per_frame if kind == "sweep" else X0
    sweep = X1 - X0

    def place(frame: float) -> float:
        return X0 + (start - X0 + frame * px_per_frame) % sweep

    def drawn_at(column: NDArray[np.floating], frame: float) -> NDArray[np.floating]:
        """When the trace at a column was drawn, in frames: at the last pass of the mark."""
        if kind != "sweep":
            return (column - X0) / px_per_frame
        behind = (place(frame) - column) % sweep
        return frame - behind / px_per_frame

    frames = []
    for frame in range(FRAMES):
        picture = np.zeros((260, COLUMNS), np.uint8)
        fan = 215 if kind == "busy" else 190
        picture[10:fan, 40:280] = rng.integers(0, 100, (fan - 10, 240))
        fine = np.arange(X0, X1, 0.25)
        height = _wave(drawn_at(fine, frame) / FPS)
        row = 210 + height if kind == "inverted" else 235 - height
        gap = kind == "sweep"  # what lies just ahead of the mark has been wiped
        visible = ((fine - place(frame)) % sweep > 12) if gap else np.ones(len(fine), bool)
        for points in np.split(np.stack([fine, row], 1), np.flatnonzero(np.diff(visible.astype(int))) + 1):
            if visible[int((points[0, 0] - X0) / 0.25)]:
                cv2.polylines(
                    picture, [np.round(points * 16).astype(np.int32)], False, 180, 1, cv2.LINE_AA, 4
                )
        if mark:
            column = round(place(frame))
            at = int(np.round(row[min(int((column - X0) / 0.25), len(row) - 1)]))
            rows = slice(at - 5, at + 6) if kind == "tick" else ROWS
            picture[rows, column - 1 : column + 2] = 255
        frames.append(picture)
    return np.stack(frames)


def _found(video: Video, times_s: NDArray[np.floating] | None = None) -> list[float]:
    trace = EcgTrace(video[:40])
    for frame in video:
        trace.add(frame)
    return list(trace.r_waves_s(np.arange(len(video)) / FPS if times_s is None else times_s))


@pytest.mark.parametrize(
    ("kind", "px_per_frame"),
    [("still", 4.0), ("still", 1.5), ("sweep", 4.0), ("tick", 4.0), ("inverted", 3.0), ("busy", 4.0)],
)
def test_r_waves_are_found_to_half_a_frame(kind: str, px_per_frame: float) -> None:
    shown = FRAMES if kind == "sweep" else min(FRAMES, int((X1 - X0) / px_per_frame))
    true = np.arange(FIRST_R_S, (shown - 6) / FPS, 1 / RATE_HZ)
    found = _found(_clip(kind, px_per_frame)[:shown])
    np.testing.assert_allclose(found, true, atol=0.5 / FPS)


def test_times_are_those_of_the_frames() -> None:
    uneven = np.cumsum(np.where(np.arange(FRAMES) % 2, 0.02, 0.05))
    found = _found(_clip("still"), uneven)
    np.testing.assert_allclose(found[0], np.interp(FIRST_R_S * FPS, np.arange(FRAMES), uneven), atol=0.02)


def test_without_a_mark_or_a_trace_there_is_none() -> None:
    assert _found(_clip("still", mark=False)) == []
    assert _found(np.random.default_rng(0).integers(0, 255, (20, 120, 160)).astype(np.uint8)) == []
    assert _found(np.zeros((2, 64, 64), np.uint8)) == []
    for seed in range(9_700_000, 9_700_006):  # phantoms show text, rulers and traces, and none has a mark
        assert _found(simulate_clip(seed, frame_count=16).video) == []


def _session_facts(metadata: dict[str, object]) -> dict[str, object]:
    video = _clip("still")[:24]
    header = ClipHeader("x", 24, *video.shape[1:], np.arange(24) / FPS, "test", metadata=metadata)
    with open_session(Clip(header, video), load_backend()) as session:
        return session.header.metadata


def test_a_session_knows_the_r_waves_unless_the_file_gives_them_or_has_no_times() -> None:
    facts = _session_facts({"maker": "x"})
    assert facts["maker"] == "x" and facts["r_wave_source"] == ECG_IN_PICTURE
    np.testing.assert_allclose(facts["r_wave_times_s"], [FIRST_R_S], atol=0.02)
    given = {"r_wave_times_s": [0.1], "r_wave_source": "RWaveTimeVector"}
    assert _session_facts(given) == given
    assert _session_facts({"times_known": False}) == {"times_known": False}


@pytest.mark.parametrize(
    "name",
    [
        "plax/toshiba_xario_plax",
        "plax/echocv_philips_plax",
        "other_views/hp_pediatric_psax",
        "other_views/toshiba_psax",
    ],
)
def test_real_traces_agree_with_the_heart_rate_on_the_screen(shared_data: Path, name: str) -> None:
    clip = read_clip(shared_data / f"{name}.dcm")
    trace = EcgTrace(clip.pixels[:64])
    for frame in clip.pixels:
        trace.add(frame)
    waves = trace.r_waves_s(clip.header.frame_times_s)
    rates = [60 / (late - early) for early, late in pairwise(waves)]
    assert rates and np.abs(np.array(rates) / clip.header.metadata["heart_rate_bpm"] - 1).max() < 0.06
