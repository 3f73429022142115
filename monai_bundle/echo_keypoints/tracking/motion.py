"""`Motion`: how the tissue around the landmarks moves from each frame to the next ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.tracking.backends.base import Backend
from echo_keypoints.tracking.bilinear import read_bilinear, read_patches
from echo_keypoints.tracking.spool import FrameSpool

STEPS = (1, 2)
"""Distances in frames over which motion is measured: two ways to get anywhere even out errors of a single one."""

FAST_PX = 6.0
"""A step expected to be longer is looked for where it is expected to end, too: the flow begins at no motion."""

MEMORY_BYTES = 48 * 1024 * 1024

_BLOCK = 32  # pairs of frames that are worked on together, within one box
_MARGIN = 24  # px around the landmarks: the reach of the window, and room for what they are corrected to
_READ_MARGIN = 4  # px around a point that reading needs
_GRID = 16  # the flow wants sides that are multiples of this
_CUT = 64  # side of the cuttings around a point and around where it is expected
_CUT_GRID = 8  # steps of their places
_MOST_CUTS = 2000  # that are kept, of 8 KB each
_LEAST_CONTRAST = 4.0  # grey levels
_ALIKE = 14  # what lies so many px around the point tells which of two readings is right


@dataclass(frozen=True)
class Hops:
    """Displacements over one step in time.

    Attributes:
        step: in frames.
        displacement: ``(T - step, K, 2)`` px, of point k from frame t to frame t + step.
    """

    step: int
    displacement: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Block:
    """Flow ``(n, h / 2, w / 2, 2)`` of n pairs of frames in a box (x0, y0, x1, y1), at every second pixel."""

    box: tuple[int, int, int, int]
    flow: NDArray[np.float32]


class Motion:
    """Motion in one clip, in model space. Worked out where it is asked for, and kept while there is room.

    Flow depends a little on the box that it is worked out in. So boxes hang on the clip alone, never on what was asked
    for before: the same points always move alike, however a user came to them.

    Args:
        backend: computes the flow.
        spool: the clip's T frames.
        landmarks: ``(T, K, 2)`` px, about where motion will be asked for. Elsewhere it costs more.
        memory_bytes: room for what is kept.
    """

    def __init__(
        self,
        backend: Backend,
        spool: FrameSpool,
        landmarks: NDArray[np.float64],
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._backend, self._spool, self._landmarks, self._room = backend, spool, landmarks, memory_bytes
        self._blocks: OrderedDict[tuple[int, int, bool], _Block] = OrderedDict()
        self._cuts: dict[tuple[int, ...], NDArray[np.float32]] = {}

    def along(
        self, points: NDArray[np.float64], first: int = 0, expected: NDArray[np.float64] | None = None
    ) -> Sequence[Hops]:
        """Read the motion at points.

        Args:
            points: ``(T, K, 2)`` px, in T frames that follow each other.
            first: index of the first of these frames.
            expected: ``(T, K, 2)`` px: a track with about the motion that is looked for; long steps need it.
        """
        hops = []
        for step in STEPS:
            if step < len(points):
                displacement = self._displacement(points, first, step)
                if expected is not None:
                    ahead = expected[step:] - expected[:-step]
                    displacement = self._long_steps(points[:-step], first, step, displacement, ahead)
                hops.append(Hops(step, displacement))
        return hops

    def _long_steps(
        self,
        points: NDArray[np.float64],
        first: int,
        step: int,
        displacement: NDArray[np.float64],
        expected: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Read long steps again between cuttings, one around the point, one around where it is expected, and take the
        reading of the two whose end looks more like its start; all ``(T, K, 2)``."""
        row, landmark = np.nonzero(np.hypot(*np.moveaxis(expected, -1, 0)) > FAST_PX)
        if not len(row):
            return displacement
        pictures = self._spool.read(first, first + len(points) + step)
        place = points[row, landmark]
        # In steps, so that points that differ by little share their cuttings.
        corner = (np.floor((place - _CUT // 2) / _CUT_GRID) * _CUT_GRID + _CUT_GRID // 2).astype(np.intp)
        shift = 2 * np.round(expected[row, landmark] / 2).astype(np.intp)
        flow = self._cut_flow(pictures, row, step, corner, shift, first)
        near = shift + _read(flow, np.arange(len(row)), place - corner)
        known = displacement[row, landmark]
        start = _surroundings(pictures, row, place)
        misses = [
            np.square(_surroundings(pictures, row + step, place + way) - start).mean(axis=(1, 2))
            for way in (known, near)
        ]
        result = displacement.copy()
        result[row, landmark] = np.where((misses[1] < misses[0])[:, None], near, known)
        return result

    def _cut_flow(
        self,
        pictures: NDArray[np.uint8],
        row: NDArray[np.intp],
        step: int,
        corner: NDArray[np.intp],
        shift: NDArray[np.intp],
        first: int,
    ) -> NDArray[np.float32]:
        """Flow ``(n, _CUT / 2, _CUT / 2, 2)`` from cuttings of pictures `row` at `corner` to those, moved by `shift`,
        of pictures `step` later; kept for the next time."""
        keys = [
            (step, first + r, *c, *m)
            for r, c, m in zip(row.tolist(), corner.tolist(), shift.tolist(), strict=True)
        ]
        last = {key: i for i, key in enumerate(keys)}
        if len(self._cuts.keys() | last.keys()) > _MOST_CUTS:
            self._cuts.clear()
        new = [i for key, i in last.items() if key not in self._cuts]
        if new:
            before = _cut(pictures, row[new], corner[new])
            after = _cut(pictures, row[new] + step, corner[new] + shift[new])
            self._cuts.update(zip((keys[i] for i in new), self._flow(before, after), strict=True))
        return np.stack([self._cuts[key] for key in keys])

    def _displacement(self, points: NDArray[np.float64], first: int, step: int) -> NDArray[np.float64]:
        frames = np.arange(len(points) - step)
        result = np.empty_like(points[: len(frames)])
        number = (frames + first) // _BLOCK
        for block_number in np.unique(number).tolist():
            mine = number == block_number
            near = _covered(points[: len(frames)], self._box(block_number, step), self._spool.shape)
            for chosen, everywhere in ((mine & near, False), (mine & ~near, True)):
                rows = frames[chosen]
                if len(rows):
                    block = self._block(block_number, step, everywhere)
                    pair = (rows + first - block_number * _BLOCK)[:, None]
                    result[chosen] = _read(block.flow, pair, points[rows] - block.box[:2])
        return result

    def _box(self, number: int, step: int) -> tuple[int, int, int, int]:
        """The box around the landmarks in a block of pairs."""
        around = self._landmarks[number * _BLOCK : (number + 1) * _BLOCK + step]
        return _aligned(_bounds(around, self._spool.shape), self._spool.shape)

    def _block(self, number: int, step: int, everywhere: bool) -> _Block:
        """The flow of a block of pairs around the landmarks, or everywhere."""
        key = (number, step, everywhere)
        if key not in self._blocks:
            height, width = self._spool.shape
            x0, y0, x1, y1 = box = (0, 0, width, height) if everywhere else self._box(number, step)
            start, stop = number * _BLOCK, min((number + 1) * _BLOCK + step, len(self._spool))
            frames = self._spool.read(start, stop)[:, y0:y1, x0:x1]
            self._blocks[key] = _Block(box, self._flow(frames[:-step], frames[step:]))
        self._blocks.move_to_end(key)
        block = self._blocks[key]
        while len(self._blocks) > 1 and sum(kept.flow.nbytes for kept in self._blocks.values()) > self._room:
            self._blocks.popitem(last=False)
        return block

    def _flow(self, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Flow ``(n, h / 2, w / 2, 2)``: both components of a place lie together, as they are read."""
        return np.ascontiguousarray(np.moveaxis(self._backend.flow(before, after), 1, -1))


def _bounds(points: NDArray[np.float64], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box around points ``(T, K, 2)`` with a margin, within a frame of `size` (height, width)."""
    limits = np.array(size[::-1])
    low = np.clip(np.floor(points.min(axis=(0, 1))) - _MARGIN, 0, limits - 1).astype(int)
    high = np.clip(np.ceil(points.max(axis=(0, 1))) + _MARGIN, low + 1, limits).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _covered(
    points: NDArray[np.float64], box: tuple[int, int, int, int], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Tell in which frames ``(T,)`` a box holds all that reading at points ``(T, K, 2)`` needs."""
    limits = np.array(size[::-1])
    least, most = (np.clip(points + margin, 0, limits) for margin in (-_READ_MARGIN, _READ_MARGIN))
    inside = (least >= np.array(box[:2])) & (most <= np.array(box[2:]))
    return np.asarray(inside.all(axis=(1, 2)), bool)


def _aligned(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The smallest box on the grid around a box; frames themselves have sides on the grid."""
    low = [value // _GRID * _GRID for value in box[:2]]
    high = [-(-value // _GRID) * _GRID for value in box[2:]]
    return low[0], low[1], min(high[0], size[1]), min(high[1], size[0])


def _read(
    flow: NDArray[np.float32], rows: NDArray[np.intp], places: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Read flow ``(n, h / 2, w / 2, 2)`` bilinearly at places ``(..., 2)``, px of what it was worked out for."""
    # Sample i of the flow is the mean of pixels 2 i and 2 i + 1.
    where = (places + 0.5) / 2 - 0.5
    return read_bilinear(flow, rows, where[..., 0], where[..., 1])


def _cut(pictures: NDArray[np.uint8], rows: NDArray[np.intp], corners: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Cuttings ``(n, _CUT, _CUT)`` of pictures ``(T, H, W)`` from corners (x, y) on; the border is repeated."""
    height, width = pictures.shape[1:]
    x, y = np.moveaxis(corners[:, None] + np.arange(_CUT)[:, None], -1, 0)  # (n, _CUT) each
    return pictures[
        rows[:, None, None], np.clip(y, 0, height - 1)[:, :, None], np.clip(x, 0, width - 1)[:, None]
    ]


def _surroundings(
    pictures: NDArray[np.uint8], rows: NDArray[np.intp], places: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What lies around places ``(n, 2)`` in pictures `rows`, free of mean and contrast: ``(n, side, side)``."""
    grey = read_patches(pictures, rows, places, 2 * _ALIKE + 1)
    grey -= grey.mean(axis=(1, 2), keepdims=True)
    return grey / (grey.std(axis=(1, 2), keepdims=True) + _LEAST_CONTRAST)
