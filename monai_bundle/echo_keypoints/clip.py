"""`Clip` and `ClipSource`: a cine loop with its times, its scale and where both came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""A half-open pixel box ``(x0, y0, x1, y1)``: columns x0..x1-1, rows y0..y1-1."""


@dataclass(frozen=True)
class ClipHeader:
    """What is known of a clip before any pixel is decoded.

    Attributes:
        source: base name of the file, never its folder.
        frame_count, height, width: size of the cine.
        frame_times_s: ``(T,)`` float64, seconds from the first frame, strictly increasing.
        times_source: where the times came from, e.g. ``"FrameTimeVector"`` or ``"container"``.
        spacing_mm: ``(sx, sy)`` mm per pixel along x and y, or None where the scale is unknown (lengths are then
            in pixels only).
        spacing_source: where the scale came from, or why there is none.
        scan_region: box of the ultrasound image on the screen, or None if the file does not say (it is then found
            from the pixels, `tracking.region`).
        metadata: further facts of the file without patient data (manufacturer, heart rate, transfer syntax …).
        warnings: sentences for the user.
    """

    source: str
    frame_count: int
    height: int
    width: int
    frame_times_s: NDArray[np.float64]
    times_source: str
    spacing_mm: tuple[float, float] | None = None
    spacing_source: str = "unknown"
    scan_region: Box | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def times_known(self) -> bool:
        """False where `frame_times_s` were assumed: then nothing may be given in seconds."""
        return bool(self.metadata.get("times_known", True))


@dataclass(frozen=True)
class ClipSource:
    """A clip on disk, decoded frame by frame: bounded memory for cines of any length.

    Attributes:
        header: the facts.
        frames: call it for a fresh iterator over all frames in order, each ``(H, W)`` uint8 grey.
    """

    header: ClipHeader
    frames: Callable[[], Iterator[NDArray[np.uint8]]]


@dataclass(frozen=True)
class Clip:
    """A clip in memory.

    Attributes:
        header: the facts.
        pixels: ``(T, H, W)`` uint8 grey. Callees never edit it in place.
    """

    header: ClipHeader
    pixels: NDArray[np.uint8]

    def as_source(self) -> ClipSource:
        """Give the frames one by one, so that streaming code serves both kinds."""
        return ClipSource(self.header, lambda: iter(self.pixels))
