"""A moving pattern whose truth is known, and a back end that knows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.clip import Clip, ClipHeader
from echo_keypoints.tracking.backends.base import Beat, Descriptors, Detections, Maps, Sighting
from echo_keypoints.tracking.steady import HEIGHT, WIDTH

WINDOW = 24
SIZE = 224


def true_points(length: int) -> NDArray[np.float64]:
    """Four landmarks on a line that beat with a period of 30 frames, (T, 4, 2) model px."""
    rest = np.array([[100.0, 60], [104, 80], [112, 140], [116, 160]])
    swing = np.array([[0.0, 2], [1, 5], [2, -8], [2, -4]])
    phase = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / 30)
    return rest + phase[:, None, None] * swing


def coded_clip(length: int) -> Clip:
    """Speckle all over, so that model space is the frame itself; the first row spells the frame's number."""
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 255, (8, SIZE, SIZE), dtype=np.uint8)
    pixels = noise[np.arange(length) % 8].copy()
    for i in range(length):
        pixels[i, 0] = 255 * ((i >> (np.arange(SIZE) % 20)) & 1)
    header = ClipHeader("coded.npz", length, SIZE, SIZE, np.arange(length) / 30.0, "test")
    return Clip(header, pixels)


def coded_index(frames: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Read the numbers of frames of `coded_clip`."""
    bits = (frames[:, 0, :20] > 127).astype(np.intp)
    return (bits << np.arange(20)).sum(axis=1)


class OracleBackend:
    """Detects the truth with a given error; refines towards the material that the reference lies on.

    With `miss`, it finds a track of few seconds that much beside the landmarks, in places of steady pictures; when it
    looks again, as the track has been moved there, it finds it on them.
    """

    name = "oracle"
    window = WINDOW

    def __init__(
        self,
        length: int,
        detection_error: Callable[[NDArray[np.float64]], NDArray[np.float64]] = lambda points: points,
        map_bytes: int = 1,
        miss: tuple[float, float] | None = None,
    ) -> None:
        self.truth = true_points(length)
        self.detected = detection_error(self.truth.copy())
        self.models = {"oracle": "0" * 64}
        self.map_bytes = map_bytes
        self.largest_call = 0
        self.refined = 0  # windows
        self.can_place, self.miss = miss is not None, miss
        self.beats = 0
        self.beat_frames = 0

    def detect(
        self,
        frames: NDArray[np.uint8],
        contexts: Sequence[NDArray[np.float32]] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Detections:
        assert contexts is None or len(contexts) == len(frames)
        index = coded_index(frames)
        self.largest_call = max(self.largest_call, len(frames))
        if progress:
            progress(len(frames))
        shape = (len(frames), 4)
        peak = 1 - 0.001 * np.abs(index - 7)[:, None] * np.ones(shape)
        return Detections(self.detected[index], peak, np.full(shape, 5.0), (index,))

    def label(self, frames: NDArray[np.uint8], contexts: Sequence[NDArray[np.float32]]) -> NDArray[np.uint8]:
        assert len(contexts) == len(frames)
        index = coded_index(frames)
        tissue = np.empty((len(frames), 2, 56, 56), np.uint8)
        # LV everywhere; the certainty tells the frame.
        tissue[:, 0], tissue[:, 1] = 3, (index % 251)[:, None, None]
        return tissue

    def describe(self, maps: Maps, index: int, points: NDArray[np.float64]) -> Descriptors:
        return (points - self.truth[maps[0][index]],)

    def refine(
        self,
        maps: Maps,
        points: NDArray[np.float64],
        reference_points: NDArray[np.float64],
        descriptors: Descriptors,
        windows: NDArray[np.intp],
    ) -> NDArray[np.float64]:
        assert windows.shape[1] == WINDOW and len(maps[0]) == len(points)
        self.refined += len(windows)
        return (points + 0.95 * (self.truth[maps[0]] + descriptors[0] - points))[windows]

    def see_beat(self, pictures: NDArray[np.uint8], heights: NDArray[np.float64]) -> Beat:
        self.beat_frames = len(pictures)
        self.beats += 1
        return np.stack((np.zeros(4), heights), axis=-1) + (self.miss if self.beats % 2 else (0, 0))

    def place(self, pictures: NDArray[np.uint8], beat: Beat) -> Sighting:
        assert pictures.shape[1:] == (HEIGHT, WIDTH)
        places = np.repeat(beat[None], len(pictures), axis=0)
        return Sighting(places, np.zeros_like(places))

    def flow(self, reference: NDArray[np.uint8], target: NDArray[np.uint8]) -> NDArray[np.float32]:
        raise AssertionError("the oracle knows landmarks only: track with motion=False")
