"""How the walls' borders move, from what a window around them shows. The paper has no such step.

Walls thicken while the cavity closes, so of all tissue along the measuring line the borders move most. Whatever reads
motion through a window, flow as well as TR-net, sees what lies on either side of a border, too, and falls short. If
motion changes evenly from landmark to landmark, and beyond the outer two no more, what a window reads is a known
mixture of the four landmarks' own motion,

    m_k = sum_j B_kj v_j,    B_kj = mean over |x| <= REACH_PX of the hat function of landmark j at p_k + x

(p: places along the line), which can be solved for v.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REACH_PX = 3.0
"""Half width of the window, model px. The flow's is a Gaussian with a sigma of 4 px in which the border itself, the
strongest contrast, counts most; measured in docs/real_hearts.md."""

_LEAST_GAP_PX = 2 * REACH_PX  # between landmarks; thinner walls would let errors grow


def border_motion(read: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the landmarks' own motion along the measuring line; motion at right angles to it stays as it was read.

    Args:
        read: ``(T, 4, 2)`` px, how the landmarks seem to move.
        points: ``(T, 4, 2)`` or ``(1, 4, 2)`` model px, from where.
    """
    line = points[:, 3] - points[:, 0]
    along = line / np.maximum(np.linalg.norm(line, axis=-1, keepdims=True), 1e-6)
    gaps = (np.diff(points, axis=1) @ along[..., None])[..., 0]
    seen = read @ along[..., None]  # (T, 4, 1)
    own = np.linalg.solve(_mixture(gaps), seen)
    moved: NDArray[np.float64] = read + (own - seen) * along[:, None]
    return moved


def border_track(read: NDArray[np.float64], start: NDArray[np.float64]) -> NDArray[np.float64]:
    """The track ``(T, 4, 2)`` of landmarks that are at `start` ``(4, 2)`` and seem to be at `read` ``(T, 4, 2)``."""
    return start + border_motion(read - start, start[None])


def _mixture(gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """B ``(T, 4, 4)`` of landmarks so far ``(T, 3)`` from each other."""
    gaps = np.maximum(gaps, _LEAST_GAP_PX)
    places = np.concatenate((np.zeros_like(gaps[:, :1]), np.cumsum(gaps, axis=1)), axis=1)
    beyond = _mean_excess(places[:, :, None] - places[:, None])  # (T, k, j)
    # Share of the way from landmark j to the next one, at which the window of landmark k lies on average.
    share = (beyond[..., :-1] - beyond[..., 1:]) / gaps[:, None]
    ends = np.ones_like(share[..., :1]), np.zeros_like(share[..., :1])
    return np.concatenate((ends[0], share), axis=-1) - np.concatenate((share, ends[1]), axis=-1)


def _mean_excess(offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of ``max(offset + x, 0)`` over the window."""
    inside = (np.clip(offset, -REACH_PX, REACH_PX) + REACH_PX) ** 2 / (4 * REACH_PX)
    return inside + np.maximum(offset - REACH_PX, 0)
