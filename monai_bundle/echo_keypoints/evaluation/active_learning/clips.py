"""Phantom clips of a mixture: familiar ones, and some of a device that the networks have never seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.data.simulation import Phantom

Video = NDArray[np.uint8]
Points = NDArray[np.floating]

FRAMES = 10
LABELLED_FRAMES = 4
FPS = 12.0


@dataclass(frozen=True)
class Item:
    """A clip with its labels.

    Attributes:
        name: of the clip.
        image, label: files.
        unseen: whether it comes from the device that the networks have never seen.
    """

    name: str
    image: Path
    label: Path
    unseen: bool

    def of_bundle(self) -> dict[str, str]:
        """Give it as the bundle's data sets read it."""
        return {"image": str(self.image), "label": str(self.label)}


def mirrored(video: Video, points: Points) -> tuple[Video, Points]:
    """Show the heart from the other side, as some devices do."""
    turned = points.copy()
    turned[..., 0] = video.shape[2] - 1 - turned[..., 0]
    return np.ascontiguousarray(video[:, :, ::-1]), turned


def negative(video: Video, points: Points) -> tuple[Video, Points]:
    """Show strong echoes dark on a bright ground; what is outside of the scan stays black."""
    return np.where(video > 0, 255 - video, 0).astype(np.uint8), points


DEVICES: dict[str, Callable[[Video, Points], tuple[Video, Points]]] = {
    "mirrored": mirrored,
    "negative": negative,
}
"""Name → what the device does to frames ``(T, H, W)`` and points ``(T, 4, 2)``."""


def make_clips(folder: Path, count: int, first_seed: int, device: str, unseen_every: int) -> list[Item]:
    """Write phantom clips with labels on a few frames.

    Args:
        folder: of the clips; it is made.
        count: of clips.
        first_seed: of the phantoms, one after the other.
        device: a name of `DEVICES`.
        unseen_every: every so many clips one is of the device.
    """
    folder.mkdir(parents=True)
    labelled = np.linspace(0, FRAMES - 1, LABELLED_FRAMES).round().astype(int)
    items = []
    for index in range(count):
        clip = Phantom(first_seed + index).render(np.arange(FRAMES) / FPS)
        video, points = clip.video, clip.points
        unseen = index % unseen_every == 0
        if unseen:
            video, points = DEVICES[device](video, points)
        name = f"clip_{index:02d}"
        item = Item(name, folder / f"{name}.npz", folder / f"{name}.json", unseen)
        np.savez_compressed(item.image, video=video, fps=FPS, mm_per_px=clip.mm_per_px)
        frames = {str(frame): points[frame].tolist() for frame in labelled}
        item.label.write_text(json.dumps({"frames": frames}), encoding="utf-8")
        items.append(item)
    return items
