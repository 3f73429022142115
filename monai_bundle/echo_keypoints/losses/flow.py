"""Unsupervised losses of FlowNet, after ARFlow (Liu et al., CVPR 2020): no label is ever seen.

Frames are ``(N, 1, H, W)`` in [0, 1]; flows ``(N, 2, H, W)`` in their own pixels; masks ``(N, 1, H, W)``, 1
where a pixel counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from echo_keypoints.networks.sampling import inside, warp


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``(N, C, H, W)`` values where the mask ``(N, 1, H, W)`` is 1; 0 where it is 0 everywhere."""
    return (values * mask).sum() / (mask.sum() * values.shape[1]).clamp_min(1)


def ssim_distance(a: Tensor, b: Tensor, window: int = 3) -> Tensor:
    """``(1 - SSIM) / 2`` at every pixel, with a flat window as in ARFlow.

    Args:
        a: ``(N, C, H, W)`` in [0, 1].
        b: the same size.
        window: side of the window in pixels, odd. At the border it sees a reflection.

    Returns:
        ``(N, C, H, W)`` in [0, 1]; 0 where both windows are equal.
    """

    def local_mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(F.pad(x, (window // 2,) * 4, mode="reflect"), window, stride=1)

    mean_a, mean_b = local_mean(a), local_mean(b)
    variance_a = local_mean(a * a) - mean_a**2
    variance_b = local_mean(b * b) - mean_b**2
    covariance = local_mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similarity = similarity / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))
    return ((1 - similarity) / 2).clamp(0, 1)


def census_distance(a: Tensor, b: Tensor, window: int = 7) -> Tensor:
    """Distance of soft census transforms: it compares local order, so gain and offset do not matter.

    With d the difference of a neighbour to the centre in grey levels of 0..255, the transform is
    ``d / sqrt(0.81 + d^2)`` and the distance of two of them ``x^2 / (0.1 + x^2)``, averaged over neighbours.

    Args:
        a: ``(N, 1, H, W)`` in [0, 1].
        b: the same size.
        window: side of the neighbourhood in pixels, odd.

    Returns:
        ``(N, 1, H, W)`` in [0, 1). Pixels within half a window of the border compare with zeros: mask them.
    """

    def transform(x: Tensor) -> Tensor:
        neighbours = F.unfold(x * 255, window, padding=window // 2).unflatten(-1, x.shape[-2:])
        difference = neighbours - x * 255
        return difference / torch.sqrt(0.81 + difference.square())

    squared = (transform(a) - transform(b)).square()
    return (squared / (0.1 + squared)).mean(dim=1, keepdim=True)


def interior(maps: Tensor, margin: int) -> Tensor:
    """Mask ``(N, 1, H, W)`` that is 0 within `margin` pixels of the border."""
    height, width = maps.shape[-2:]
    ones = maps.new_ones((maps.shape[0], 1, max(height - 2 * margin, 0), max(width - 2 * margin, 0)))
    return F.pad(ones, (margin, width - margin - ones.shape[-1], margin, height - margin - ones.shape[-2]))


def smoothness(flow: Tensor, image: Tensor, order: int = 2, edge: float = 10.0) -> Tensor:
    """Edge-aware smoothness: ``mean |d^n flow| exp(-edge * mean_c |d image|)`` along x and y, averaged.

    Args:
        flow: ``(N, 2, H, W)``, best divided by the image's shorter side so that its scale does not matter.
        image: ``(N, 1, H, W)`` in [0, 1].
        order: 1 prefers a constant flow, 2 an affine one.
        edge: how much an edge in the image permits an edge in the flow.

    Returns:
        Scalar.
    """
    terms = []
    for dim in (-1, -2):
        weight = torch.exp(-edge * image.diff(dim=dim).abs().mean(dim=1, keepdim=True))
        if order == 2:
            weight = weight.narrow(dim, 1, weight.shape[dim] - 1)
        terms.append((flow.diff(n=order, dim=dim).abs() * weight).mean())
    return torch.stack(terms).mean()


def consistent(forward: Tensor, backward: Tensor, relative: float = 0.01, absolute: float = 0.5) -> Tensor:
    """Forward-backward check: find the pixels that are visible in both frames (Sundaram et al., ECCV 2010).

    Pixel p counts where ``|f(p) + b(p + f(p))|^2 < relative * (|f(p)|^2 + |b(p + f(p))|^2) + absolute``.

    Args:
        forward: ``(N, 2, H, W)`` flow from reference to target, in pixels.
        backward: flow from target to reference.
        relative: share of the squared motion.
        absolute: squared pixels.

    Returns:
        ``(N, 1, H, W)`` 1 or 0, without gradient.
    """
    with torch.no_grad():
        returned = warp(backward, forward)
        error = (forward + returned).square().sum(dim=1, keepdim=True)
        motion = (forward.square() + returned.square()).sum(dim=1, keepdim=True)
        return (error < relative * motion + absolute).to(forward.dtype)


class FlowLoss(nn.Module):
    """Photometric distance where both frames see the tissue, plus smoothness; summed over the pyramid.

    ``sum_l scales[l] * photometric_l + smooth * smoothness_0``, with
    ``photometric = l1 * |I_r - I_t'| + ssim * (1 - SSIM)/2 + census * census``, I_t' being the warped target.
    The visibility comes from the forward-backward check of the finest flows.

    Args:
        l1, ssim, census: weights of the photometric terms. ARFlow starts with (0.15, 0.85, 0) and ends with
            (0, 0, 1).
        ssim_window: see `ssim_distance`; levels too small for it use the largest that fits.
        smooth: weight of the smoothness of the finest flow, divided by the image's shorter side.
        order: order of the smoothness.
        edge: see `smoothness`.
        scales: weights of the pyramid's levels, finest first; further levels do not count.
        check_visibility: leave it out in the first epochs, when flows are not yet consistent anywhere.
    """

    def __init__(
        self,
        l1: float = 0.0,
        ssim: float = 0.0,
        census: float = 1.0,
        ssim_window: int = 3,
        smooth: float = 50.0,
        order: int = 2,
        edge: float = 10.0,
        scales: Sequence[float] = (1.0, 1.0, 1.0, 1.0),
        check_visibility: bool = True,
    ) -> None:
        super().__init__()
        self.l1, self.ssim, self.census, self.smooth = l1, ssim, census, smooth
        self.ssim_window = ssim_window
        self.order, self.edge, self.scales = order, edge, tuple(scales)
        self.check_visibility = check_visibility

    def photometric(self, reference: Tensor, warped: Tensor, mask: Tensor) -> Tensor:
        """Weighted distance between the reference and the warped target over the mask: a scalar."""
        total = reference.new_zeros(())
        if self.l1:
            total = total + self.l1 * masked_mean((reference - warped).abs(), mask)
        if self.ssim:
            window = min(self.ssim_window, 2 * (min(reference.shape[-2:]) // 4) + 1)
            total = total + self.ssim * masked_mean(ssim_distance(reference, warped, window), mask)
        if self.census:
            framed = mask * interior(reference, 3)
            total = total + self.census * masked_mean(census_distance(reference, warped), framed)
        return total

    def forward(
        self, reference: Tensor, target: Tensor, forward: Sequence[Tensor], backward: Sequence[Tensor]
    ) -> Tensor:
        """Judge the flows of a pair of frames, one way; call it again with everything swapped for the other.

        Args:
            reference: ``(N, 1, H, W)`` in [0, 1].
            target: the same size.
            forward: `FlowNet.pyramid` from reference to target, finest first.
            backward: the same from target to reference; only its finest flow is read.

        Returns:
            Scalar.
        """
        visible = consistent(forward[0], backward[0]) if self.check_visibility else torch.ones_like(reference)
        total = reference.new_zeros(())
        for weight, flow in zip(self.scales, forward, strict=False):
            size = (flow.shape[-2], flow.shape[-1])
            a, b = (F.adaptive_avg_pool2d(x, size) for x in (reference, target))
            mask = inside(flow) * F.interpolate(visible, size=size)
            total = total + weight * self.photometric(a, warp(b, flow), mask)
        if self.smooth:
            side = min(reference.shape[-2:])
            total = total + self.smooth * smoothness(forward[0] / side, reference, self.order, self.edge)
        return total
