"""From colour and deep pixels to 8-bit grey, and whether a picture shows colour Doppler.

Grey is Rec. 601 luma, Y = 0.299 R + 0.587 G + 0.114 B: what JPEG and DICOM YBR store as their first channel,
so that a clip has the same grey in every encoding.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DOPPLER_WARNING = (
    "The clip contains colour Doppler or another colour overlay: colour hides the walls beneath it, so "
    "landmarks there are less certain."
)
_CHROMA = 48
_DOPPLER_SHARE = 0.002


def luma(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give the Rec. 601 luma of ``(H, W, 3)`` RGB; ``(H, W)`` grey is returned as it is.

    Both uint8; the result is ``(H, W)``, rounded to nearest.
    """
    if pixels.ndim == 2:
        return pixels
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).convert("L"))


def rescale(values: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    """Map ``low..high`` linearly to 0..255, clipped and rounded; any numeric dtype to uint8."""
    scaled = (values.astype(np.float32) - np.float32(low)) * np.float32(255.0 / max(high - low, 1e-12))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def shows_doppler(rgb: NDArray[np.uint8]) -> bool:
    """Tell whether a picture ``(H, W, 3)`` uint8 RGB has strong red and strong blue at once.

    A tinted grey map has one hue and screen furniture is small; flow towards and away from the probe, and the
    colour bar beside it, have both. At least 0.2 % of the pixels must be of each: in B-mode clips of six
    makers the rarer hue covers at most 0.1 %, in colour clips at least 0.25 %.
    """
    if rgb.ndim == 2:
        return False
    difference = rgb[..., 0].astype(np.int16) - rgb[..., 2]
    red, blue = np.mean(difference > _CHROMA), np.mean(difference < -_CHROMA)
    return bool(min(red, blue) >= _DOPPLER_SHARE)
