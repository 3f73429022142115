"""Temporal context: statistics by hand, segments of long clips, and that the detector sees the right one."""

import numpy as np
import pytest

from echo_keypoints.tracking.context import (
    CONTEXT_FRAMES,
    SEGMENT_S,
    ClipContext,
    segment_edges,
    temporal_context,
)


def test_mean_and_deviation_in_full_scale() -> None:
    frames = np.zeros((4, 2, 3), np.uint8)
    frames[:2, 0, 0] = 255  # half of the time on: mean 1/2, deviation 1/2
    frames[:, 1, 2] = 51  # always 0.2
    mean, deviation = temporal_context(frames)
    assert mean.dtype == np.float32
    assert mean[0, 0] == pytest.approx(0.5) and deviation[0, 0] == pytest.approx(0.5)
    assert mean[1, 2] == pytest.approx(0.2) and deviation[1, 2] == pytest.approx(0, abs=1e-3)


def test_agrees_with_numpy() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (9, 8, 8), dtype=np.uint8)
    mean, deviation = temporal_context(frames)
    np.testing.assert_allclose(mean, (frames / 255).mean(0), atol=1e-5)
    np.testing.assert_allclose(deviation, (frames / 255).std(0), atol=1e-5)


@pytest.mark.parametrize(
    ("count", "fps", "segments"), [(2, 30, 1), (60, 30, 1), (240, 30, 2), (10_000, 50, 50), (4, 0.1, 2)]
)
def test_segments_cover_the_clip(count: int, fps: float, segments: int) -> None:
    edges = segment_edges(np.arange(count) / fps)
    assert edges[0] == 0 and edges[-1] == count and len(edges) == segments + 1
    assert np.diff(edges).min() >= 2


def test_frames_get_the_context_of_their_own_segment() -> None:
    fps, count = 10, int(2 * SEGMENT_S * 10)
    video = np.zeros((count, 4, 4), np.uint8)
    video[count // 2 :] = 255
    asked: list[int] = []

    def read(start: int, stop: int) -> np.ndarray:
        asked.extend(range(start, stop))
        return video[start:stop]

    contexts = ClipContext(read, np.arange(count) / fps)
    across = contexts.of(count // 2 - 2, count // 2 + 2)
    assert [float(c[0, 0, 0]) for c in across] == [0, 0, 1, 1]
    assert across[0] is across[1]
    assert len(asked) == 2 * CONTEXT_FRAMES
    contexts.of(count // 2, count)  # known already
    assert len(asked) == 2 * CONTEXT_FRAMES
