"""`TRNetObjective`: trajectories from flow and likeness, without frame labels (stage 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from echo_keypoints.losses import TrajectoryLoss
from echo_keypoints.networks.sknet import SKNet
from echo_keypoints.networks.trnet import Maps, TRNet
from echo_keypoints.tracking.backends.detector import HeatmapDecoder
from echo_keypoints.training.objective import Batch, Objective, Terms, frozen, grey, lifted_grey
from echo_keypoints.training.starts import StartVariety, cleaned, most_confident


@dataclass(frozen=True)
class Plan:
    """What TR-net is asked about B clips, all without gradient: N = B * Q windows of T frames.

    Attributes:
        frames: ``(R, 1, S, S)`` in [0, 1], those of all clips that matter.
        features: SK-net's, of these frames.
        rows: ``(N, T)`` the frames of the windows, as rows of `frames`.
        reference_rows: ``(N,)`` the reference frames, likewise.
        points: ``(N, 4, 2)`` px in the reference frames.
        estimates: ``(N, T, 4, 2)`` px, where refinement starts.
        pseudo: ``(N, T, 4, 2)`` px, where it should go.
        weight: ``(N, T, 4)``, 0 where the flow is not to be trusted.
    """

    frames: Tensor
    features: tuple[Tensor, ...]
    rows: Tensor
    reference_rows: Tensor
    points: Tensor
    estimates: Tensor
    pseudo: Tensor
    weight: Tensor


class TRNetObjective(Objective):
    """Eq. 5 over the M iterations, against pseudo-labels of a frozen flow from points of a frozen SK-net.

    TR-net sees a window of each clip that need not hold the reference frame, as in long clips. Gradients do
    not flow from one iteration into the one before (`TRNet.refine`).

    Args:
        network: a `TRNet`.
        sknet: trained; gives reference points, first estimates and features.
        teacher: makes the pseudo-labels (`training.pseudo`).
        loss: eq. 5.
        variety: of points and first estimates in training.
        iterations: M.
        precision: see `Objective`; coordinates stay in float32.
    """

    def __init__(
        self,
        network: TRNet,
        sknet: SKNet,
        teacher: nn.Module,
        loss: TrajectoryLoss | None = None,
        variety: StartVariety | None = None,
        iterations: int = 5,
        precision: str = "float32",
    ) -> None:
        super().__init__(network, precision)
        self.network: TRNet = network
        self.sknet, self.teacher = frozen(sknet), frozen(teacher)
        self.loss = loss or TrajectoryLoss()
        self.variety = variety or StartVariety()
        self.decoder = HeatmapDecoder()
        self.iterations = iterations

    def train(self, mode: bool = True) -> TRNetObjective:
        """Switch TR-net only; the frozen networks stay in evaluation mode."""
        super().train(mode)
        self.sknet.eval()
        self.teacher.eval()
        return self

    def forward(self, batch: Batch) -> Terms:
        """Judge clips.

        Args:
            batch: ``frames`` ``(B, F, 1, S, S)`` uint8, F at least the window of TR-net, and optionally the rest of
                a `lessons.Lessons` item, so that SK-net and the teacher need not look at all frames. In evaluation
                the window starts with the clip, and F must be the window if the batch has ``points``
                ``(B, F, 4, 2)``.

        Raises:
            ValueError: F is too small.
        """
        plan = self._plan_lesson(batch) if "pseudo" in batch else self._plan(batch["frames"])
        frames = plan.frames
        with self.autocast(frames):
            maps = self.network.encode(frames, plan.features)
            descriptors = self.network.describe(_rows(maps, plan.reference_rows), plan.points)
            windows = _rows(maps, plan.rows.flatten())
            results = self.network.refine(windows, plan.estimates, plan.points, descriptors, self.iterations)
        loss, log = self.loss(
            [points.float() for points in results], plan.pseudo, frames[plan.rows], plan.weight
        )
        terms = {"loss": loss, **log}
        if not self.training and "points" in batch:
            terms["points"] = results[-1].float()
        return terms

    @torch.no_grad()
    def _plan(self, frames: Tensor) -> Plan:
        """Decide on references, points, windows and first estimates in clips ``(B, F, 1, S, S)`` uint8."""
        clips, length, _, size, _ = frames.shape
        flat, shown = grey(frames), lifted_grey(frames)
        with self.autocast(flat):
            heatmaps, features = self.sknet.features(shown, _contexts(shown, clips))
        points, peaks, _ = self.decoder(heatmaps)
        detections, peaks = points.unflatten(0, (clips, -1)), peaks.unflatten(0, (clips, -1))
        index = self.variety.references(peaks) if self.training else most_confident(peaks)
        detected = detections[torch.arange(clips, device=flat.device), index]
        sets = self.variety.points(detected, size) if self.training else detected[:, None]  # (B, Q, 4, 2)
        pseudo, weight = self.teacher(frames.float() / 255, index, sets.flatten(1, 2))
        window = self._windows(clips, length, flat.device)
        estimates = self._estimates(cleaned(detections, peaks), index, sets)
        each = torch.arange(clips, device=flat.device)[:, None] * length
        return self._asked(
            flat, features, each + window, each[:, 0] + index, sets,
            *(_window(values, window) for values in (estimates, _per_set(pseudo), _per_set(weight))),
        )  # fmt: skip

    @torch.no_grad()
    def _plan_lesson(self, batch: Batch) -> Plan:
        """The same for a batch of `lessons.Lessons`; SK-net looks at the windows and references alone."""
        frames, index = batch["frames"], batch["index"]
        clips, length = frames.shape[:2]
        window = self._windows(clips, length, frames.device)
        wanted = torch.cat((window, index[:, None]), dim=1)  # (B, T + 1)
        contexts = _contexts(lifted_grey(frames), clips).unflatten(0, (clips, -1))[:, : wanted.shape[1]]
        chosen = frames[torch.arange(clips, device=frames.device)[:, None], wanted]
        flat = grey(chosen)
        with self.autocast(flat):
            _, features = self.sknet.features(lifted_grey(chosen), contexts.flatten(0, 1))
        estimates = self._estimates(cleaned(batch["detections"], batch["peaks"]), index, batch["queries"])
        rows = torch.arange(clips * wanted.shape[1], device=frames.device).unflatten(0, wanted.shape)
        return self._asked(
            flat, features, rows[:, :-1], rows[:, -1], batch["queries"],
            *(_window(values, window) for values in (estimates, batch["pseudo"], batch["weight"])),
        )  # fmt: skip

    def _estimates(self, steady: Tensor, index: Tensor, sets: Tensor) -> Tensor:
        """Sets ``(B, Q, 4, 2)`` that move as the steady detections ``(B, F, 4, 2)`` do: ``(B, Q, F, 4, 2)``."""
        each = torch.arange(len(steady), device=steady.device)
        motion = steady - steady[each, index][:, None]
        return sets[:, :, None] + motion[:, None]

    def _asked(
        self,
        frames: Tensor,
        features: Sequence[Tensor],
        rows: Tensor,
        reference_rows: Tensor,
        sets: Tensor,
        estimates: Tensor,
        pseudo: Tensor,
        weight: Tensor,
    ) -> Plan:
        """One window for every set: ``(B, Q, T, …)`` → N = B * Q rows; in training first estimates vary."""
        queries = sets.shape[1]
        sets, estimates, pseudo, weight = (v.flatten(0, 1) for v in (sets, estimates, pseudo, weight))
        if self.training:
            estimates = self.variety.estimates(sets, estimates, pseudo, frames.shape[-1])
        return Plan(
            frames,
            tuple(features),
            rows.repeat_interleave(queries, dim=0),
            reference_rows.repeat_interleave(queries),
            sets,
            estimates,
            pseudo,
            weight,
        )

    def _windows(self, clips: int, length: int, device: torch.device) -> Tensor:
        """Frames ``(B, T)`` of one window per clip."""
        spare = length - self.network.window
        if spare < 0:
            raise ValueError(
                f"frames must be at least TR-net's window of {self.network.window}, not {length}"
            )
        first = torch.randint(spare + 1, (clips, 1), device=device) * int(self.training)
        return first + torch.arange(self.network.window, device=device)


def _contexts(flat: Tensor, clips: int) -> Tensor:
    """Temporal context of each of the frames ``(B * F, 1, S, S)`` of B clips: ``(B * F, 2, S, S)``."""
    frames = flat.unflatten(0, (clips, -1))
    mean, deviation = frames.mean(dim=1), frames.std(dim=1, correction=0)
    return torch.cat((mean, deviation), dim=1).repeat_interleave(frames.shape[1], dim=0)


def _per_set(values: Tensor) -> Tensor:
    """``(B, F, Q * 4, …)`` → ``(B, Q, F, 4, …)``."""
    return values.unflatten(2, (-1, 4)).transpose(1, 2)


def _window(values: Tensor, frames: Tensor) -> Tensor:
    """``(B, Q, F, 4, …)`` and frames ``(B, T)`` → ``(B, Q, T, 4, …)``."""
    return torch.stack([value[:, chosen] for value, chosen in zip(values, frames, strict=True)])


def _rows(maps: Maps, rows: Tensor) -> Maps:
    return tuple(level[rows] for level in maps)
