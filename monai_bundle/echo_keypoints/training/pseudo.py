"""Pseudo-labels: where the flow carries the points of a reference frame (paper, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from echo_keypoints.losses import consistent, pseudo_points
from echo_keypoints.networks.flownet import FlowNet
from echo_keypoints.networks.sampling import sample_points


class DirectFlow(nn.Module):
    """As in the paper: ``k_t = k_ref + F_{ref→t}(k_ref)``, each frame on its own.

    Args:
        flownet: trained; it is not trained further.
    """

    def __init__(self, flownet: FlowNet) -> None:
        super().__init__()
        self.flownet = flownet

    def forward(self, frames: Tensor, index: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Follow points through clips.

        Args:
            frames: ``(B, F, 1, S, S)`` in [0, 1].
            index: ``(B,)`` reference frames.
            points: ``(B, N, 2)`` px in them.

        Returns:
            Points ``(B, F, N, 2)``, and weights ``(B, F, N)``: 1 where the flow is the same both ways.
        """
        count = frames.shape[1]
        references = frames[torch.arange(len(frames), device=frames.device), index]
        starts = points.repeat_interleave(count, dim=0)  # (B * F, N, 2)
        forward, backward = self.flownet.pyramid_both_ways(
            references.repeat_interleave(count, dim=0), frames.flatten(0, 1)
        )
        visible = sample_points(consistent(forward[0], backward[0]), starts)[..., 0]
        followed = pseudo_points(forward[0], starts)
        return followed.unflatten(0, (-1, count)), visible.unflatten(0, (-1, count))


class ChainedFlow(nn.Module):
    """From frame to frame, away from the reference: speckle is alike in neighbours only.

    With steps 1 and 2, ``k_t`` is the mean of what the flows from t - 1 and from t - 2 say.

    Args:
        flownet: trained; it is not trained further.
        steps: distances in frames.
    """

    def __init__(self, flownet: FlowNet, steps: Sequence[int] = (1, 2)) -> None:
        super().__init__()
        self.flownet = flownet
        self.steps = tuple(steps)

    def forward(self, frames: Tensor, index: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Follow points through clips; see `DirectFlow`. A point that was lost once stays without weight."""
        hops = {step: self._hops(frames, step) for step in self.steps}
        tracks = [
            self._follow({step: (f[clip], b[clip], v[clip], w[clip]) for step, (f, b, v, w) in hops.items()},
                         frames.shape[1], int(start), points[clip])
            for clip, start in enumerate(index)
        ]  # fmt: skip
        return torch.stack([p for p, _ in tracks]), torch.stack([w for _, w in tracks])

    def _hops(self, frames: Tensor, step: int) -> tuple[Tensor, ...]:
        """Flows i → i + step and back, and where each is consistent: four ``(B, F - step, C, S, S)``."""
        count = frames.shape[1] - step
        earlier, later = frames[:, :count].flatten(0, 1), frames[:, step:].flatten(0, 1)
        forward, backward = (flows[0] for flows in self.flownet.pyramid_both_ways(earlier, later))
        maps = (forward, backward, consistent(forward, backward), consistent(backward, forward))
        return tuple(level.unflatten(0, (-1, count)) for level in maps)

    def _follow(
        self, hops: dict[int, tuple[Tensor, ...]], count: int, start: int, points: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Follow ``(N, 2)`` points of one clip both ways: ``(F, N, 2)`` and ``(F, N)``."""
        track: dict[int, Tensor] = {start: points}
        weight: dict[int, Tensor] = {start: torch.ones_like(points[:, 0])}
        order = [(t, 1) for t in range(start + 1, count)] + [(t, -1) for t in range(start - 1, -1, -1)]
        for t, direction in order:
            arrivals, trust = [], []
            for step, (forward, backward, seen, seen_back) in hops.items():
                source = t - direction * step
                if source not in track or (source - start) * direction < 0:
                    continue
                flow, check = (forward, seen) if direction > 0 else (backward, seen_back)
                at = min(source, t)
                arrivals.append(pseudo_points(flow[at][None], track[source][None])[0])
                trust.append(sample_points(check[at][None], track[source][None])[0, :, 0] * weight[source])
            track[t], weight[t] = torch.stack(arrivals).mean(0), torch.stack(trust).amin(0)
        return torch.stack([track[t] for t in range(count)]), torch.stack([weight[t] for t in range(count)])
