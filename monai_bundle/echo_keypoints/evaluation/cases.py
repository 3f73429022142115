"""`Case`: one clip with its truth, and the space in which it is scored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.clip import Clip, ClipHeader
from echo_keypoints.evaluation.peers.protocol import Query
from echo_keypoints.tracking.letterbox import LetterBox


@dataclass(frozen=True, eq=False)
class Case:
    """One clip to be scored.

    It is scored in model pixels: the file's own scan region, letter-boxed to 224 × 224. That space hangs on
    the file alone, so scores stay comparable when tracking learns to find a better region.

    Attributes:
        name: of the clip, without folder.
        clip: as a user would give it.
        frames: ``(F,)`` the frames whose landmarks are known, ascending.
        truth: ``(F, 4, 2)`` in the clip's own pixels.
        end_diastole, end_systole: two of these frames.
        readers: ``(F, 4, 2)`` each, independent readers whose mean the truth is; none where it is exact.
    """

    name: str
    clip: Clip
    frames: NDArray[np.intp]
    truth: NDArray[np.float64]
    end_diastole: int
    end_systole: int
    readers: tuple[NDArray[np.float64], ...] = ()

    @cached_property
    def box(self) -> LetterBox:
        """The map between the clip's own pixels and model space."""
        header = self.clip.header
        return LetterBox.fit(header.scan_region or (0, 0, header.width, header.height), header.spacing_mm)

    @cached_property
    def video(self) -> NDArray[np.uint8]:
        """``(T, 224, 224)``, what trackers without a clip reader are given."""
        return np.stack([self.box.apply(frame) for frame in self.clip.pixels])

    @property
    def model_truth(self) -> NDArray[np.float64]:
        """``(F, 4, 2)`` in model pixels."""
        return self.box.to_model(self.truth)

    @property
    def mm_per_px(self) -> float | None:
        """Millimetres per model pixel, which is square; None where the scale is unknown."""
        spacing = self.clip.header.spacing_mm
        return None if spacing is None else spacing[0] / self.box.scale[0]

    @property
    def consecutive(self) -> bool:
        """Whether every frame has truth, so that motion from frame to frame can be scored."""
        return len(self.frames) == len(self.clip.pixels)

    def position(self, frame: int) -> int | None:
        """Where a frame is among those with truth, or None."""
        found = np.flatnonzero(self.frames == frame)
        return int(found[0]) if len(found) else None

    def true_query(self) -> Query:
        """The true landmarks at end-diastole, in the clip's own pixels."""
        return Query(self.end_diastole, self.truth[self.frames == self.end_diastole][0])


def exact_case(
    name: str,
    video: NDArray[np.uint8],
    points: NDArray[np.floating],
    phase: NDArray[np.floating],
    times_s: NDArray[np.floating],
    mm_per_px: float | None,
) -> Case:
    """Make a case of a phantom: truth on every frame.

    Args:
        name: of the clip.
        video: ``(T, H, W)`` uint8; all of it is ultrasound.
        points: ``(T, 4, 2)`` px.
        phase: ``(T,)``, 0 at end-diastole, 1 at end-systole.
        times_s: ``(T,)`` seconds.
        mm_per_px: scale, or None.
    """
    count, height, width = video.shape
    header = ClipHeader(
        source=name,
        frame_count=count,
        height=height,
        width=width,
        frame_times_s=np.asarray(times_s, np.float64),
        times_source="phantom",
        spacing_mm=None if mm_per_px is None else (mm_per_px, mm_per_px),
        spacing_source="phantom",
        scan_region=(0, 0, width, height),
    )
    return Case(
        name,
        Clip(header, video),
        np.arange(count),
        np.asarray(points, np.float64),
        int(np.argmin(phase)),
        int(np.argmax(phase)),
    )
