"""Endless labelled and unlabelled training data from the phantom, as map-style torch data sets.

An item is a pure function of its index, so runs can be repeated and resumed, and any number of workers or processes
share the work without overlap.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from echo_keypoints.data.simulation import Phantom, SimulatedClip
from echo_keypoints.data.simulation.tissue import log_uniform
from echo_keypoints.tracking.context import temporal_context

# Seeds below this are for training; validation and test seeds follow, and never meet.
VALIDATION_SEED = 8_000_000
TEST_SEED = 9_000_000

MORE_HYPERTROPHY = 0.2
"""Share of SK-net's hearts that are made hypertrophic, besides those drawn so: small cavities are the hardest."""


class PhantomFrames(Dataset[dict[str, Tensor]]):
    """Single frames of many hearts, for SK-net.

    An item is ``frames_per_heart`` frames of one heart at random moments:
    ``image`` ``(F, 1, S, S)`` uint8, ``points`` ``(F, 4, 2)`` and ``valves`` ``(F, 3, 2)`` float32 px
    (`SimulatedClip.valves`), ``tissue`` ``(F, S/2, S/2)`` uint8, and their temporal context, ``context`` ``(2, S, S)``
    float32 (`tracking.context`), to which the frames that are not given contribute too.

    Args:
        hearts: length of the data set.
        frames_per_heart: F.
        size: side in px; points are in the same px.
        first_seed: seed of item 0.
        context_frames: moments, over two beats, that the context is made of; at least F.
        tissue: give its labels, too.
    """

    def __init__(
        self,
        hearts: int,
        frames_per_heart: int = 4,
        size: int = 224,
        first_seed: int = 0,
        context_frames: int = 8,
        tissue: bool = True,
    ) -> None:
        self.hearts, self.frames_per_heart, self.size, self.first_seed = (
            hearts,
            frames_per_heart,
            size,
            first_seed,
        )
        self.context_frames = max(context_frames, frames_per_heart)
        self.tissue = tissue

    def __len__(self) -> int:
        return self.hearts

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        cv2.setNumThreads(1)
        seed = self.first_seed + index
        rng = np.random.default_rng((seed, 3))
        often = "hypertrophy" if rng.random() < MORE_HYPERTROPHY else None
        phantom = Phantom(seed, size=self.size, pathology=often)
        beats = 2.0  # two beats: drift and breathing get their say
        times_s = np.sort(rng.uniform(0, beats * phantom.heart.cycle.period_s, self.context_frames))
        clip = phantom.render(times_s, tissue=self.tissue)
        given = np.sort(rng.choice(self.context_frames, self.frames_per_heart, replace=False))
        labels = {"tissue": torch.from_numpy(clip.tissue[given])} if clip.tissue is not None else {}
        return {
            "image": torch.from_numpy(clip.video[given][:, None]),
            "points": torch.from_numpy(clip.points[given].astype(np.float32)),
            "valves": torch.from_numpy(clip.valves[given].astype(np.float32)),
            "context": torch.from_numpy(temporal_context(clip.video)),
            **labels,
        }


class PhantomClips(Dataset[dict[str, Tensor]]):
    """Runs of consecutive frames of many hearts, for flow and TR-net. There are no landmarks in an item.

    An item is ``frames`` ``(T, 1, S, S)`` uint8, from a random moment of the beat on.

    Args:
        hearts: length of the data set.
        frame_count: T.
        size: side in px.
        first_seed: seed of item 0.
    """

    def __init__(self, hearts: int, frame_count: int = 32, size: int = 224, first_seed: int = 0) -> None:
        self.hearts, self.frame_count, self.size, self.first_seed = hearts, frame_count, size, first_seed

    def __len__(self) -> int:
        return self.hearts

    def clip(self, index: int) -> SimulatedClip:
        """Simulate the clip of an item."""
        cv2.setNumThreads(1)
        seed = self.first_seed + index
        phantom = Phantom(seed, size=self.size)
        rng = np.random.default_rng((seed, 4))
        # Even in the logarithm: fast hearts at low rates are the hardest to follow.
        fps = log_uniform(rng, 20, 80)
        start_s = rng.uniform(0, phantom.heart.cycle.period_s)
        return phantom.render(start_s + np.arange(self.frame_count) / fps, fps=fps)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"frames": torch.from_numpy(self.clip(index).video[:, None])}


class TrackedPhantomClips(PhantomClips):
    """`PhantomClips` with the truth, ``points`` ``(T, 4, 2)`` float32 px: for evaluation only."""

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        clip = self.clip(index)
        return {
            "frames": torch.from_numpy(clip.video[:, None]),
            "points": torch.from_numpy(clip.points.astype(np.float32)),
        }
