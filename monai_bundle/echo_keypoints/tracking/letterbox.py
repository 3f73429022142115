"""`LetterBox`: the affine between a file's pixels and model space, exact both ways."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from echo_keypoints.clip import Box

MODEL_SIZE = 224
"""Height and width of model space, in pixels."""

_LARGEST_ANISOTROPY = 4.0


@dataclass(frozen=True)
class LetterBox:
    """``model = original * scale + offset``, per axis, in ``(x, y)`` with pixel centres at integers.

    Attributes:
        region: the box of original pixels that is shown; everything else is black in model space.
        scale: model pixels per original pixel along x and y. They differ where the file's pixels are not
            square, so that model space is isotropic in mm.
        offset: of the same formula.
        size: height and width of model space.
    """

    region: Box
    scale: tuple[float, float]
    offset: tuple[float, float]
    size: int = MODEL_SIZE

    @classmethod
    def fit(
        cls, region: Box, spacing_mm: tuple[float, float] | None = None, size: int = MODEL_SIZE
    ) -> LetterBox:
        """Centre a region in model space, as large as fits.

        Args:
            region: half-open box in original pixels.
            spacing_mm: ``(sx, sy)`` mm per pixel, or None for square pixels. A ratio beyond 4 cannot be an
                image and is taken for square.
            size: height and width of model space.
        """
        sx, sy = spacing_mm or (1.0, 1.0)
        if not 1 / _LARGEST_ANISOTROPY <= sx / sy <= _LARGEST_ANISOTROPY:
            sx = sy = 1.0
        x0, y0, x1, y1 = region
        per_mm = size / max((x1 - x0) * sx, (y1 - y0) * sy)
        kx, ky = per_mm * sx, per_mm * sy
        # Edges, not centres, are what a box and an image share: edge = centre + 0.5.
        centre = (size - 1) / 2
        return cls(
            region,
            (kx, ky),
            (centre - kx * ((x0 + x1) / 2 - 0.5), centre - ky * ((y0 + y1) / 2 - 0.5)),
            size,
        )

    def to_model(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Original pixels ``(..., 2)`` → model pixels."""
        return np.asarray(points, np.float64) * self.scale + self.offset

    def to_original(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Model pixels ``(..., 2)`` → original pixels; the exact inverse of `to_model`."""
        return (np.asarray(points, np.float64) - self.offset) / self.scale

    def apply(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resample a frame ``(H, W)`` into model space ``(size, size)``, antialiased, black around."""
        columns, left, right = self._span(0)
        rows, top, bottom = self._span(1)
        image = Image.fromarray(frame).resize(
            (columns.stop - columns.start, rows.stop - rows.start),
            Image.Resampling.BILINEAR,
            box=(left, top, right, bottom),
        )
        model = np.zeros((self.size, self.size), np.uint8)
        model[rows, columns] = np.asarray(image)
        return model

    def _span(self, axis: int) -> tuple[slice, float, float]:
        """The whole model pixels that the region covers along an axis, and the original edges of those."""
        low, high = self.region[axis], self.region[axis + 2]
        k = self.scale[axis]
        shift = self.offset[axis] + 0.5 - 0.5 * k  # of edges: model_edge = original_edge * k + shift
        tolerance = 1e-6
        first = max(0, math.ceil(low * k + shift - tolerance))
        last = min(self.size, math.floor(high * k + shift + tolerance))
        if last <= first:  # a region thinner than one model pixel
            first = min(max(first - 1, 0), self.size - 1)
            last = first + 1
        return slice(first, last), max(low, (first - shift) / k), min(high, (last - shift) / k)
