"""PlaceNet: where on the walls a track lies, judged from the whole beat at once. It is not in the paper.

SK-net errs alike in all frames of a clip, most of it along the wall, and flow follows walls a little less far than they
move; no tracker can tell. PlaceNet sees the track's steady pictures (`tracking.steady`), in which the walls stand
still: it describes each of them, keeps the mean and the largest answer over the frames (where a leaflet's tip once was,
it was) as a map of the beat, and with that votes in each picture for where the four landmarks are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from echo_keypoints.anatomy import LANDMARKS
from echo_keypoints.networks.sknet import ResidualBlock, convolution
from echo_keypoints.tracking.steady import HEIGHT, LEFT, STEP, TOP, WIDTH

PRESETS: dict[str, dict[str, Any]] = {
    "small": {"widths": (16, 32, 64, 96), "joined": 24, "blocks": (2, 3, 4, 4)},
    "paper": {"widths": (32, 64, 128, 192), "joined": 48, "blocks": (2, 3, 4, 4)},
}

SHARPNESS = 4.0
"""Of the soft-max whose mean is the landmark's place."""

SIGMA = 0.035
"""Of the Gaussian around the landmark that its votes are taught to be, in lengths of the line."""

_MARK = 0.03  # sigma of the mark that shows where the track is, in lengths of the line


class PlaceNet(nn.Module):
    """Finds the landmarks around a track in its steady pictures.

    Args:
        widths: channels at strides 2, 4, 8 and 16; those at 2 and 4 are of each picture, and of the beat.
        joined: channels of the map of the beat, at stride 2.
        blocks: residual blocks that the beat passes on the way back up, at strides 2, 4, 8 and 16. They cost little:
            there is one beat for all the pictures.
        landmarks: K.
    """

    rows: Tensor
    columns: Tensor

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 96),
        joined: int = 24,
        blocks: Sequence[int] = (2, 3, 4, 4),
        landmarks: int = len(LANDMARKS),
    ) -> None:
        super().__init__()
        self.preset: str | None = None
        self.overrides: dict[str, Any] = {}
        fine, middle, coarse, coarsest = widths
        self.fine = nn.Sequential(convolution(1, fine, kernel=5, stride=2), convolution(fine, fine))
        self.middle = nn.Sequential(convolution(fine, middle, stride=2), ResidualBlock(middle))
        self.beat_fine = convolution(2 * fine + landmarks + 2, joined, kernel=1)
        self.beat_middle = convolution(2 * middle, middle, kernel=1)
        self.coarse = nn.Sequential(convolution(middle, coarse, stride=2), ResidualBlock(coarse))
        self.coarsest = nn.Sequential(convolution(coarse, coarsest, stride=2), *_blocks(coarsest, blocks[3]))
        ladder = ((coarsest, coarse), (coarse, middle), (middle, joined))
        self.up = nn.ModuleList(convolution(below, above, kernel=1) for below, above in ladder)
        self.merge = nn.ModuleList(
            nn.Sequential(*_blocks(above, count))
            for (_, above), count in zip(ladder, reversed(blocks[:3]), strict=True)
        )
        self.join_fine = convolution(fine, joined, kernel=1, relu=False)
        self.join_middle = convolution(middle, joined, kernel=1, relu=False)
        self.compare = convolution(joined, joined)
        self.head = nn.Conv2d(joined, landmarks, 1)
        rows, columns = HEIGHT // 2, WIDTH // 2
        self.register_buffer("rows", TOP + (torch.arange(rows) + 0.5) * 2 * STEP, persistent=False)
        self.register_buffer("columns", LEFT + (torch.arange(columns) + 0.5) * 2 * STEP, persistent=False)

    @classmethod
    def from_preset(cls, preset: str, **overrides: Any) -> PlaceNet:
        """Build the network named in `PRESETS`; keywords override single values."""
        network = cls(**{**PRESETS[preset], **overrides})
        network.preset, network.overrides = preset, overrides
        return network

    def forward(self, pictures: Tensor, heights: Tensor, frames: Tensor | None = None) -> Tensor:
        """Vote.

        Args:
            pictures: ``(B, F, HEIGHT, WIDTH)`` in [0, 1], any number F of frames.
            heights: ``(B, K)`` of the track (`tracking.steady.SteadyView`).
            frames: ``(V,)`` integers, the frames to vote in; all of them by default.

        Returns:
            ``(B, V, K, HEIGHT / 2, WIDTH / 2)``: logits of where the landmarks are.
        """
        hearts = len(pictures)
        described = self.describe(pictures.flatten(0, 1))
        beat = self.beat(*described, heights)
        if frames is not None:
            described = tuple(d.unflatten(0, (hearts, -1))[:, frames].flatten(0, 1) for d in described)
        beats = beat.repeat_interleave(len(described[0]) // hearts, dim=0)
        return self.vote(*described, beats).unflatten(0, (hearts, -1))

    def describe(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures ``(N, HEIGHT, WIDTH)`` → what each of them shows, at strides 2 and 4."""
        fine = self.fine(pictures.unsqueeze(1))
        return fine, self.middle(fine)

    def beat(self, fine: Tensor, middle: Tensor, heights: Tensor) -> Tensor:
        """Map of the beat, ``(B, joined, HEIGHT / 2, WIDTH / 2)``, from `describe` of all its B * F pictures."""
        hearts = len(heights)
        levels = [
            self.beat_fine(torch.cat((_over_frames(fine, hearts), self._orientation(heights)), dim=1)),
            self.beat_middle(_over_frames(middle, hearts)),
        ]
        levels.append(self.coarse(levels[-1]))
        below = self.coarsest(levels[-1])
        for up, merge, level in zip(self.up, self.merge, reversed(levels), strict=True):
            below = merge(level + _doubled(up(below)))
        return below

    def vote(self, fine: Tensor, middle: Tensor, beat: Tensor) -> Tensor:
        """`describe` of N pictures and the map ``(N or 1, …)`` of their beat → ``(N, K, HEIGHT / 2, WIDTH / 2)``."""
        joined = F.relu(self.join_fine(fine) + _doubled(self.join_middle(middle)) + beat)
        votes: Tensor = self.head(beat + self.compare(joined))
        return votes

    def places(self, votes: Tensor) -> Tensor:
        """Mean of the soft-max of votes ``(..., K, HEIGHT / 2, WIDTH / 2)``: ``(..., K, 2)``, see `tracking.steady`."""
        share = self._share(votes)
        return torch.stack((share.sum(dim=-2) @ self.columns, share.sum(dim=-1) @ self.rows), dim=-1)

    def doubts(self, votes: Tensor) -> Tensor:
        """How far off `places` may be: standard deviations of the same shape.

        The votes spread wider than the Gaussian that they are taught to be (`SIGMA`), by as much as the landmark might
        as well lie elsewhere: cross-entropy is least where the soft-max is the target, spread by what is not known.
        """
        share = self._share(votes)
        spreads = []
        for part, cells in ((share.sum(dim=-2), self.columns), (share.sum(dim=-1), self.rows)):
            away = cells - (part @ cells)[..., None]
            spreads.append((part * away.square()).sum(dim=-1))
        return (torch.stack(spreads, dim=-1) - SIGMA**2).clamp(min=0).sqrt()

    def _share(self, votes: Tensor) -> Tensor:
        """Soft-max of votes ``(..., HEIGHT / 2, WIDTH / 2)`` over all cells."""
        return torch.softmax(SHARPNESS * votes.float().flatten(-2), dim=-1).view_as(votes)

    def _orientation(self, heights: Tensor) -> Tensor:
        """Where the track is, and where each cell is: ``(B, K + 2, HEIGHT / 2, WIDTH / 2)``."""
        rows, columns = self.rows[:, None], self.columns[None]
        away = (rows - heights[:, :, None, None]).square() + columns.square()
        marks = torch.exp(-away / (2 * _MARK**2))
        cells = torch.stack(torch.broadcast_tensors(rows, columns)).expand(len(heights), -1, -1, -1)
        return torch.cat((marks, cells), dim=1)


def _blocks(width: int, count: int) -> list[ResidualBlock]:
    return [ResidualBlock(width) for _ in range(count)]


def _over_frames(maps: Tensor, hearts: int) -> Tensor:
    """Mean and largest over the frames of each heart: ``(B * F, C, H, W)`` → ``(B, 2 C, H, W)``."""
    each = maps.unflatten(0, (hearts, -1))
    return torch.cat((each.mean(dim=1), each.amax(dim=1)), dim=1)


def _doubled(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=2.0, mode="bilinear", align_corners=False)
