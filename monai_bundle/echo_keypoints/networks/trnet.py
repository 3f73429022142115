"""TR-net: refines the trajectories of the four key-points together (paper, section 3.2).

One call is one of the M iterations. Each key-point in each frame is a token made of where it is relative to
the reference, what the image and SK-net's features look like around it, and how that correlates with the
surroundings of the reference point. Beyond the paper, the image patch is also compared with the one before it:
speckle of neighbouring frames matches better than that of frames half a beat apart, and the mixer can add up
such steps along the window. An MLP-Mixer over the tokens then says how far to move each point.

The P = 24 crop of a context map is read as 8 × 8 cells of 3 × 3 pixels: a learned 3 × 3 convolution of the
whole map, sampled 3 pixels apart, equals cutting the crop out and applying the kernel to each cell
(convolution and bilinear sampling commute), and its costly part is done once per clip.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from echo_keypoints.anatomy import LANDMARKS

from .correlation import patch_correlation, shift_correlation, unit_length
from .mixer import MixerBlock
from .sampling import sample_patches

PATCH = 24
"""P: side of the patches, in pixels of each level."""
CELLS, CELL = 8, 3
"""A context patch is read as CELLS × CELLS cells of CELL × CELL pixels."""
CORE, PARTS = 16, 2
"""The middle of the reference image patch that is searched for in the target patch, up to 4 px away; and the
number of parts along each side that are searched apart."""
STRIDES = (1, 2, 4, 8)
"""Strides of SK-net's features."""
STEP_PX = 4.0
"""Unit of the output layer: a typical correction."""

PRESETS: dict[str, dict[str, Any]] = {
    "small": {
        "feature_widths": (8, 8, 16, 32),
        # The image patch already shows what there is at stride 1; its features would be most of the memory
        # and time.
        "context_widths": (0, 12, 16, 16),
        "dim": 128,
        "depth": 6,
        "expansion": 3,
        "embedding": 64,
    },
    # The mixer of PIPs; the features of the paper preset of SK-net.
    "paper": {
        "feature_widths": (32, 64, 128, 256),
        "context_widths": (16, 32, 32, 32),
        "dim": 512,
        "depth": 12,
        "expansion": 4,
        "embedding": 256,
    },
}

Maps = tuple[Tensor, ...]


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


def _embed(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, outputs), nn.GELU())


def _embed_correlation(inputs: int, outputs: int) -> nn.Sequential:
    # No normalisation: the height of a correlation is what it says.
    return nn.Sequential(nn.Linear(inputs, outputs), nn.GELU(), nn.Linear(outputs, outputs), nn.GELU())


def _core(image: Tensor) -> Tensor:
    """Middle ``(..., 16, 16)`` of image patches ``(..., 24, 24)``."""
    margin = (PATCH - CORE) // 2
    return image[..., margin:-margin, margin:-margin]


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


def _correlate_neighbours(image: Tensor, count: int) -> Tensor:
    """Image patches ``(B * T, K, 1, 24, 24)``, T = `count`, each with the one before → ``(B * T, K, V)``.

    The first frame of a window is compared with itself.
    """
    cores = _core(image).unflatten(0, (-1, count))  # (B, T, K, 1, 16, 16)
    before = torch.cat((cores[:, :1], cores[:, :-1]), dim=1).flatten(0, 2)  # (B * T * K, 1, 16, 16)
    return shift_correlation(before, image.flatten(0, 1), PARTS).flatten(1).unflatten(0, (-1, image.shape[1]))


class TRNet(nn.Module):
    """One refinement step on windows of T frames.

    Args:
        feature_widths: channels of SK-net's features at strides 1, 2, 4, 8 (`SKNet.widths`).
        context_widths: channels that are kept of each; 0 leaves a level out.
        window: number of frames T; shorter clips are continued by their last frame, by the caller.
        landmarks: number of key-points K.
        dim, depth, expansion: of the MLP-Mixer.
        embedding: width of the embedding of each patch and each correlation.
        use_context: read SK-net's features (Table 4 of the paper).
        use_correlation: compare with the reference frame.
        use_neighbours: compare with the frame before.
        appearance_dropout: share of the windows that are not shown, in training, what the patches themselves look
            like. How things look differs from machine to machine more than how they match: TR-net has to be able
            to follow by matching alone.
    """

    def __init__(
        self,
        feature_widths: Sequence[int] = (8, 8, 16, 32),
        context_widths: Sequence[int] = (0, 12, 16, 16),
        window: int = 24,
        landmarks: int = len(LANDMARKS),
        dim: int = 128,
        depth: int = 6,
        expansion: int = 3,
        embedding: int = 64,
        use_context: bool = True,
        use_correlation: bool = True,
        use_neighbours: bool = True,
        appearance_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.appearance_dropout = appearance_dropout
        self.preset: str | None = None
        self.overrides: dict[str, Any] = {}
        self.window, self.use_context = window, use_context
        self.use_correlation, self.use_neighbours = use_correlation, use_neighbours
        self.levels = tuple(level for level, keep in enumerate(context_widths) if keep and use_context)
        kept = [context_widths[level] for level in self.levels]
        self.projections = nn.ModuleList(
            nn.Conv2d(feature_widths[level], context_widths[level], CELL, padding=CELL // 2, bias=False)
            for level in self.levels
        )
        self.patch_embeddings = nn.ModuleList(
            [_embed(PATCH**2, embedding), *(_embed(keep * CELLS**2, embedding) for keep in kept)]
        )
        image_volume = PARTS**2 * (PATCH - CORE + 1) ** 2
        volumes = [image_volume, *(CELLS**4 for _ in kept)] if use_correlation else []
        volumes += [image_volume] if use_neighbours else []
        self.correlation_embeddings = nn.ModuleList(_embed_correlation(v, embedding) for v in volumes)
        self.sharpness = nn.Parameter(torch.tensor(20.0))
        readings = PARTS**2 * 3 * (use_correlation + use_neighbours)
        position_width = position_code(torch.zeros(2)).shape[-1]
        inputs = position_width + embedding * (len(self.patch_embeddings) + len(volumes)) + readings
        self.tokens = nn.Linear(inputs, dim)
        self.blocks = nn.Sequential(
            *(MixerBlock(window, landmarks, dim, expansion) for _ in range(depth)), nn.LayerNorm(dim)
        )
        self.step = nn.Linear(dim, 2)
        self.rate = nn.Linear(dim + readings, 2)
        # Training starts from the identity: no step at all.
        for layer in (self.step, self.rate):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    @classmethod
    def from_preset(cls, preset: str, **overrides: Any) -> TRNet:
        """Build a network of `PRESETS` (``"small"`` or ``"paper"``); keywords override single values."""
        network = cls(**{**PRESETS[preset], **overrides})
        network.preset, network.overrides = preset, overrides
        return network

    def encode(self, frames: Tensor, features: Sequence[Tensor]) -> Maps:
        """Prepare the maps that patches are cut from, once per clip and frame by frame.

        Args:
            frames: ``(N, 1, H, W)`` in [0, 1], H and W divisible by 8.
            features: SK-net's four features ``(N, C_l, H/s_l, W/s_l)``; not read without `use_context`.

        Returns:
            The locally normalised frames ``(N, 1, H, W)`` and, for each of `levels`, a map
            ``(N, context_widths[l], H/s_l, W/s_l)``.
        """
        contexts = (
            project(features[level]) for project, level in zip(self.projections, self.levels, strict=True)
        )
        return (normalise_locally(frames), *contexts)

    def _patches(self, maps: Maps, points: Tensor) -> list[Tensor]:
        """Patches at ``(N, K, 2)``: image ``(N, K, 1, 24, 24)``, contexts ``(N, K, C_l, 8, 8)``."""
        contexts = (
            sample_patches(context, points, CELLS, STRIDES[level], CELL)
            for context, level in zip(maps[1:], self.levels, strict=True)
        )
        return [sample_patches(maps[0], points, PATCH), *contexts]

    def describe(self, maps: Maps, points: Tensor) -> Maps:
        """Cut out what the targets are compared with.

        Args:
            maps: of the reference frames, from `encode`, B rows.
            points: ``(B, K, 2)`` reference points in model pixels.

        Returns:
            The middle of the image patches ``(B, K, 1, 16, 16)`` and, with `use_context`, the context patches
            ``(B, K, C_l, 8, 8)`` with unit vectors at each cell.
        """
        image, *contexts = self._patches(maps, points)
        return (_core(image), *(unit_length(patch, 2) for patch in contexts))

    def _correlate(self, patches: list[Tensor], descriptors: Maps, count: int) -> list[Tensor]:
        """Patches ``(B * T, K, ...)`` with descriptors ``(B, K, ...)``, T = `count` → ``(B * T, K, V_l)``."""
        rows = [d.repeat_interleave(count, dim=0) for d in descriptors]  # (B * T, K, ...)
        landmarks = rows[0].shape[1]
        image = shift_correlation(rows[0].flatten(0, 1), patches[0].flatten(0, 1), PARTS)
        contexts = [
            patch_correlation(row, unit_length(patch, 2)).flatten(2)
            for row, patch in zip(rows[1:], patches[1:], strict=True)
        ]
        return [image.flatten(1).unflatten(0, (-1, landmarks)), *contexts]

    def forward(self, maps: Maps, points: Tensor, reference_points: Tensor, descriptors: Maps) -> Tensor:
        """Move the points one step.

        Args:
            maps: from `encode`, of the ``B * T`` frames of the windows, window after window.
            points: ``(B, T, K, 2)`` current estimates in model pixels, T = `window`.
            reference_points: ``(B, K, 2)``.
            descriptors: from `describe`.

        Returns:
            ``(B, T, K, 2)`` refined points. The reference frame is not treated apart; the caller locks it.
        """
        count = points.shape[1]
        patches = self._patches(maps, points.flatten(0, 1))
        parts = [position_code(points - reference_points.unsqueeze(1)).flatten(0, 1)]
        looks = [embed(p.flatten(2)) for embed, p in zip(self.patch_embeddings, patches, strict=True)]
        if self.training and self.appearance_dropout:
            shown = torch.rand(len(points), 1, 1, device=points.device) >= self.appearance_dropout
            looks = [look * shown.repeat_interleave(count, dim=0) for look in looks]
        parts += looks
        volumes = self._correlate(patches, descriptors, count) if self.use_correlation else []
        volumes += [_correlate_neighbours(patches[0], count)] if self.use_neighbours else []
        parts += [embed(v) for embed, v in zip(self.correlation_embeddings, volumes, strict=True)]
        shifts = volumes[:1] * self.use_correlation + volumes[-1:] * self.use_neighbours
        readings = [read_shift(v.unflatten(-1, (PARTS**2, -1)), self.sharpness) for v in shifts]
        parts += readings
        tokens = self.tokens(torch.cat(parts, dim=-1)).unflatten(0, (-1, count))  # (B, T, K, D)
        mixed = self.blocks(tokens.transpose(1, 2)).transpose(1, 2)
        local = torch.cat((mixed, *(r.unflatten(0, (-1, count)) for r in readings)), dim=-1)
        # What a comparison with the frame before tells is a velocity: its sum over time is the trajectory's shape.
        drift = torch.cumsum(self.rate(local), dim=1)
        return points + STEP_PX * (self.step(mixed) + drift - drift.mean(dim=1, keepdim=True))

    def refine(
        self, maps: Maps, points: Tensor, reference_points: Tensor, descriptors: Maps, iterations: int = 5
    ) -> list[Tensor]:
        """Repeat `forward`; gradients do not flow from one iteration into the one before.

        The maps receive their gradient from the last iteration only: a gradient the size of whole maps costs
        more than everything else in an iteration.

        Args:
            maps, points, reference_points, descriptors: see `forward`.
            iterations: M of the paper.

        Returns:
            The points ``(B, T, K, 2)`` after each iteration.
        """
        fixed = tuple(level.detach() for level in maps)
        results: list[Tensor] = []
        for i in range(iterations):
            current = maps if i == iterations - 1 else fixed
            points = self(current, points.detach(), reference_points, descriptors)
            results.append(points)
        return results
