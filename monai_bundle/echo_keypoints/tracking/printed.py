"""What is printed over the picture and stays there, painted over: words, rulers, marks. The paper has no such step.

A word over the ventricle is bright, has an upper and a lower edge, and is in the same place in every frame: the second
look at a beat, which holds the walls still, sees it sharpest of all, and has taken one for the septum. No tissue is
thin, far brighter than what is around it, and the same to a few grey levels in every frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from echo_keypoints.tracking.windows import evenly_spread

LEAST_FRAMES = 8
"""Fewer different frames do not tell print from tissue that happens to be alike."""

_FRAMES = 24  # looked at, evenly spread
_STILL = 6  # grey levels by which print may change: lossy compression
_THIN = 5  # px of model space: strokes are thinner
_FAINT, _CLEAR = 10, 30  # grey levels by which thin things stand out from what lies open around them
_BRIGHTER = 50  # grey levels above the mean around: grains of saturated tissue have bright neighbours
_CROWD, _NEAR = 8, 5  # clear pixels that print has within so many px; grains of tissue are alone
_AROUND = 4  # px on every side: how far faint edges reach, and whose mean takes the place of print

_Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Print:
    """Where a clip is printed over, found once, and what to show there in any of its frames.

    Attributes:
        places: ``(K,)`` flat indices of the pixels.
        around: ``(K, N)`` those of the pixels around each.
        shares: ``(K, N)`` float32 weights of these; those that are printed over themselves have none.
    """

    places: NDArray[np.intp]
    around: NDArray[np.intp]
    shares: NDArray[np.float32]

    @classmethod
    def find(cls, frames: Sequence[_Picture]) -> Print:
        """Find the print in frames of a clip.

        Args:
            frames: ``(H, W)`` uint8 each, in model space and in their order; repeated ones count once, and of fewer
                than `LEAST_FRAMES` others nothing is called print.
        """
        different = [frames[0]]
        different += [b for a, b in pairwise(frames) if not np.array_equal(a, b)]
        if len(different) < LEAST_FRAMES:
            return cls.at(np.zeros(frames[0].shape, bool))
        seen = np.stack([different[i] for i in evenly_spread(len(different), _FRAMES)])
        darkest = seen.min(axis=0)
        still = seen.max(axis=0) - darkest <= _STILL
        above = darkest - _opened(darkest)
        faint = still & (above >= _FAINT)
        bare = cls.at(_grown(faint, 1)).painted_over(seen.mean(axis=0).astype(np.uint8))
        clear = faint & (above >= _CLEAR) & (darkest >= bare + np.int16(_BRIGHTER))
        return cls.at(_grown(faint & _grown(_crowded(clear), _AROUND), 1))

    @classmethod
    def at(cls, mask: NDArray[np.bool_]) -> Print:
        """Print at known pixels ``(H, W)``; where nothing around is free of it the picture is left as it is."""
        height, width = mask.shape
        rows, columns = np.nonzero(mask)
        step = np.arange(-_AROUND, _AROUND + 1)
        near_rows = np.clip(rows[:, None, None] + step[:, None], 0, height - 1)
        near_columns = np.clip(columns[:, None, None] + step, 0, width - 1)
        around = (near_rows * width + near_columns).reshape(len(rows), step.size**2)
        free = ~mask.ravel()[around]
        count = free.sum(axis=1, keepdims=True)
        known = count[:, 0] > 0
        places = (rows * width + columns)[known]
        return cls(places, around[known], (free[known] / count[known]).astype(np.float32))

    def painted_over(self, frame: _Picture) -> _Picture:
        """The frame ``(H, W)`` with the mean of what is around in place of print; itself if there is none."""
        if not len(self.places):
            return frame
        painted = frame.copy()
        values = np.einsum("kn,kn->k", frame.ravel()[self.around], self.shares)
        painted.ravel()[self.places] = np.rint(values).astype(np.uint8)
        return painted


def _grown(mask: NDArray[np.bool_], px: int) -> NDArray[np.bool_]:
    """A mask and what is at most so far from it, along rows and columns."""
    return np.asarray(Image.fromarray(mask.astype(np.uint8)).filter(ImageFilter.MaxFilter(2 * px + 1)), bool)


def _crowded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of a mask that have at least `_CROWD` of them, themselves included, within `_NEAR` px."""
    share = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).filter(ImageFilter.BoxBlur(_NEAR)))
    return mask & (share >= 255 * _CROWD / (2 * _NEAR + 1) ** 2 - 0.5)


def _opened(picture: _Picture) -> _Picture:
    """A picture without bright things that are thinner than `_THIN`."""
    shrunk = Image.fromarray(picture).filter(ImageFilter.MinFilter(_THIN))
    return np.asarray(shrunk.filter(ImageFilter.MaxFilter(_THIN)))
