"""Dark greys lifted for SK-net. The paper has no such step.

Walls that run along the beam, and the blood's border in a poorly filled sector, lie in the darkest greys of a picture
that was made for the eye. The detector tells them better from a picture whose dark greys are spread out, on phantoms,
on another simulator and on real hearts alike, and the better if it was trained on pictures as they are
(`docs/real_hearts.md`). TR-net's patches, motion, PlaceNet and the confidence are of the frames as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GAMMA = 0.45
"""Exponent of the grey map."""

LIFTED: NDArray[np.uint8] = np.round(255 * (np.arange(256) / 255) ** GAMMA).astype(np.uint8)
"""``(256,)`` what each grey becomes."""


def lifted(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lift the dark greys of frames of any shape; black and white stay."""
    return LIFTED[frames]
