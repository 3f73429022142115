"""Torch on the CPU or a CUDA device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from echo_keypoints.errors import ModelError
from echo_keypoints.networks.lucas_kanade import LucasKanadeFlow
from echo_keypoints.networks.placenet import PlaceNet
from echo_keypoints.networks.sknet import SKNet
from echo_keypoints.networks.trnet import TRNet
from echo_keypoints.networks.weights import load_weights
from echo_keypoints.tracking.backends.base import (
    Beat,
    Descriptors,
    Detections,
    Maps,
    Sighting,
    model_file,
    sha256,
)
from echo_keypoints.tracking.backends.detector import Detector, Labeller
from echo_keypoints.tracking.context import CONTEXT_CHANNELS
from echo_keypoints.tracking.letterbox import MODEL_SIZE
from echo_keypoints.tracking.windows import neighbour_pairs

SKNET, TRNET, PLACENET, TISSUE = "sknet.pt", "trnet.pt", "placenet.pt", "tissue.pt"

_BATCH = 8


class TorchBackend:
    """`Backend` on ``sknet.pt``, ``trnet.pt`` and, if they are there, ``placenet.pt`` and ``tissue.pt``.

    Its maps stay on the device.

    Args:
        sknet: the detector.
        trnet: the refiner.
        device: where to run.
        models: file name → sha256, for the record.
        bfloat16: run SK-net's and TR-net's convolutions and matrices in bfloat16: faster on recent hardware,
            and only near the ONNX back end instead of equal.
        placenet: judges where tracks lie; None to leave them where they are.
        tissue: the SK-net that labels the tissue; `sknet` by default.
    """

    name = "torch"

    def __init__(
        self,
        sknet: SKNet,
        trnet: TRNet,
        device: str | torch.device = "cpu",
        models: Mapping[str, str] | None = None,
        bfloat16: bool = False,
        placenet: PlaceNet | None = None,
        tissue: SKNet | None = None,
    ) -> None:
        self._device = torch.device(device)
        detector = Detector(sknet, trnet).eval().to(self._device)
        self._detector = detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        labeller = Labeller(tissue or sknet).eval().to(self._device)
        self._labeller = labeller.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._trnet = self._detector.trnet
        self._placenet = placenet.eval().to(self._device) if placenet else None
        self._flow = LucasKanadeFlow().eval().to(self._device)
        self._bfloat16 = bfloat16
        self.models: Mapping[str, str] = dict(models or {})
        self.window = trnet.window
        blank = np.zeros((1, MODEL_SIZE, MODEL_SIZE), np.uint8)
        self.map_bytes = sum(level.nbytes for level in self.detect(blank).maps)

    @classmethod
    def load(cls, folder: Path, threads: int | None = None, device: str | None = None) -> TorchBackend:
        """Read the weights of a folder.

        Args:
            folder: with ``sknet.pt`` and ``trnet.pt``, ``placenet.pt`` if tracks are to be placed, and ``tissue.pt``
                if another SK-net than the detector labels the tissue.
            threads: CPU threads of torch, for the whole process; unchanged by default.
            device: CUDA if there is any by default.

        Raises:
            ModelError: a file is missing or damaged, or the device is not there.
        """
        if threads:
            torch.set_num_threads(threads)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            raise ModelError(f"Torch has no device {device} here; choose cpu.") from error
        paths = {name: model_file(folder, name) for name in (SKNET, TRNET)}
        sknet, trnet = load_weights(paths[SKNET], SKNet), load_weights(paths[TRNET], TRNet)
        paths.update({name: folder / name for name in (PLACENET, TISSUE) if (folder / name).is_file()})
        placenet = load_weights(paths[PLACENET], PlaceNet) if PLACENET in paths else None
        tissue = load_weights(paths[TISSUE], SKNet) if TISSUE in paths else None
        hashes = {name: sha256(path) for name, path in paths.items()}
        return cls(sknet, trnet, device, hashes, placenet=placenet, tissue=tissue)

    @property
    def can_place(self) -> bool:
        """Whether there is a PlaceNet."""
        return self._placenet is not None

    @torch.inference_mode()
    def detect(
        self,
        frames: NDArray[np.uint8],
        contexts: Sequence[NDArray[np.float32]] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Detections:
        """See `Backend.detect`."""
        if contexts is None:
            contexts = [np.zeros((CONTEXT_CHANNELS, *frames.shape[1:]), np.float32)] * len(frames)
        outputs: list[Tensor] = []
        for start in range(0, len(frames), _BATCH):
            batch = torch.tensor(frames[start : start + _BATCH], device=self._device)
            shown = torch.tensor(np.stack(contexts[start : start + _BATCH]), device=self._device)
            with self._precision():
                parts = self._detector(batch, shown)
            if not outputs:  # allocated once: joining batches at the end would take twice the memory
                outputs = [part.new_empty((len(frames), *part.shape[1:])) for part in parts]
            for target, part in zip(outputs, parts, strict=True):
                target[start : start + len(batch)] = part
            if progress:
                progress(len(batch))
        points, peak, spread = (_numpy(part) for part in outputs[:3])
        return Detections(points, peak, spread, tuple(outputs[3:]))

    @torch.inference_mode()
    def label(self, frames: NDArray[np.uint8], contexts: Sequence[NDArray[np.float32]]) -> NDArray[np.uint8]:
        """See `Backend.label`."""
        parts = []
        for start in range(0, len(frames), _BATCH):
            batch = torch.tensor(frames[start : start + _BATCH], device=self._device)
            shown = torch.tensor(np.stack(contexts[start : start + _BATCH]), device=self._device)
            with self._precision():
                parts.append(self._labeller(batch, shown).cpu().numpy())
        return np.concatenate(parts)

    @torch.inference_mode()
    def describe(self, maps: Maps, index: int, points: NDArray[np.float64]) -> Descriptors:
        """Remember the landmarks ``(4, 2)`` of one frame of the maps."""
        with self._precision():
            levels = tuple(level[index : index + 1] for level in maps)
            return self._trnet.describe(levels, self._tensor(points[None]))

    @torch.inference_mode()
    def refine(
        self,
        maps: Maps,
        points: NDArray[np.float64],
        reference_points: NDArray[np.float64],
        descriptors: Descriptors,
        windows: NDArray[np.intp],
    ) -> NDArray[np.float64]:
        """See `Backend.refine`."""
        pairs, rows = (torch.from_numpy(a).to(self._device) for a in neighbour_pairs(windows))
        with self._precision():
            reference = self._tensor(reference_points[None])
            refined = self._trnet.step_windows(
                maps, self._tensor(points), reference, descriptors, pairs, rows
            )
            return _numpy(refined)

    @torch.inference_mode()
    def flow(self, reference: NDArray[np.uint8], target: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Backend.flow`."""
        parts = []
        for start in range(0, len(reference), _BATCH):
            pair = [
                torch.tensor(frames[start : start + _BATCH], device=self._device)[:, None].float() / 255
                for frames in (reference, target)
            ]
            parts.append(self._flow(*pair).cpu().numpy())
        return np.concatenate(parts)

    @torch.inference_mode()
    def see_beat(self, pictures: NDArray[np.uint8], heights: NDArray[np.float64]) -> Beat:
        """See `Backend.see_beat`."""
        assert self._placenet is not None, "asked for only if can_place"
        with self._precision():
            described = self._placenet.describe(torch.tensor(pictures, device=self._device).float() / 255)
            return self._placenet.beat(*described, self._tensor(heights[None]))

    @torch.inference_mode()
    def place(self, pictures: NDArray[np.uint8], beat: Beat) -> Sighting:
        """See `Backend.place`."""
        assert self._placenet is not None, "asked for only if can_place"
        with self._precision():
            described = self._placenet.describe(torch.tensor(pictures, device=self._device).float() / 255)
            votes = self._placenet.vote(*described, beat)
        return Sighting(_numpy(self._placenet.places(votes)), _numpy(self._placenet.doubts(votes)))

    def _precision(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16)

    def _tensor(self, points: NDArray[np.float64]) -> Tensor:
        return torch.tensor(points, dtype=torch.float32, device=self._device)


def _numpy(values: Tensor) -> NDArray[np.float64]:
    return values.double().cpu().numpy()
