"""A user's clips as MONAI data sets: dictionary transforms, and decoding that is done once.

``clip_dataset(items, cache_dir)`` gives MONAI's `Dataset`, or with a cache its `PersistentDataset`: decoding, cropping
and resizing are deterministic and kept on disk, and only the random transforms that follow run in every epoch.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import Dataset, PersistentDataset
from monai.transforms import Compose, MapTransform, RandomizableTransform, Transform

from echo_keypoints.data.augment import random_view
from echo_keypoints.data.clips import labelled_line, model_clip
from echo_keypoints.data.points import read_labels


class LoadClipd(MapTransform):
    """Path of a clip → its frames in model space, ``(T, 1, S, S)`` uint8, and labels → points in the same pixels.

    The item gets ``frame_index`` ``(F,)`` int64 and ``points`` ``(F, 4, 2)`` float32 of its labelled frames, from
    ``"label"`` (a file) or ``"points"`` (frame → points, original pixels); both are empty without labels.

    Args:
        keys: of the clips, ``"image"`` as a rule.
        size: S.
    """

    def __init__(self, keys: Hashable | Sequence[Hashable] = "image", size: int = 224) -> None:
        super().__init__(keys)
        self.size = size

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Load one item.

        Raises:
            ClipError: the clip cannot be used.
            LabelError: the labels are damaged.
        """
        item = dict(data)
        for key in self.key_iterator(item):
            labels = item.get("points") or (read_labels(Path(item["label"])) if item.get("label") else {})
            frames, box = model_clip(str(item[key]), self.size, labelled_line(labels))
            known = sorted(frame for frame in labels if frame < len(frames))
            points = np.array([box.to_model(labels[frame]) for frame in known]).reshape(-1, 4, 2)
            item[key] = torch.from_numpy(frames[:, None].copy())
            item["frame_index"] = torch.tensor(known, dtype=torch.int64)
            item["points"] = torch.from_numpy(points.astype(np.float32))
        return item


class RandWindowd(MapTransform, RandomizableTransform):
    """Take a random run of frames of a clip ``(T, 1, S, S)``; labels go along, those outside of it are left out.

    A clip that is too short is continued by its last frame.

    Args:
        keys: of the clips.
        frame_count: length of the run.
    """

    def __init__(self, keys: Hashable | Sequence[Hashable] = "image", frame_count: int = 32) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob=1.0)
        self.frame_count = frame_count

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Cut one item."""
        item = dict(data)
        for key in self.key_iterator(item):
            count = len(item[key])
            first = int(self.R.randint(max(1, count - self.frame_count + 1)))
            run = torch.arange(first, first + self.frame_count)
            item[key] = item[key][run.clamp_max(count - 1)]
            inside = (item["frame_index"] >= first) & (item["frame_index"] < first + self.frame_count)
            item["frame_index"], item["points"] = item["frame_index"][inside] - first, item["points"][inside]
        return item


class RandViewd(MapTransform, RandomizableTransform):
    """Turn, zoom and shift a clip with its points, and change gain, gamma and noise (`augment.random_view`)."""

    def __init__(self, keys: Hashable | Sequence[Hashable] = "image") -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob=1.0)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Change one item."""
        item = dict(data)
        for key in self.key_iterator(item):
            rng = np.random.default_rng(self.R.randint(2**31))
            frames, points = random_view(item[key][:, 0].numpy(), item["points"].numpy(), rng)
            item[key] = torch.from_numpy(frames[:, None])
            item["points"] = torch.from_numpy(points.astype(np.float32))
        return item


def clip_dataset(
    items: Sequence[Mapping[str, Any]],
    cache_dir: str | Path | None = None,
    size: int = 224,
    then: Sequence[Transform] = (),
) -> Dataset:
    """Make a MONAI data set of clips.

    Args:
        items: of `folders.clip_items` or `echonet_lvh.echonet_lvh_items`.
        cache_dir: where loaded clips are kept; None loads them anew each time.
        size: side of the frames.
        then: transforms after the loading, such as `RandWindowd` and `RandViewd`.
    """
    transform = Compose([LoadClipd("image", size), *then])
    if cache_dir is None:
        return Dataset(items, transform)
    return PersistentDataset(items, transform, cache_dir)
