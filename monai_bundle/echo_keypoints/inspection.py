"""`inspect_clip`: what is known of a clip before anything is tracked, and what would block measurements."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.biomarkers.kinetics import DIMENSION_RATE_HZ, FINE_RATE_HZ
from echo_keypoints.biomarkers.quantities import TIMING_RATE_HZ
from echo_keypoints.clip import ClipHeader, ClipSource
from echo_keypoints.errors import ClipError
from echo_keypoints.readers import open_clip
from echo_keypoints.readers.dicom_tags import DicomTags, read_tags
from echo_keypoints.readers.guard import display_name, guarded
from echo_keypoints.readers.sniff import sniff
from echo_keypoints.results import plain
from echo_keypoints.tracking.region import REGION_FRAMES, scan_region

_LONG_BEAT_S = 1.0  # a clip of 60 bpm: shorter ones may hold no full beat
_BRIGHT = 100  # grey level of text on a screen
_STILL = 6  # a pixel that changes less over the clip is no speckle; compression leaves a little
_MARKED = 0.001  # share of the pixels beside the image that looks like text
_BANNER = 0.12  # names stand in this upper part of the screen, if anywhere


def inspect_clip(path: str | Path) -> dict[str, Any]:
    """Tell what a clip's file says, and what follows from it. Nothing is tracked; no value of a patient is told.

    Args:
        path: the clip.

    Returns:
        Plain JSON data: ``file``, ``usable``, ``refusal``, ``clip`` (size, times, scale), ``regions``, ``view_hints``,
        ``burned_in``, ``identity``, ``warnings`` and ``blocked``, a list of what would be missing and why.

    Raises:
        ClipError: there is no such file.
    """
    file = Path(path)
    name = display_name(file)
    if not file.exists():
        raise ClipError(f"{name} was not found; check its path.")
    tags, source, refusal = None, None, None
    try:
        with guarded(name):
            kind = sniff(file)
        with suppress(ClipError):  # one odd element there does not keep the clip from being read
            tags = read_tags(file) if kind == "dicom" else None
        source = open_clip(file)
        frames = list(islice(source.frames(), REGION_FRAMES))
    except ClipError as error:
        source, frames, refusal = None, [], str(error)
    return {
        "file": name,
        "usable": source is not None,
        "refusal": refusal,
        "clip": None if source is None else _facts(source.header),
        "regions": [] if tags is None else [dict(region) for region in tags.regions],
        "view_hints": _view_hints(tags),
        "burned_in": _burned_in(tags, source, frames),
        "identity": _identity(tags),
        "warnings": [] if source is None else list(source.header.warnings),
        "blocked": _blocked(source, refusal),
        "research_use_only": True,
    }


def _facts(header: ClipHeader) -> dict[str, Any]:
    """Give size, times and scale."""
    steps = np.diff(header.frame_times_s)
    known = header.times_known
    return {
        "format": header.metadata.get("format"),
        "frames": header.frame_count,
        "width": header.width,
        "height": header.height,
        "times_known": known,
        "times_source": header.times_source,
        "frames_per_s": round(1 / float(steps.mean()), 3) if known else None,
        "duration_s": round(float(header.frame_times_s[-1]), 4) if known else None,
        "times_uneven": bool(known and np.ptp(steps) > 0.02 * steps.mean()),
        "spacing_mm": plain(header.spacing_mm),
        "spacing_source": header.spacing_source,
        "scan_region": plain(header.scan_region),
        "metadata": plain(header.metadata),
    }


def _view_hints(tags: DicomTags | None) -> list[str]:
    hints = list(tags.view_hints) if tags else []
    return hints or [
        "The file does not say which view it is; only the quality checks of an analysis judge it."
    ]


def _identity(tags: DicomTags | None) -> dict[str, Any]:
    """Give the elements that may tell who the patient is, by name."""
    if tags is None:
        return {"elements": [], "private_elements": 0, "stated_removed": None}
    facts = asdict(tags)
    return {
        "elements": list(facts["identifying"]),
        "private_elements": tags.private_count,
        "stated_removed": tags.identity_removed or None,
    }


def _burned_in(
    tags: DicomTags | None, source: ClipSource | None, frames: list[NDArray[np.uint8]]
) -> dict[str, Any]:
    """Judge whether a name may be part of the picture: by what the file states, and by still bright marks."""
    stated = tags.burned_in if tags else ""
    reasons = (
        [f"BurnedInAnnotation says {stated}."] if stated else ["The file states nothing of burned-in text."]
    )
    risk = {"YES": "high", "NO": "low"}.get(stated, "unknown")
    if source is not None and frames:
        top, elsewhere = _marks(source.header, frames)
        if top > _MARKED:
            risk = "high"
            reasons.append(
                "There are still, bright marks in the upper part of the screen, where names stand."
            )
        elif elsewhere > _MARKED and risk != "high":
            risk = "possible"
            reasons.append("There are still, bright marks beside the image: a scale, an ECG, or text.")
        elif risk == "unknown":
            risk = "low"
            reasons.append("Beside the image there are no still, bright marks.")
    return {"risk": risk, "stated": stated or None, "reasons": reasons}


def _marks(header: ClipHeader, frames: list[NDArray[np.uint8]]) -> tuple[float, float]:
    """Give the shares of still, bright pixels beside the image: in the upper part of the screen, and elsewhere."""
    lowest, highest = frames[0].copy(), frames[0].copy()
    for frame in frames:
        np.minimum(lowest, frame, out=lowest)
        np.maximum(highest, frame, out=highest)
    marks = (lowest > _BRIGHT) & (highest - lowest < _STILL)
    beside = np.ones(marks.shape, bool)
    x0, y0, x1, y1 = scan_region(header, frames)
    beside[y0:y1, x0:x1] = False
    upper = np.arange(header.height)[:, None] < _BANNER * header.height
    return _share(marks, beside & upper), _share(marks, beside & ~upper)


def _share(marks: NDArray[np.bool_], part: NDArray[np.bool_]) -> float:
    return float(marks[part].mean()) if part.any() else 0.0


def _blocked(source: ClipSource | None, refusal: str | None) -> list[dict[str, str]]:
    """List what would be missing in a result, each with its reason."""
    if source is None:
        return [{"what": "everything", "why": refusal or "The file cannot be read."}]
    header = source.header
    found = []
    if header.spacing_mm is None:
        found.append(
            ("lengths in mm, LV mass, volumes, velocities", f"The scale is {header.spacing_source}.")
        )
    steps = np.diff(header.frame_times_s)
    rate, length = 1 / float(steps.mean()), float(header.frame_times_s[-1])
    if not header.times_known:
        found.append(("heart rate, durations, velocities", "The file has no frame times."))
    elif rate < TIMING_RATE_HZ - 0.5:
        found.append(("heart rate, durations, velocities", f"{rate:.1f} frames a second are too few."))
    elif rate < FINE_RATE_HZ - 0.5:
        why = f"They need {FINE_RATE_HZ:g} frames a second, and the clip has {rate:.1f}."
        found.append(("timing of the wall thickening, peak velocities", why))
        if rate < DIMENSION_RATE_HZ - 0.5:
            why = f"{rate:.1f} frames a second: end-diastole and end-systole may be {500 / rate:.0f} ms off."
            found.append(("(less sure) all values of a beat", why))
    if header.times_known and length < _LONG_BEAT_S:
        found.append(("(perhaps) heart rate, means over beats", f"The clip is {length:.2f} s long."))
    if header.metadata.get("colour"):
        found.append(("(less sure) all landmarks", "Colour Doppler hides the walls; use the grey clip."))
    needs = "Sex, height and weight are never read from the file; give them to analyze."
    found.append(("LV mass index, indexed dimensions, class of geometry", needs))
    return [{"what": what, "why": why} for what, why in found]
