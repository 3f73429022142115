"""ONNX Runtime on the CPU."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from echo_keypoints.errors import ModelError
from echo_keypoints.tracking.backends.base import (
    Beat,
    Descriptors,
    Detections,
    Maps,
    Sighting,
    model_file,
    sha256,
)
from echo_keypoints.tracking.context import CONTEXT_CHANNELS
from echo_keypoints.tracking.windows import neighbour_pairs, window_groups

DETECTOR, DESCRIPTOR, REFINER, LABELLER = "detector.onnx", "descriptor.onnx", "refiner.onnx", "tissue.onnx"
BEAT, PLACER = "beat.onnx", "placer.onnx"
FLOW_FILE = Path(__file__).with_name("flow.onnx")
"""`networks.lucas_kanade` as a graph: it has no weights, so it lies with the code."""

_PAIRS = 4  # of frames that the flow sees at a time: their pictures stay in the cache
_PICTURES = 8  # that PlaceNet sees at a time, likewise

_Part = TypeVar("_Part")
_Value = TypeVar("_Value", bound=np.generic)


def available_threads() -> int:
    """Number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class OnnxBackend:
    """`Backend` on ``detector.onnx``, ``descriptor.onnx``, ``refiner.onnx``, ``tissue.onnx`` and, if they are there,
    ``beat.onnx`` and ``placer.onnx`` (written by `training.export`).

    Every network runs on one thread, on several parts of the work side by side: what it works on then stays in the
    cache, and no thread waits for another within a layer. Frames go through the detector one at a time.

    Args:
        folder: of the model files.
        threads: as many as this process may use by default.

    Raises:
        ModelError: a file is missing or damaged.
    """

    name = "onnx"

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        self._threads = threads or available_threads()
        paths = {name: model_file(folder, name) for name in (DETECTOR, DESCRIPTOR, REFINER, LABELLER)}
        if any((folder / name).is_file() for name in (BEAT, PLACER)):
            paths.update({name: model_file(folder, name) for name in (BEAT, PLACER)})
        self.models: Mapping[str, str] = {name: sha256(path) for name, path in paths.items()}
        self._detector = _open(paths[DETECTOR], 1)
        self._labeller = _open(paths[LABELLER], 1)
        self._descriptor = _open(paths[DESCRIPTOR], 1)
        self._refiner = _open(paths[REFINER], 1)
        self._beat = _open(paths[BEAT], self._threads) if BEAT in paths else None
        self._placer = _open(paths[PLACER], 1) if PLACER in paths else None
        self._flow = _open(FLOW_FILE, 1)
        self._map_shapes = [tuple(output.shape[1:]) for output in self._detector.get_outputs()[3:]]
        self._inputs = [node.name for node in self._refiner.get_inputs()]
        self.window = int(self._refiner.get_inputs()[-1].shape[1])
        if not self._map_shapes or not self._detector.get_outputs()[-1].name.startswith("map_"):
            raise ModelError(f"{DETECTOR} is of another version; install the package again.")
        if self._placer and "doubts" not in [output.name for output in self._placer.get_outputs()]:
            raise ModelError(f"{PLACER} is of another version; export its weights again, or train again.")

    @property
    def map_bytes(self) -> int:
        """Memory that the maps of one frame take."""
        return sum(4 * int(np.prod(shape)) for shape in self._map_shapes)

    @property
    def can_place(self) -> bool:
        """Whether there is a PlaceNet among the weights."""
        return self._placer is not None

    def detect(
        self,
        frames: NDArray[np.uint8],
        contexts: Sequence[NDArray[np.float32]] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Detections:
        """See `Backend.detect`."""
        if contexts is None:
            contexts = [np.zeros((CONTEXT_CHANNELS, *frames.shape[1:]), np.float32)] * len(frames)
        count = len(frames)
        points, peak, spread = np.empty((count, 4, 2)), np.empty((count, 4)), np.empty((count, 4))
        maps = tuple(np.empty((count, *shape), np.float32) for shape in self._map_shapes)

        def one(index: int) -> None:
            inputs = {"frames": frames[index : index + 1], "contexts": contexts[index][None]}
            outputs = self._detector.run(None, inputs)
            for target, value in zip((points, peak, spread, *maps), outputs, strict=True):
                target[index] = value[0]

        with ThreadPoolExecutor(self._threads) as pool:
            for _ in pool.map(one, range(count)):
                if progress:
                    progress(1)
        return Detections(points, peak, spread, maps)

    def label(self, frames: NDArray[np.uint8], contexts: Sequence[NDArray[np.float32]]) -> NDArray[np.uint8]:
        """See `Backend.label`."""

        def one(index: int) -> NDArray[np.uint8]:
            inputs = {"frames": frames[index : index + 1], "contexts": contexts[index][None]}
            tissue: NDArray[np.uint8] = self._labeller.run(None, inputs)[0]
            return tissue

        return self._side_by_side(one, range(len(frames)))

    def describe(self, maps: Maps, index: int, points: NDArray[np.float64]) -> Descriptors:
        """Remember the landmarks ``(4, 2)`` of one frame of the maps."""
        levels = [level[index : index + 1] for level in maps]
        names = [node.name for node in self._descriptor.get_inputs()]
        values = [*levels, points[None].astype(np.float32)]
        return tuple(self._descriptor.run(None, dict(zip(names, values, strict=True))))

    def refine(
        self,
        maps: Maps,
        points: NDArray[np.float64],
        reference_points: NDArray[np.float64],
        descriptors: Descriptors,
        windows: NDArray[np.intp],
    ) -> NDArray[np.float64]:
        """See `Backend.refine`."""
        start, known = points.astype(np.float32), reference_points[None].astype(np.float32)

        def some(part: tuple[slice, NDArray[np.intp]]) -> NDArray[np.float32]:
            run, group = part
            seen = [level[run] for level in maps]
            values = [*seen, start[run], known, *descriptors, *neighbour_pairs(group)]
            refined: NDArray[np.float32] = self._refiner.run(
                None, dict(zip(self._inputs, values, strict=True))
            )[0]
            return refined

        return self._side_by_side(some, window_groups(windows, self._threads)).astype(np.float64)

    def flow(self, reference: NDArray[np.uint8], target: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Backend.flow`."""

        def some(run: slice) -> NDArray[np.float32]:
            inputs = {"reference": reference[run], "target": target[run]}
            flow: NDArray[np.float32] = self._flow.run(None, inputs)[0]
            return flow

        return self._side_by_side(some, _runs(len(reference), _PAIRS))

    def see_beat(self, pictures: NDArray[np.uint8], heights: NDArray[np.float64]) -> Beat:
        """See `Backend.see_beat`."""
        assert self._beat is not None, "asked for only if can_place"
        return self._beat.run(None, {"pictures": pictures, "heights": heights.astype(np.float32)})[0]

    def place(self, pictures: NDArray[np.uint8], beat: Beat) -> Sighting:
        """See `Backend.place`."""
        assert self._placer is not None, "asked for only if can_place"
        placer = self._placer

        def some(run: slice) -> NDArray[np.float32]:
            seen = placer.run(["places", "doubts"], {"pictures": pictures[run], "beat": beat})
            return np.stack(seen, axis=1)

        seen = self._side_by_side(some, _runs(len(pictures), _PICTURES)).astype(np.float64)
        return Sighting(seen[:, 0], seen[:, 1])

    def _side_by_side(
        self, work: Callable[[_Part], NDArray[_Value]], parts: Sequence[_Part]
    ) -> NDArray[_Value]:
        """What comes of all parts, one after another, worked out on all threads."""
        with ThreadPoolExecutor(self._threads) as pool:
            return np.concatenate(list(pool.map(work, parts)))


def _runs(length: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, length, size)]


def _open(path: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Waiting threads would otherwise burn the CPU that the reader needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has no public base class for what it raises on bad files
        raise ModelError(
            f"{path.name} is damaged or of another version; install the package again."
        ) from error
