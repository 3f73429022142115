"""What TR-net sees: locally normalised images, codes of displacements, and shifts between image patches."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .correlation import shift_correlation

PATCH = 24
"""P: side of the patches, in pixels of each level."""
CORE, PARTS = 16, 2
"""The middle of the reference image patch that is searched for in the target patch, up to 4 px away; and the
number of parts along each side that are searched apart."""


def normalise_locally(frames: Tensor, floor: float = 0.02) -> Tensor:
    """Remove the local mean and contrast, so that gain, depth compensation and attenuation do not matter.

    Statistics are taken in squares of 16 px every 8 px and interpolated.

    Args:
        frames: ``(N, 1, H, W)`` in [0, 1], H and W divisible by 8.
        floor: contrast below which an area counts as empty.

    Returns:
        ``(N, 1, H, W)``, about zero mean and unit deviation in any textured area.
    """

    def local_mean(x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, 16, stride=8, padding=4, count_include_pad=False)
        return F.interpolate(pooled, scale_factor=8.0, mode="bilinear", align_corners=False)

    centred = frames - local_mean(frames)
    return centred * torch.rsqrt(local_mean(centred.square()) + floor**2)


def position_code(vectors: Tensor, size: float = 224.0, octaves: int = 8) -> Tensor:
    """Raw and sine/cosine code of displacements.

    Args:
        vectors: ``(..., 2)`` in model pixels.
        size: the longest wavelength is twice this, the shortest ``2 * size / 2^(octaves - 1)`` px.
        octaves: number of wavelengths.

    Returns:
        ``(..., 2 + 4 * octaves)``.
    """
    frequencies = math.pi / size * 2.0 ** torch.arange(octaves, dtype=vectors.dtype, device=vectors.device)
    angles = (vectors.unsqueeze(-1) * frequencies).flatten(-2)
    return torch.cat((vectors * (8 / size), torch.sin(angles), torch.cos(angles)), dim=-1)


def core(image: Tensor) -> Tensor:
    """Middle ``(..., 16, 16)`` of image patches ``(..., 24, 24)``."""
    margin = (PATCH - CORE) // 2
    return image[..., margin:-margin, margin:-margin]


def shift_volume(cores: Tensor, images: Tensor) -> Tensor:
    """Cores ``(N, K, 1, 16, 16)`` searched in image patches ``(N, K, 1, 24, 24)`` → ``(N, K, V)``."""
    volume = shift_correlation(cores.flatten(0, 1), images.flatten(0, 1), PARTS)
    return volume.flatten(1).unflatten(0, (-1, cores.shape[1]))


def read_shift(volume: Tensor, sharpness: Tensor) -> Tensor:
    """Read the best displacement off a shift correlation: where block matching would go, and how sure it is.

    Args:
        volume: ``(..., parts, D * D)`` from `shift_correlation`, D odd.
        sharpness: scalar; the displacement is the mean under ``softmax(sharpness * volume)``.

    Returns:
        ``(..., parts * 3)``: for each part x and y, in units of the search radius, and the highest correlation.
    """
    side = math.isqrt(volume.shape[-1])
    steps = torch.linspace(-1, 1, side, dtype=volume.dtype, device=volume.device)
    weights = torch.softmax(sharpness * volume, dim=-1)
    x, y = weights @ steps.repeat(side), weights @ steps.repeat_interleave(side)
    return torch.stack((x, y, volume.amax(dim=-1)), dim=-1).flatten(-2)
