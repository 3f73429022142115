"""How evenly a heart moves from frame to frame: what keeps a track smooth, at any frame rate, even or not.

A third difference of the true motion shrinks with the cube of the time between frames, an error of the flow does not.
Frames that repeat the one before them, as videos have that were written at a higher rate than the machine's, show no
moment of their own: they neither count for the rate nor have a difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EVEN_RATE_HZ, MOST_STEADINESS = 50.0, 3.0
"""At this rate a third difference of the true motion is as large as an error of the flow over one frame."""

LONGEST_DIFFERENCE = 16
"""Frames that a third difference may span; where more of them repeat, the picture stands still."""

_SHORTEST_STEP = 0.25  # of the usual one; shorter ones are an error of the file


@dataclass(frozen=True, eq=False)
class Pace:
    """When the frames of a clip were taken.

    Attributes:
        frame_times_s: ``(T,)`` seconds, increasing.
        repeats: ``(T,)`` whether a frame is the same as the one before it.
    """

    frame_times_s: NDArray[np.float64]
    repeats: NDArray[np.bool_]

    @property
    def step_s(self) -> float:
        """Usual time between two moments."""
        moments = self.frame_times_s[~self.repeats]
        return float(np.median(np.diff(moments if len(moments) > 1 else self.frame_times_s)))

    @property
    def steadiness(self) -> float:
        """Weight of third differences."""
        return min((1 / self.step_s / EVEN_RATE_HZ) ** 6, MOST_STEADINESS)

    def third_differences(self, run: slice) -> NDArray[np.float64]:
        """Give the matrix ``(R, L)`` that takes the third differences of a track over a run of L frames.

        They are divided differences times the cube of the usual step: 1, -3, 3, -1 where steps are even.
        """
        times, fresh = self.frame_times_s[run], np.flatnonzero(~self.repeats[run])
        steps = np.maximum(np.diff(times[fresh]), _SHORTEST_STEP * self.step_s)
        moments = np.concatenate(([0.0], np.cumsum(steps))) / self.step_s
        of_four = np.arange(max(0, len(fresh) - 3))[:, None] + np.arange(4)  # (R, 4)
        of_four = of_four[fresh[of_four[:, 3]] - fresh[of_four[:, 0]] < LONGEST_DIFFERENCE]
        apart = moments[of_four][:, :, None] - moments[of_four][:, None] + np.eye(4)
        matrix = np.zeros((len(of_four), len(times)))
        matrix[np.arange(len(of_four))[:, None], fresh[of_four]] = 6 / apart.prod(axis=2)
        return matrix
