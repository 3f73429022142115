"""Augmentation as regularisation, ARFlow's second stage: harder views must give the flow of the easy view."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from echo_keypoints.networks.sampling import pixel_grid


def random_affines(count: int, generator: torch.Generator, turn: float, zoom: float, shift: float) -> Tensor:
    """Draw random similarities about the origin, as ``(count, 2, 3)`` float32.

    Args:
        count: how many.
        generator: source of randomness, on the CPU.
        turn: largest rotation either way, degrees.
        zoom: scales are drawn log-uniformly from ``1 / (1 + zoom)`` to ``1 + zoom``.
        shift: largest translation either way along each axis, in the units of the points.
    """
    draw = torch.rand(4, count, generator=generator) * 2 - 1
    angle = draw[0] * math.radians(turn)
    scale = torch.exp(draw[1] * math.log1p(zoom))
    cosine, sine = scale * torch.cos(angle), scale * torch.sin(angle)
    rows = (torch.stack((cosine, -sine, draw[2] * shift)), torch.stack((sine, cosine, draw[3] * shift)))
    return torch.stack(rows).permute(2, 0, 1)


def _apply(affine: Tensor, points: Tensor) -> Tensor:
    """``(N, 2, 3)`` on ``(N, H, W, 2)`` points or ``(H, W, 2)`` points → ``(N, H, W, 2)``."""
    linear, offset = affine[:, None, :, :2], affine[:, None, None, :, 2]
    return points @ linear.transpose(-1, -2) + offset


def _invert(affine: Tensor) -> Tensor:
    """Inverse ``(N, 2, 3)`` of affines ``(N, 2, 3)``."""
    linear = torch.linalg.inv(affine[:, :, :2])
    return torch.cat((linear, -linear @ affine[:, :, 2:]), dim=-1)


def _read(maps: Tensor, points: Tensor) -> Tensor:
    """Sample ``(N, C, H, W)`` at pixel positions ``(N, H', W', 2)``; zeros outside."""
    size = points.new_tensor((maps.shape[-1], maps.shape[-2]))
    return F.grid_sample(maps, (points * 2 + 1) / size - 1, padding_mode="zeros", align_corners=False)


def transform_pair(
    reference: Tensor, target: Tensor, flow: Tensor, mask: Tensor, first: Tensor, second: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Look at a pair of frames through two affines, and say what its flow is then.

    The new frames are ``I'(p) = I(A p)`` with A = `first` for the reference and `second` for the target, so
    the flow becomes ``flow'(p) = second^-1 (q + flow(q)) - p`` with ``q = first p``.

    Args:
        reference: ``(N, 1, H, W)``.
        target: the same size.
        flow: ``(N, 2, H, W)`` pixels.
        mask: ``(N, 1, H, W)``, 1 where the flow is to be trusted.
        first: ``(N, 2, 3)`` affines on pixels about the centre of the image.
        second: the same for the target.

    Returns:
        The new reference, target, flow and mask; the mask is 0 where the view leaves the image.
    """
    height, width = reference.shape[-2:]
    centre = flow.new_tensor(((width - 1) / 2, (height - 1) / 2))
    grid = pixel_grid(flow)  # (H, W, 2)
    seen = _apply(first, grid - centre) + centre  # (N, H, W, 2)
    end = seen + _read(flow, seen).permute(0, 2, 3, 1)
    new_flow = _apply(_invert(second), end - centre) + centre - grid
    new_mask = (_read(mask, seen) > 0.99).to(mask.dtype)
    seen_target = _apply(second, grid - centre) + centre
    return _read(reference, seen), _read(target, seen_target), new_flow.permute(0, 3, 1, 2), new_mask


def vary_appearance(frames: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    """Change gain and gamma of frames ``(N, 1, H, W)`` in [0, 1], and add noise; nothing at strength 0."""
    draw = torch.rand(3, frames.shape[0], 1, 1, 1, generator=generator).to(frames) * 2 - 1
    gain, gamma = torch.exp(draw[0] * strength), torch.exp(draw[1] * strength)
    noise = torch.randn(frames.shape, generator=generator).to(frames) * draw[2].abs() * strength * 0.1
    # A positive floor keeps the power differentiable at black pixels.
    return (frames.clamp_min(1e-6) ** gamma * gain + noise).clamp(0, 1)


class AugmentationLoss(nn.Module):
    """Distance between the flow of an augmented pair and the transformed flow of the plain pair.

    ``mean over the mask of (|flow - flow'| + eps)^q`` (ARFlow has eps 0.01 and q 0.4). What leaves the view
    in the augmented pair has no counterpart any more, so the network learns to guess it from the tissue
    around.

    Args:
        turn: largest rotation in degrees.
        zoom: largest zoom, see `random_affines`.
        shift: largest translation as a share of the image's shorter side.
        relative: the target moves against the reference by this share of the above.
        appearance: strength of the change of gain, gamma and noise.
        eps, q: robust norm.
    """

    def __init__(
        self,
        turn: float = 15.0,
        zoom: float = 0.3,
        shift: float = 0.1,
        relative: float = 0.2,
        appearance: float = 0.3,
        eps: float = 0.01,
        q: float = 0.4,
    ) -> None:
        super().__init__()
        self.turn, self.zoom, self.shift, self.relative = turn, zoom, shift, relative
        self.appearance, self.eps, self.q = appearance, eps, q

    def forward(
        self,
        network: nn.Module,
        reference: Tensor,
        target: Tensor,
        flow: Tensor,
        mask: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        """Run the network on an augmented pair and compare.

        Args:
            network: `FlowNet`, or anything of the same call.
            reference: ``(N, 1, H, W)`` in [0, 1].
            target: the same size.
            flow: the network's ``(N, 2, H, W)`` on the plain pair; it is a fixed target here.
            mask: ``(N, 1, H, W)``, 1 where that flow passed the forward-backward check.
            generator: source of randomness, on the CPU.

        Returns:
            Scalar.
        """
        side = min(reference.shape[-2:])
        count = reference.shape[0]
        first = random_affines(count, generator, self.turn, self.zoom, self.shift * side)
        amounts = (self.turn * self.relative, self.zoom * self.relative, self.shift * side * self.relative)
        nudge = random_affines(count, generator, *amounts)
        # second = first after nudge
        second = torch.cat(
            (first[:, :, :2] @ nudge[:, :, :2], first[:, :, :2] @ nudge[:, :, 2:] + first[:, :, 2:]), dim=-1
        )
        with torch.no_grad():
            a, b, expected, trusted = transform_pair(
                reference, target, flow.detach(), mask, first.to(flow), second.to(flow)
            )
            a, b = (vary_appearance(x, generator, self.appearance) for x in (a, b))
        distance = ((network(a, b) - expected).abs() + self.eps) ** self.q
        return (distance * trusted).sum() / (trusted.sum() * 2).clamp_min(1)
