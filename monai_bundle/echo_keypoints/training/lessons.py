"""Lessons for TR-net: clips with their pseudo-labels, worked out once and kept on disk.

A slow teacher (`training.classical_flow`) costs many times what TR-net's own step does. With lessons it sees each clip
once, and TR-net sees it often, from other points, in other windows and backwards in time.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from echo_keypoints.networks.sknet import SKNet
from echo_keypoints.results.files import atomic_path
from echo_keypoints.tracking.backends.detector import HeatmapDecoder
from echo_keypoints.training.objective import frozen, lifted_grey
from echo_keypoints.training.starts import StartVariety

GAMMA = 0.35
"""Grey values are raised to powers of up to ``exp(GAMMA)`` and down to ``exp(-GAMMA)``."""


class Lessons(Dataset[dict[str, Tensor]]):
    """An endless data set over a fixed number of clips.

    An item is one lesson from a random angle: ``frames`` ``(F, 1, S, S)`` uint8; ``index`` () the reference
    frame; ``queries`` ``(Q, 4, 2)`` px, the points to follow from there; ``pseudo`` ``(Q, F, 4, 2)`` px and ``weight``
    ``(Q, F, 4)`` of the teacher; ``detections`` ``(F, 4, 2)`` px and ``peaks`` ``(F, 4)`` of SK-net.
    Items of one pass differ from those of the next by the choice of points, the direction of time and the grey map.

    Args:
        clips: items with ``frames``; no label is looked at.
        count: of the clips that are used.
        sknet: finds the points; it is not trained.
        teacher: follows them (`training.pseudo`); it is not trained.
        folder: where lessons are kept; made when first needed. Delete it when `clips`, `sknet` or `teacher` change.
        variety: of the points, and of the reference frame.
        queries: Q, at most `variety.queries`.
    """

    def __init__(
        self,
        clips: Dataset[dict[str, Tensor]],
        count: int,
        sknet: SKNet,
        teacher: nn.Module,
        folder: str | Path,
        variety: StartVariety | None = None,
        queries: int = 3,
    ) -> None:
        self.clips, self.count, self.folder = clips, count, Path(folder)
        self.sknet, self.teacher = frozen(sknet), frozen(teacher)
        self.variety = variety or StartVariety(queries=12)
        self.queries = queries
        self._decoder = HeatmapDecoder()

    def __len__(self) -> int:
        return self.count * 1_000_000

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(index)
        lesson = dict(self.lesson(index % self.count))
        sets = len(lesson["queries"])
        chosen = torch.randperm(sets - 1, generator=generator)[: self.queries - 1] + 1
        chosen = torch.cat(
            (torch.zeros(1, dtype=torch.long), chosen)
        )  # SK-net's own points are always asked for
        for name in ("queries", "pseudo", "weight"):
            lesson[name] = lesson[name][chosen]
        if torch.rand((), generator=generator) < 0.5:
            lesson = _backwards(lesson)
        power = torch.exp((2 * torch.rand((), generator=generator) - 1) * GAMMA)
        table = (255 * torch.linspace(0, 1, 256).pow(power)).round().to(torch.uint8)
        lesson["frames"] = table[lesson["frames"].long()]
        return lesson

    def lesson(self, number: int) -> dict[str, Tensor]:
        """The lesson of a clip as it is kept, with all `variety.queries` sets of points."""
        path = self.folder / f"lesson_{number:06d}.pt"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as draft:
                torch.save(self._teach(number), draft)
        kept: dict[str, Tensor] = torch.load(path, weights_only=True)
        return kept

    @torch.no_grad()
    def _teach(self, number: int) -> dict[str, Tensor]:
        frames = self.clips[number]["frames"]
        detections, peaks = self._detect(lifted_grey(frames[None]))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(number)
            index = self.variety.references(peaks[None])
            queries = self.variety.points(detections[index], frames.shape[-1])[0]
        pseudo, weight = self.teacher(frames[None].float() / 255, index, queries.flatten(0, 1)[None])
        return {
            "frames": frames,
            "index": index[0],
            "queries": queries,
            "pseudo": pseudo[0].unflatten(1, (-1, 4)).transpose(0, 1).contiguous(),
            "weight": weight[0].unflatten(1, (-1, 4)).transpose(0, 1).contiguous(),
            "detections": detections,
            "peaks": peaks,
        }

    def _detect(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Points ``(F, 4, 2)`` and peaks ``(F, 4)`` in the frames ``(F, 1, S, S)`` of one clip."""
        context = torch.stack((frames[:, 0].mean(dim=0), frames[:, 0].std(dim=0, correction=0)))
        seen = [
            self._decoder(self.sknet(part, context.expand(len(part), -1, -1, -1))) for part in frames.split(8)
        ]
        return torch.cat([points for points, _, _ in seen]), torch.cat([peaks for _, peaks, _ in seen])


def _backwards(lesson: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same lesson with time reversed."""
    last = len(lesson["frames"]) - 1
    turned = {name: lesson[name].flip(0) for name in ("frames", "detections", "peaks")}
    turned |= {name: lesson[name].flip(1) for name in ("pseudo", "weight")}
    return {**lesson, **turned, "index": last - lesson["index"]}
