"""`FramePairs`: reference and target frames of clips, for the optical flow."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset


class FramePairs(Dataset[dict[str, Tensor]]):
    """Pairs of frames of one clip: one reference, and P targets as far from it as TR-net's pseudo-labels go.

    An item is ``reference`` and ``target`` ``(P, 1, S, S)`` uint8. Clips that have ``points`` (those of
    evaluations) also give ``reference_points`` and ``points``, of the targets, ``(P, 4, 2)``; training clips
    have none.

    Args:
        clips: data set of ``frames`` ``(T, 1, S, S)``.
        pairs: P, at most T - 1.
    """

    def __init__(self, clips: Dataset[dict[str, Tensor]], pairs: int = 4) -> None:
        self.clips, self.pairs = clips, pairs

    def __len__(self) -> int:
        return len(self.clips)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        clip = self.clips[index]
        order = np.random.default_rng((index, 5)).permutation(len(clip["frames"]))
        targets = torch.from_numpy(order[1 : self.pairs + 1])
        reference = torch.full_like(targets, int(order[0]))
        item = {"reference": clip["frames"][reference], "target": clip["frames"][targets]}
        if "points" in clip:
            item |= {"reference_points": clip["points"][reference], "points": clip["points"][targets]}
        return item
