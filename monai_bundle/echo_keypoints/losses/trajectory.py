"""Losses of TR-net: it sees no frame labels, only flow and the likeness of patches (paper, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from echo_keypoints.networks.sampling import sample_patches, sample_points

PATCH = 24
"""P of the paper, in model pixels."""


def pseudo_points(flow: Tensor, reference_points: Tensor) -> Tensor:
    """Carry the reference points along the flow: ``k_ref + F(k_ref)``, the flow read bilinearly.

    Args:
        flow: ``(N, 2, H, W)`` from reference to target in model pixels.
        reference_points: ``(N, K, 2)`` in model pixels.

    Returns:
        ``(N, K, 2)``.
    """
    return reference_points + sample_points(flow, reference_points)


class PseudoLoss(nn.Module):
    """L_pseudo, eq. 3: mean squared distance to the pseudo-labels, in square pixels of model space.

    Args:
        huber_px: beyond this distance d0 the loss grows linearly, as ``2 d0 d - d0^2``, so that a flow gone
            astray does not rule the batch; None keeps the square everywhere.
        velocity: weight of the mean squared error of the displacement from frame to frame, in square pixels. Eq. 3
            has none: a trajectory may then tremble about its pseudo-labels at little cost.
    """

    def __init__(self, huber_px: float | None = None, velocity: float = 0.0) -> None:
        super().__init__()
        self.huber_px, self.velocity = huber_px, velocity

    def forward(self, points: Tensor, pseudo: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compare trajectories.

        Args:
            points: ``(B, T, K, 2)`` of TR-net.
            pseudo: ``(B, T, K, 2)`` from the flow.
            mask: ``(B, T, K)`` weights, e.g. 1 where the flow passed its forward-backward check; all ones by
                default.

        Returns:
            Scalar; 0 if nothing counts.
        """
        if mask is None:
            mask = torch.ones_like(points[..., 0])
        loss = _weighted_mean(self._position(points - pseudo), mask)
        if self.velocity:
            error = (points - pseudo).diff(dim=1).square().sum(dim=-1)
            loss = loss + self.velocity * _weighted_mean(error, mask[:, 1:] * mask[:, :-1])
        return loss

    def _position(self, error: Tensor) -> Tensor:
        """Errors ``(B, T, K, 2)`` → what they cost ``(B, T, K)``."""
        squared = error.square().sum(dim=-1)
        if self.huber_px is not None:
            limit = self.huber_px
            # sqrt has no gradient at 0, where the square is taken anyway.
            distance = squared.clamp_min(limit**2).sqrt()
            squared = torch.where(squared > limit**2, 2 * limit * distance - limit**2, squared)
        return squared


def _weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Scalar; 0 if nothing has a weight."""
    return (values * weights).sum() / weights.sum().clamp_min(1)


class PatchLoss(nn.Module):
    """L_patch, eq. 4: patches around one key-point should look alike, the more the closer they are in time.

    ``sum_{j != k} decay^|k - j| (1 - cos(I_k, I_j)) / sum_{j != k} decay^|k - j|``, averaged over key-points.
    The paper prints the cosine itself, which, minimised, would drive the patches apart.

    Args:
        decay: lambda of the paper, per frame.
        zero_mean: subtract each patch's mean first (then the cosine is the correlation coefficient). Raw
            B-mode patches are all positive, so their cosines sit close to 1 whatever they show.
        size: side of the patches in pixels.
        eps: squared norm, in grey levels of 0..1 summed over the patch, below which a patch counts as flat
            and resembles nothing.
    """

    def __init__(
        self, decay: float = 0.9, zero_mean: bool = True, size: int = PATCH, eps: float = 1e-2
    ) -> None:
        super().__init__()
        self.decay, self.zero_mean, self.size, self.eps = decay, zero_mean, size, eps

    def forward(self, frames: Tensor, points: Tensor) -> Tensor:
        """Cut the patches at the points, with gradient, and compare every pair of frames.

        Args:
            frames: ``(B, T, 1, H, W)`` in [0, 1].
            points: ``(B, T, K, 2)`` in model pixels.

        Returns:
            Scalar in 0..2.
        """
        batch, count = points.shape[:2]
        patches = sample_patches(frames.flatten(0, 1), points.flatten(0, 1), self.size)
        patches = patches.flatten(2).unflatten(0, (batch, count)).transpose(1, 2)  # (B, K, T, P*P)
        return self.compare(patches)

    def compare(self, patches: Tensor) -> Tensor:
        """Patches ``(B, K, T, P*P)``, at least two frames → scalar."""
        if self.zero_mean:
            patches = patches - patches.mean(dim=-1, keepdim=True)
        units = patches * torch.rsqrt(patches.square().sum(dim=-1, keepdim=True) + self.eps)
        cosines = units @ units.transpose(-1, -2)  # (B, K, T, T)
        weights = pair_weights(patches.shape[-2], self.decay).to(patches)
        return (weights * (1 - cosines)).sum(dim=(-1, -2)).mean()


def pair_weights(count: int, decay: float) -> Tensor:
    """``decay^|k - j|`` for every pair of frames, 0 for a frame with itself, summing to 1: ``(T, T)``."""
    index = torch.arange(count, dtype=torch.float64)
    weights = decay ** (index[:, None] - index[None]).abs()
    weights.fill_diagonal_(0)
    return weights / weights.sum()


class TrajectoryLoss(nn.Module):
    """Eq. 5 over the M iterations: ``1/M sum_i alpha^(M-i) (L_pseudo_i + beta^(M-i) scale L_patch_i)``.

    Later iterations count more, and among the two terms L_patch gains weight from iteration to iteration.

    Args:
        pseudo: L_pseudo; by default eq. 3 as printed.
        patch: L_patch.
        alpha, beta: of the paper.
        patch_scale: 1 in the paper. L_pseudo is in square pixels and L_patch at most 2, so a larger one is
            needed where L_patch should be felt.
    """

    def __init__(
        self,
        pseudo: PseudoLoss | None = None,
        patch: PatchLoss | None = None,
        alpha: float = 0.8,
        beta: float = 0.8,
        patch_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.pseudo = pseudo if pseudo is not None else PseudoLoss()
        self.patch = patch if patch is not None else PatchLoss()
        self.alpha, self.beta, self.patch_scale = alpha, beta, patch_scale

    def forward(
        self, iterations: Sequence[Tensor], pseudo: Tensor, frames: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Judge what `TRNet.refine` gave.

        Args:
            iterations: ``(B, T, K, 2)`` after each of the M iterations.
            pseudo: ``(B, T, K, 2)`` pseudo-labels.
            frames: ``(B, T, 1, H, W)`` in [0, 1].
            mask: see `PseudoLoss`.

        Returns:
            The scalar, and ``{"pseudo": ..., "patch": ...}`` of the last iteration, detached, for the log.
        """
        total = pseudo.new_zeros(())
        log: dict[str, Tensor] = {}
        count = len(iterations)
        for i, points in enumerate(iterations, start=1):
            near, alike = self.pseudo(points, pseudo, mask), self.patch(frames, points)
            weight = self.alpha ** (count - i)
            total = total + weight * (near + self.beta ** (count - i) * self.patch_scale * alike)
            log = {"pseudo": near.detach(), "patch": alike.detach()}
        return total / count, log
