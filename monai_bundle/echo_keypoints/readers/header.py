"""Assemble a `ClipHeader` from what each reader found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..clip import Box, ClipHeader
from .limits import check_size
from .timing import Timing


@dataclass(frozen=True)
class Scale:
    """The scale of the pixels, or why there is none.

    Attributes:
        spacing_mm: ``(sx, sy)`` mm per pixel, or None where unknown.
        source: where the scale came from, or ``"unknown: ..."`` with the reason.
        region: half-open box of the region that the scale holds for, in pixels, or None.
        warnings: sentences for the user.
    """

    spacing_mm: tuple[float, float] | None
    source: str
    region: Box | None = None
    warnings: tuple[str, ...] = ()


def unknown_scale(reason: str) -> Scale:
    """Give up on the scale, and say so; `reason` completes "the scale is unknown: ..."."""
    warning = f"The scale is unknown ({reason}): lengths are in pixels, not in millimetres."
    return Scale(None, f"unknown: {reason}", warnings=(warning,))


def make_header(
    source: str,
    shape: tuple[int, int, int],
    timing: Timing,
    scale: Scale,
    metadata: dict[str, Any],
    warnings: tuple[str, ...] = (),
) -> ClipHeader:
    """Put a header together; ``metadata["times_known"]`` tells whether durations mean anything.

    Args:
        source: base name of the file.
        shape: ``(T, H, W)``.
        timing: times of the frames.
        scale: scale and region.
        metadata: further facts without patient data.
        warnings: further sentences, put first.

    Raises:
        ClipError: the size is out of bounds.
    """
    frame_count, height, width = shape
    check_size(source, frame_count, height, width)
    return ClipHeader(
        source=source,
        frame_count=frame_count,
        height=height,
        width=width,
        frame_times_s=timing.times_s,
        times_source=timing.source,
        spacing_mm=scale.spacing_mm,
        spacing_source=scale.source,
        scan_region=scale.region,
        metadata={**metadata, "times_known": timing.known},
        warnings=warnings + timing.warnings + scale.warnings,
    )
