"""What tracking asks of an inference engine, and where the weights are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.errors import ModelError

Maps = tuple[Any, ...]
"""TR-net's maps, each ``(N, C, H/s, W/s)``: arrays of the back end's own kind, indexed by frame."""

Descriptors = tuple[Any, ...]
"""What TR-net remembers of the reference landmarks: opaque, goes back to the back end that made it."""

Beat = Any
"""What PlaceNet remembers of a beat, likewise."""


@dataclass(frozen=True)
class Detections:
    """What the detector sees in each of N frames, on its own.

    Attributes:
        points: ``(N, 4, 2)`` float64 model pixels.
        peak: ``(N, 4)`` float64, height of the heat-map; about 1 for a landmark that is clearly seen.
        spread_px: ``(N, 4)`` float64, sigma of the heat-map in model pixels.
        maps: TR-net's maps of these frames.
    """

    points: NDArray[np.float64]
    peak: NDArray[np.float64]
    spread_px: NDArray[np.float64]
    maps: Maps


@dataclass(frozen=True)
class Sighting:
    """Where PlaceNet sees the landmarks in N steady pictures (`tracking.steady`).

    Attributes:
        places: ``(N, 4, 2)`` float64.
        doubts: ``(N, 4, 2)`` float64, standard deviations of what they may be off by, in the same units.
    """

    places: NDArray[np.float64]
    doubts: NDArray[np.float64]


class Backend(Protocol):
    """The steps of the networks, in model space (``backends`` has the implementations).

    Attributes:
        name: ``"onnx"`` or ``"torch"``.
        window: frames that the refiner sees together.
        models: file name → sha256 of the weights in use.
        map_bytes: memory that the maps of one frame take.
        can_place: whether there is a PlaceNet among the weights.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def window(self) -> int: ...  # noqa: D102

    @property
    def models(self) -> Mapping[str, str]: ...  # noqa: D102

    @property
    def map_bytes(self) -> int: ...  # noqa: D102

    @property
    def can_place(self) -> bool: ...  # noqa: D102

    def detect(
        self,
        frames: NDArray[np.uint8],
        contexts: Sequence[NDArray[np.float32]] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Detections:
        """Detect in frames.

        Args:
            frames: ``(N, 224, 224)``.
            contexts: ``(2, 224, 224)`` of the beat around each of them (`tracking.context`), with lifted dark greys
                (`tracking.tone`), if known.
            progress: told how many more frames are done.
        """
        ...

    def label(self, frames: NDArray[np.uint8], contexts: Sequence[NDArray[np.float32]]) -> NDArray[np.uint8]:
        """Label the tissue that frames show.

        Args:
            frames: ``(N, 224, 224)``.
            contexts: ``(2, 224, 224)`` of the beat around each of them.

        Returns:
            ``(N, 2, 56, 56)`` at stride 4: which of `anatomy.TISSUES` is seen, and how surely, 0 to 255; all 0 where
            the network does not tell.
        """
        ...

    def describe(self, maps: Maps, index: int, points: NDArray[np.float64]) -> Descriptors:
        """Remember the landmarks ``(4, 2)`` of one frame of the maps."""
        ...

    def refine(
        self,
        maps: Maps,
        points: NDArray[np.float64],
        reference_points: NDArray[np.float64],
        descriptors: Descriptors,
        windows: NDArray[np.intp],
    ) -> NDArray[np.float64]:
        """One iteration on overlapping windows; what a frame alone tells is found out once.

        Args:
            maps: of N frames.
            points: ``(N, 4, 2)``.
            reference_points: ``(4, 2)``.
            descriptors: from `describe`.
            windows: ``(W, T)`` the frames of each window, T == `window`.

        Returns:
            ``(W, T, 4, 2)``.
        """
        ...

    def flow(self, reference: NDArray[np.uint8], target: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Motion between frames or parts of them (`networks.lucas_kanade`).

        Args:
            reference, target: ``(N, H, W)``, H and W divisible by 16.

        Returns:
            ``(N, 2, H / 2, W / 2)`` px at every second pixel, from each reference to its target.
        """
        ...

    def see_beat(self, pictures: NDArray[np.uint8], heights: NDArray[np.float64]) -> Beat:
        """Remember what a beat looks like around a track (`networks.placenet`); asked for only if `can_place`.

        Args:
            pictures: ``(F, HEIGHT, WIDTH)`` of `tracking.steady`, F at least 2.
            heights: ``(4,)`` of the track.
        """
        ...

    def place(self, pictures: NDArray[np.uint8], beat: Beat) -> Sighting:
        """Find the landmarks in pictures ``(N, HEIGHT, WIDTH)`` of that beat."""
        ...


def models_directory() -> Path:
    """Where the weights are: inside the installed package, or in the bundle's ``models/`` of a checkout.

    Raises:
        ModelError: neither exists.
    """
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "weights", package.parent / "models"):
        if folder.is_dir():
            return folder
    raise ModelError("The weights are missing: install the package again, or name their folder.")


def model_file(folder: Path, name: str) -> Path:
    """Path of one weights file.

    Raises:
        ModelError: it is not there.
    """
    path = folder / name
    if not path.is_file():
        raise ModelError(
            f"{name} is missing among the weights: install the package again, or name their folder."
        )
    return path


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
