"""A user's clips as endless data sets: an item is a pure function of its index, as with the phantom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from echo_keypoints.data.augment import random_view
from echo_keypoints.data.folders import labelled
from echo_keypoints.data.points import LabelError, Labels, read_labels
from echo_keypoints.errors import ClipError
from echo_keypoints.readers import read_clip
from echo_keypoints.tracking.closer import closer_window, measuring_line
from echo_keypoints.tracking.context import CONTEXT_FRAMES, temporal_context
from echo_keypoints.tracking.letterbox import LetterBox
from echo_keypoints.tracking.region import REGION_FRAMES, scan_region

PASSES = 1_000_000
"""How often an endless data set goes through its clips, each time in another order and with other choices."""


@lru_cache(maxsize=64)
def model_clip(
    path: str, size: int, line: tuple[float, ...] | None = None
) -> tuple[NDArray[np.uint8], LetterBox]:
    """Read a clip as the networks see it: scan region, letter-boxed; the last few stay in memory.

    Args:
        path: of the clip.
        size: side of the frames in px.
        line: `labelled_line` of its labels, if there are any: a small heart is then shown closer, as it is when the
            clip is tracked.

    Returns:
        Frames ``(T, size, size)`` uint8, not to be edited, and the map between original and model pixels.

    Raises:
        ClipError: the clip cannot be used.
    """
    clip = read_clip(path)
    region = scan_region(clip.header, list(clip.pixels[:REGION_FRAMES]))
    if line is not None:
        region = closer_window(region, clip.header.spacing_mm, np.reshape(line, (2, 2)))
    box = LetterBox.fit(region, clip.header.spacing_mm, size)
    return np.stack([box.apply(frame) for frame in clip.pixels]), box


def labelled_line(labels: Labels) -> tuple[float, ...] | None:
    """Give x, y of SEpP and of PEpP in labels, original pixels; None if no frame has both (`closer.measuring_line`)."""
    complete = [points for points in labels.values() if np.isfinite(points[[0, 3]]).all()]
    return tuple(measuring_line(np.stack(complete)).ravel().tolist()) if complete else None


class _Endless(Dataset[dict[str, Tensor]]):
    """Items of a list in a new random order in every pass.

    Args:
        data: ``{"image": …, "label": …}``, or ``"points"`` in place of ``"label"`` (`folders.Item`).
        size: side of the frames.
        augment: vary geometry and grey values.
        seed: of order and choices.
    """

    def __init__(
        self, data: Sequence[Mapping[str, Any]], size: int = 224, augment: bool = True, seed: int = 0
    ) -> None:
        self.data = list(data)
        self.size, self.augment, self.seed = size, augment, seed

    def __len__(self) -> int:
        return len(self.data) * (PASSES if self.augment else 1)

    def _draw(self, index: int) -> tuple[Mapping[str, Any], np.random.Generator]:
        """The clip of an item, and the item's own source of randomness."""
        turn, place = divmod(index, len(self.data))
        if self.augment:
            place = int(np.random.default_rng((self.seed, turn)).permutation(len(self.data))[place])
        return self.data[place], np.random.default_rng((self.seed, index, 1))


class ClipWindows(_Endless):
    """Runs of consecutive frames of clips, for flow and TR-net. Labels are not even read.

    An item is ``frames`` ``(T, 1, S, S)`` uint8; a clip that is too short is continued by its last frame.

    Args:
        data, size, augment, seed: see `_Endless`; without `augment` the run starts with the clip.
        frame_count: T.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        frame_count: int = 32,
        size: int = 224,
        augment: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(data, size, augment, seed)
        self.frame_count = frame_count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        item, rng = self._draw(index)
        video, _ = model_clip(item["image"], self.size)
        first = int(rng.integers(max(1, len(video) - self.frame_count + 1))) if self.augment else 0
        frames = video[np.minimum(np.arange(first, first + self.frame_count), len(video) - 1)]
        if self.augment:
            frames, _ = random_view(frames, np.zeros((1, 2)), rng)
        return {"frames": torch.from_numpy(frames[:, None].copy())}


class LabelledFrames(_Endless):
    """Frames that people labelled, for SK-net; clips without labels are left out.

    An item is F of the labelled frames of one clip: ``image`` ``(F, 1, S, S)`` uint8 and ``points``
    ``(F, 4, 2)`` float32 px of these frames, NaN where a landmark was not set, and their temporal context,
    ``context`` ``(2, S, S)`` float32. If a clip has fewer, some come twice.

    Args:
        data, size, augment, seed: see `_Endless`; without `augment` the frames are the first ones.
        frames_per_clip: F.
        complete: only frames with all four landmarks.

    Raises:
        ClipError: no clip has (complete) labels.
        LabelError: a file of labels is damaged, or its frames are not in the clip.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        frames_per_clip: int = 4,
        size: int = 224,
        augment: bool = True,
        seed: int = 0,
        complete: bool = False,
    ) -> None:
        items = labelled(data)
        labels = [item.get("points") or read_labels(Path(item["label"])) for item in items]
        if complete:
            labels = [{f: p for f, p in label.items() if np.isfinite(p).all()} for label in labels]
            if not any(labels):
                raise ClipError("No frame of the clips has all four landmarks: set the missing ones.")
        self.labels: dict[str, Labels] = {
            item["image"]: label for item, label in zip(items, labels, strict=True) if label
        }
        # A result that nobody corrected has no anchors, hence no labels.
        super().__init__(labelled([i for i in items if i["image"] in self.labels]), size, augment, seed)
        self.frames_per_clip = frames_per_clip

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        item, rng = self._draw(index)
        labels = self.labels[item["image"]]
        video, box = model_clip(item["image"], self.size, labelled_line(labels))
        known = sorted(labels)
        if known[-1] >= len(video):
            raise LabelError(
                f"Frame {known[-1]} of {Path(item['image']).name} is labelled, but it has {len(video)} frames."
            )
        order = rng.permutation(len(known)) if self.augment else np.arange(len(known))
        chosen = [known[i] for i in np.resize(order, self.frames_per_clip)]
        # Context frames go through the same change of view as the labelled ones.
        around = np.linspace(0, len(video) - 1, min(CONTEXT_FRAMES, len(video))).round().astype(int)
        frames = video[np.concatenate([chosen, around])]
        points = np.stack([box.to_model(labels[frame]) for frame in chosen])
        if self.augment:
            frames, points = random_view(frames, points, rng)
        frames, beat = frames[: len(chosen)], frames[len(chosen) :]
        return {
            "image": torch.from_numpy(frames[:, None].copy()),
            "points": torch.from_numpy(points.astype(np.float32)),
            "context": torch.from_numpy(temporal_context(beat)),
        }
