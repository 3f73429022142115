"""From a step between two frames to tracks through a video: chained or direct, both ways from the query."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from .protocol import Floats, Trajectories, Video

Frame = Video
Step = Callable[[Frame, Frame, Floats], Floats]
"""``step(source (H, W), target (H, W), points (4, 2) on source) -> points (4, 2) on target``."""

PATCH = 17
"""Side in pixels of the patches whose likeness is the confidence."""


def chain(video: Video, query_frame: int, query: Floats, step: Step) -> Trajectories:
    """Go frame to frame, forwards and backwards from the query: small motions, but errors add up."""
    points = np.empty((len(video), *np.shape(query)))
    points[query_frame] = query
    for t in range(query_frame + 1, len(video)):
        points[t] = step(video[t - 1], video[t], points[t - 1])
    for t in range(query_frame - 1, -1, -1):
        points[t] = step(video[t + 1], video[t], points[t + 1])
    return Trajectories(points, patch_likeness(video, query_frame, points))


def direct(video: Video, query_frame: int, query: Floats, step: Step) -> Trajectories:
    """Go from the query frame to every other in one step: no drift, but large motions and changed speckle."""
    start = np.asarray(query, np.float64)
    points = np.stack(
        [
            start if t == query_frame else step(video[query_frame], frame, start)
            for t, frame in enumerate(video)
        ]
    )
    return Trajectories(points, patch_likeness(video, query_frame, points))


def patch_likeness(video: Video, query_frame: int, points: Floats) -> Floats:
    """Confidence of trackers that give none: does the tracked point still look like the query?

    The zero-mean normalised cross-correlation of the patch around each point with the one around the query,
    clipped to 0..1; 1 on the query frame, 0 where a patch is flat.

    Args:
        video: ``(T, H, W)`` uint8.
        query_frame: index.
        points: ``(T, 4, 2)``.

    Returns:
        ``(T, 4)``.
    """
    patches = np.stack(
        [[cut(frame, point, PATCH) for point in four] for frame, four in zip(video, points, strict=True)]
    )
    centred = patches - patches.mean((2, 3), keepdims=True)  # (T, 4, P, P)
    norms = np.sqrt((centred**2).sum((2, 3)))
    products = (centred * centred[query_frame]).sum((2, 3))
    scale = norms * norms[query_frame]
    likeness = np.divide(products, scale, out=np.zeros_like(products), where=scale > 0).clip(0, 1)
    likeness[query_frame] = 1.0
    return likeness.astype(np.float64)


def cut(frame: Frame, centre: Floats, side: int) -> Floats:
    """Cut a ``(side, side)`` patch at a sub-pixel centre, bilinear; beyond the border its pixels repeat."""
    height, width = frame.shape
    x = float(np.clip(np.nan_to_num(centre[0]), -side, width + side))
    y = float(np.clip(np.nan_to_num(centre[1]), -side, height + side))
    return cv2.getRectSubPix(frame, (side, side), (x, y), patchType=cv2.CV_32F).astype(np.float64)
