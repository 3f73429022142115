"""``echo-keypoints inspect``: what is known of a clip, and what would block measurements."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from echo_keypoints.cli import REFUSED
from echo_keypoints.inspection import inspect_clip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``inspect``."""
    parser.add_argument("clip", type=Path, metavar="CLIP", help="DICOM, video, image folder, NPZ …")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print what was found.

    Returns:
        0, or 2 where the clip cannot be analysed at all.

    Raises:
        ClipError: there is no such file.
    """
    found = inspect_clip(args.clip)
    if args.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        print("\n".join(_lines(found)))
    return 0 if found["usable"] else REFUSED


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['file']}: " + ("can be analysed" if found["usable"] else str(found["refusal"]))
    if clip := found["clip"]:
        yield from _clip_lines(clip)
    for region in found["regions"]:
        bounds = "x {0}–{2}, y {1}–{3}".format(*region["bounds"])
        delta = " × ".join("?" if value is None else f"{abs(value):.5g}" for value in region["delta"])
        units = " × ".join(map(str, region["units"]))
        yield _line(
            f"Region {region['number']}", f"{region['format']} {region['data']}, {bounds}, {delta} ({units})"
        )
    yield _line("View", " ".join(found["view_hints"]))
    burned_in = found["burned_in"]
    yield _line("Burned-in text", f"risk {burned_in['risk']}. {' '.join(burned_in['reasons'])}")
    identity = found["identity"]
    yield _line("Identity", ", ".join(identity["elements"]) or "no identifying elements")
    if identity["private_elements"]:
        yield _line("", f"and {identity['private_elements']} private elements")
    for warning in found["warnings"]:
        yield _line("Warning", warning)
    for block in found["blocked"]:
        yield _line("Blocked", f"{block['what']}. {block['why']}")
    yield "For research use only."


def _clip_lines(clip: dict[str, Any]) -> Iterator[str]:
    yield _line("Clip", f"{clip['format']}, {clip['frames']} frames of {clip['width']} × {clip['height']}")
    if clip["times_known"]:
        uneven = ", uneven" if clip["times_uneven"] else ""
        rate = f"{clip['frames_per_s']:.2f} frames a second{uneven}, {clip['duration_s']:.3f} s"
        yield _line("Times", f"{rate} ({clip['times_source']})")
    else:
        yield _line("Times", f"unknown ({clip['times_source']})")
    if clip["spacing_mm"]:
        sx, sy = clip["spacing_mm"]
        yield _line("Scale", f"{sx:.5g} × {sy:.5g} mm per pixel ({clip['spacing_source']})")
    else:
        yield _line("Scale", clip["spacing_source"])


def _line(title: str, text: str) -> str:
    return f"  {title:15s}{text}"
