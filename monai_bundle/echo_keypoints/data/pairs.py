"""`FramePairs`: reference and target frames of clips, for the optical flow."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset


class FramePairs(Dataset[dict[str, Tensor]]):
    """Pairs of frames of one clip, forwards and backwards in time.

    An item is ``reference`` and ``target`` ``(P, 1, S, S)`` uint8. Clips that have ``points`` (those of
    evaluations) also give ``reference_points`` and ``points``, of the targets, ``(P, 4, 2)``; training clips
    have none.

    Args:
        clips: data set of ``frames`` ``(T, 1, S, S)``, T at least 2.
        pairs: P.
        gap: largest distance of two frames; None for any. Flow that is followed from frame to frame
            (`training.pseudo.ChainedFlow`) needs small ones only.
        crop: side of a random square that is cut out of both frames, the same for all pairs; None for none.
            Points are those of the whole frame.
    """

    def __init__(
        self,
        clips: Dataset[dict[str, Tensor]],
        pairs: int = 4,
        gap: int | None = None,
        crop: int | None = None,
    ) -> None:
        self.clips, self.pairs, self.gap, self.crop = clips, pairs, gap, crop

    def __len__(self) -> int:
        return len(self.clips)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        clip = self.clips[index]
        rng = np.random.default_rng((index, 5))
        reference, target = self._draw(len(clip["frames"]), rng)
        view = self._window(clip["frames"].shape[-1], rng)
        item = {"reference": clip["frames"][reference][view], "target": clip["frames"][target][view]}
        if "points" in clip:
            item |= {"reference_points": clip["points"][reference], "points": clip["points"][target]}
        return item

    def _draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Frames of P pairs, each of two different frames."""
        step = rng.integers(1, min(self.gap or count, count - 1) + 1, self.pairs)
        first = rng.integers(0, count - step)
        pairs = np.stack([first, first + step])
        swapped = np.where(rng.random(self.pairs) < 0.5, pairs[::-1], pairs)
        return torch.from_numpy(swapped[0]), torch.from_numpy(swapped[1])

    def _window(self, side: int, rng: np.random.Generator) -> tuple[slice, ...]:
        size = min(self.crop or side, side)
        top, left = rng.integers(0, side - size + 1, 2)
        return slice(None), slice(None), slice(top, top + size), slice(left, left + size)
