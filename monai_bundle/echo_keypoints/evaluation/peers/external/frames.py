"""What the adapters have in common: resizing with its points, padding in time, and both ways from a query."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from echo_keypoints.evaluation.peers.protocol import Floats, Trajectories, Video
from echo_keypoints.evaluation.peers.stepping import patch_likeness

Forward = Callable[[Video, Floats], Floats]
"""Follows points ``(4, 2)`` on the first frame of a video to its last: ``(T, 4, 2)``, same pixels."""


def both_ways(video: Video, query_frame: int, query: Floats, forward: Forward) -> Trajectories:
    """Follow points from a query in the middle by a tracker that only starts at the first frame.

    The part before the query is shown backwards. Confidence is the likeness of patches, as such trackers give none.
    """
    start = np.asarray(query, np.float64)
    points = np.repeat(start[None], len(video), axis=0)
    for part in (slice(query_frame, None), slice(query_frame, None, -1)):
        frames = video[part]
        if len(frames) > 1:
            points[part] = forward(frames, start)
    points[query_frame] = start
    return Trajectories(points, patch_likeness(video, query_frame, points))


def resized(video: Video, side: int) -> Video:
    """Frames ``(T, H, W)`` at ``(T, side, side)``."""
    shrink = side < max(video.shape[1:])
    flag = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    return np.stack([cv2.resize(frame, (side, side), interpolation=flag) for frame in video])


def scaled(points: Floats, source: tuple[int, ...], target: tuple[int, ...]) -> Floats:
    """Points ``(…, 2)`` of frames ``(H, W)`` in the pixels of the same frames resized to ``(H', W')``.

    Resizing keeps the corners of a picture in place: ``(p + 0.5) k - 0.5``.
    """
    scale = np.array([target[1] / source[1], target[0] / source[0]])
    return (points + 0.5) * scale - 0.5


def padded(video: Video, multiple: int, least: int = 1) -> Video:
    """Repeat the last frame until the number of frames is a multiple, and at least so large."""
    wanted = max(least, -(-len(video) // multiple) * multiple)
    return video[np.minimum(np.arange(wanted), len(video) - 1)]
