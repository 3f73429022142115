"""`Looks`: what PlaceNet learns from, tracks that lie a little beside the landmarks, as an endless data set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from monai.transforms import (
    Compose,
    RandAdjustContrast,
    RandBiasField,
    RandGaussianNoise,
    RandGaussianSharpen,
    RandGaussianSmooth,
    RandScaleIntensity,
    RandShiftIntensity,
)
from monai.utils import convert_to_tensor
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from echo_keypoints.tracking.steady import SteadyView


@dataclass(frozen=True)
class Spread:
    """By how much tracks miss the landmarks: standard deviations in lengths of the measuring line.

    As SK-net's do on phantoms, mostly along the walls, and mostly all points together; but twice as far. From narrow
    misses a network learns to stay near the track, and on other hearts, or where people measure at another level, its
    votes are as narrow and as wrong. From wide ones it learns to look, and its votes tell how sure they are
    (`tracking.placement`).

    Attributes:
        line, wall, point: of what all four points, the two of a wall, and single points share.
    """

    line: float
    wall: float
    point: float

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the misses of the four points, ``(4,)``."""
        return (
            rng.normal(0, self.line)
            + np.repeat(rng.normal(0, self.wall, 2), 2)
            + rng.normal(0, self.point, 4)
        )


ALONG_WALL = Spread(line=0.075, wall=0.05, point=0.012)
ACROSS_WALL = Spread(line=0.013, wall=0.019, point=0.027)

SCALES = (0.5, 1.0, 1.6)
"""A track misses by these multiples: most by less, some by far more."""

SLIP, SLIP_SPREAD = 0.1, 0.2
"""Share of a landmark's motion that a track falls short of, on average, and how much that differs between landmarks."""

WANDER, JITTER = 0.008, 0.004
"""What else is wrong, slowly and from frame to frame."""


def other_pictures() -> Compose:
    """Grey maps, uneven gain, blur and noise, the same for all frames of a look: no one model of a machine is all
    machines."""
    return Compose(
        [
            RandAdjustContrast(prob=0.7, gamma=(0.6, 1.7)),
            RandBiasField(degree=2, coeff_range=(-0.3, 0.3), prob=0.5),
            RandGaussianSmooth((0.3, 1.3), (0.3, 1.3), prob=0.4),
            RandGaussianSharpen(
                (0.5, 1.0), (0.5, 1.0), sigma2_x=0.5, sigma2_y=0.5, alpha=(2.0, 6.0), prob=0.2
            ),
            RandScaleIntensity((-0.3, 0.3), prob=0.5),
            RandShiftIntensity((-0.08, 0.08), prob=0.5),
            RandGaussianNoise(prob=0.5, std=0.04),
        ]
    )


class Looks(Dataset[dict[str, Tensor]]):
    """Several looks at each item of labelled frames.

    An item: ``pictures`` ``(Q, F, HEIGHT, WIDTH)`` uint8 (`tracking.steady`); ``heights`` ``(Q, 4)`` float32 of the
    track; ``length_px`` ``(Q,)`` float32, mean length of the measuring line; ``points`` ``(Q, F, 4, 2)`` float32, the
    landmarks' places in the steady pictures, times that length.

    Args:
        frames: items with ``image`` ``(F, 1, S, S)`` uint8 and ``points`` ``(F, 4, 2)`` px, all four of them known.
        looks: Q.
        seed: of what the tracks miss.
        augment: vary the pictures, too (`other_pictures`).
    """

    def __init__(
        self,
        frames: Dataset[dict[str, Tensor]],
        looks: int = 4,
        seed: int = 0,
        augment: bool = False,
    ) -> None:
        self.frames, self.looks, self.seed = frames, looks, seed
        self.vary = other_pictures() if augment else None

    def __len__(self) -> int:
        return len(self.frames)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        item = self.frames[index]
        video, truth = item["image"][:, 0].numpy(), item["points"].double().numpy()
        rng = np.random.default_rng((self.seed, index, 5))
        found = [_look(video, truth, beside(truth, rng)) for _ in range(self.looks)]
        item = {name: torch.stack([look[name] for look in found]) for name in found[0]}
        if self.vary:
            self.vary.set_random_state(seed=int(rng.integers(2**31)))
            item["pictures"] = torch.stack([self._varied(pictures) for pictures in item["pictures"]])
        return item

    def _varied(self, pictures: Tensor) -> Tensor:
        assert self.vary is not None
        # A plain tensor again: with meta data every operation of the training would take a detour.
        grey = convert_to_tensor(self.vary(pictures.float() / 255), track_meta=False)
        return (255 * grey).round().clamp(0, 255).to(torch.uint8)


def beside(truth: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a track ``(F, 4, 2)`` that misses the landmarks as tracks do, but further."""
    view = SteadyView.of(truth)
    miss = np.stack((ALONG_WALL.draw(rng), ACROSS_WALL.draw(rng)), axis=-1)
    track = view.to_frames(view.places + rng.choice(SCALES) * miss)
    slip = SLIP + rng.choice(SCALES) * SLIP_SPREAD * rng.normal(size=(4, 1))
    time = 2 * np.pi * np.linspace(0, 1, len(truth))
    waves = np.sin(np.outer((0.5, 1, 2), time) + rng.uniform(0, 2 * np.pi, (3, 1)))
    wander = np.einsum("hf,hkx->fkx", waves, rng.normal(size=(3, 4, 2)))
    errors = rng.choice(SCALES) * WANDER * wander + JITTER * rng.normal(size=truth.shape)
    return track - slip * (truth - truth.mean(axis=0)) + view.length_px * errors


def _look(
    video: NDArray[np.uint8], truth: NDArray[np.float64], track: NDArray[np.float64]
) -> dict[str, Tensor]:
    view = SteadyView.of(track)
    return {
        "pictures": torch.from_numpy(view.pictures(video)),
        "heights": torch.from_numpy(view.heights.astype(np.float32)),
        "length_px": torch.tensor(view.length_px, dtype=torch.float32),
        "points": torch.from_numpy((view.to_steady(truth) * view.length_px).astype(np.float32)),
    }
