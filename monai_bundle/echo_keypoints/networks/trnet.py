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

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from echo_keypoints.anatomy import LANDMARKS

from .correlation import patch_correlation, unit_length
from .evidence import CORE, PARTS, PATCH, core, normalise_locally, position_code, read_shift, shift_volume
from .mixer import MixerBlock
from .sampling import sample_patches

CELLS, CELL = 8, 3
"""A context patch is read as CELLS × CELLS cells of CELL × CELL pixels."""
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


def _embed(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, outputs), nn.GELU())


def _embed_correlation(inputs: int, outputs: int) -> nn.Sequential:
    # No normalisation: the height of a correlation is what it says.
    return nn.Sequential(nn.Linear(inputs, outputs), nn.GELU(), nn.Linear(outputs, outputs), nn.GELU())


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
        return (core(image), *(unit_length(patch, 2) for patch in contexts))

    def _correlate(self, patches: list[Tensor], descriptors: Maps, count: int) -> list[Tensor]:
        """Patches ``(B * T, K, ...)`` with descriptors ``(B, K, ...)``, T = `count` → ``(B * T, K, V_l)``."""
        rows = [d.repeat_interleave(count, dim=0) for d in descriptors]  # (B * T, K, ...)
        contexts = [
            patch_correlation(row, unit_length(patch, 2)).flatten(2)
            for row, patch in zip(rows[1:], patches[1:], strict=True)
        ]
        return [shift_volume(rows[0], patches[0]), *contexts]

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
        rows = torch.arange(points.shape[0] * count, device=points.device)
        before = torch.maximum(rows - 1, rows // count * count)  # the first of a window has none but itself
        tokens, readings = self._observe(maps, points.flatten(0, 1), reference_points, descriptors, before)
        return self._move(points, tokens.unflatten(0, (-1, count)), readings.unflatten(0, (-1, count)))

    def step_windows(
        self,
        maps: Maps,
        points: Tensor,
        reference_points: Tensor,
        descriptors: Maps,
        pairs: Tensor,
        windows: Tensor,
    ) -> Tensor:
        """Move the points of overlapping windows one step: `forward`, with each frame looked at once.

        Args:
            maps: from `encode`, of N frames.
            points: ``(N, K, 2)``.
            reference_points: ``(1, K, 2)``.
            descriptors: from `describe`, of one reference frame.
            pairs: ``(2, R)`` integer: frames, and those that are before them in some window.
            windows: ``(W, T)`` integer: the pairs of each window.

        Returns:
            ``(W, T, K, 2)`` refined points.
        """
        frames, before = pairs.unbind()
        tokens, readings = self._observe(maps, points, reference_points, descriptors, before, frames)
        return self._move(points[frames][windows], tokens[windows], readings[windows])

    def _observe(
        self,
        maps: Maps,
        points: Tensor,
        reference_points: Tensor,
        descriptors: Maps,
        before: Tensor,
        frames: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Look at frames, each with one before it.

        Args:
            maps: of N frames.
            points: ``(N, K, 2)``.
            reference_points: ``(B, K, 2)``; N / B successive frames share one.
            descriptors: of B reference frames.
            before: ``(R,)`` frames.
            frames: ``(R,)`` those after them; all N by default.

        Returns:
            Tokens ``(R, K, D)`` and what was read off the shift correlations ``(R, K, readings)``.
        """
        count = points.shape[0] // reference_points.shape[0]
        patches = self._patches(maps, points)
        parts = [position_code(points - reference_points.repeat_interleave(count, dim=0))]
        looks = [embed(p.flatten(2)) for embed, p in zip(self.patch_embeddings, patches, strict=True)]
        if self.training and self.appearance_dropout:
            shown = torch.rand(len(reference_points), 1, 1, device=points.device) >= self.appearance_dropout
            looks = [look * shown.repeat_interleave(count, dim=0) for look in looks]
        parts += looks
        volumes = self._correlate(patches, descriptors, count) if self.use_correlation else []
        embeddings = list(self.correlation_embeddings)
        parts += [embed(v) for embed, v in zip(embeddings, volumes, strict=False)]
        readings = [self._read(v) for v in volumes[:1]]
        if frames is not None:
            parts, readings = [p[frames] for p in parts], [r[frames] for r in readings]
        if self.use_neighbours:
            images = patches[0] if frames is None else patches[0][frames]
            volume = shift_volume(core(patches[0])[before], images)
            parts.append(embeddings[-1](volume))
            readings.append(self._read(volume))
        read = torch.cat(readings, dim=-1) if readings else parts[0][..., :0]
        return self.tokens(torch.cat((*parts, read), dim=-1)), read

    def _read(self, volume: Tensor) -> Tensor:
        """`read_shift` of ``(N, K, V)`` → ``(N, K, PARTS^2 * 3)``."""
        return read_shift(volume.unflatten(-1, (PARTS**2, -1)), self.sharpness)

    def _move(self, points: Tensor, tokens: Tensor, readings: Tensor) -> Tensor:
        """Let the tokens ``(B, T, K, D)`` of windows exchange what they know; points ``(B, T, K, 2)`` → the same."""
        mixed = self.blocks(tokens.transpose(1, 2)).transpose(1, 2)
        local = torch.cat((mixed, readings), dim=-1)
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
