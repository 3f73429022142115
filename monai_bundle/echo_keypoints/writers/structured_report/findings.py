"""What a report says, whatever its template: values with their units and callipers, beat by beat and as means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.anatomy import SEGMENTS
from echo_keypoints.results import AnalysisResult

_PHASES = (("d", "ed_frame"), ("s", "es_frame"))
_SEGMENTS = {
    segment.name + suffix: (segment, key) for segment in SEGMENTS for suffix, key in _PHASES
}  # IVSd → septum at end-diastole
_SHORTENING = ("LVIDd", "LVIDs")
_NOTICE = (
    "For research use only. Not for clinical use, diagnosis or treatment. Not a medical device. "
    "Measurements must be verified by a qualified reader."
)


@dataclass(frozen=True, eq=False)
class Calliper:
    """A line ``(2, 2)`` in original pixels on a frame counted from 0."""

    frame: int
    points_px: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Finding:
    """One value.

    Attributes:
        name, label: of the index: stable identifier and text.
        value, unit: as in the result.
        sd: standard deviation over the beats, of means only.
        callipers: where it was measured; none for means and for what is computed from other values.
    """

    name: str
    label: str
    value: float
    unit: str
    sd: float | None = None
    callipers: tuple[Calliper, ...] = ()


@dataclass(frozen=True)
class Group:
    """Values that belong together: those of a beat, or the means.

    Attributes:
        title: e.g. ``"Beat 2"`` or ``"Mean of 3 beats"``.
        is_mean: whether the values are means over beats.
        findings: the values.
    """

    title: str
    is_mean: bool
    findings: tuple[Finding, ...]


def report_groups(result: AnalysisResult) -> list[Group]:
    """Collect the values of a result: the means, then every accepted beat; empty where nothing was measured."""
    indices: Mapping[str, Any] = result.measurements.get("indices", {})
    means = [
        Finding(name, index["label"], float(index["value"]), index["unit"], index.get("sd"))
        for name, index in indices.items()
        if index["value"] is not None
    ]
    accepted = [beat for beat in result.beats if beat["accepted"]]
    count = len(accepted)
    groups = [Group(f"Mean of {count} beat{'' if count == 1 else 's'}", True, tuple(means))]
    rate = result.measurements.get("heart_rate_bpm")
    if rate is not None and "HR" not in indices:  # the median of all beats, no mean of those
        groups.append(Group("Whole clip", False, (Finding("HR", "Heart rate", float(rate), "bpm"),)))
    groups += [
        Group(f"Beat {beat['index'] + 1}", False, _of_beat(result, beat, indices)) for beat in accepted
    ]
    return [group for group in groups if group.findings]


def remarks(result: AnalysisResult) -> str:
    """Give what a reader must know beside the values: the notice, the scale, quality and rejected beats."""
    sentences = [_NOTICE]
    sentences.append(f"Scale: {result.clip.spacing_source}. Times: {result.clip.times_source}.")
    if grade := result.quality.get("grade"):
        sentences.append(" ".join([f"Quality: {grade}.", *result.quality.get("reasons", ())]))
    sentences += [
        f"Beat {beat['index'] + 1} was rejected: {'; '.join(beat['reasons']) or 'by the user'}."
        for beat in result.beats
        if not beat["accepted"]
    ]
    if any("Teichholz" in name for name in result.measurements.get("indices", {})):
        sentences.append("Teichholz volumes assume a geometry and do not hold with regional wall motion.")
    return "\n".join(sentences)


def _of_beat(
    result: AnalysisResult, beat: Mapping[str, Any], indices: Mapping[str, Any]
) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            name,
            indices[name]["label"],
            float(value),
            indices[name]["unit"],
            callipers=_callipers(result, beat, name),
        )
        for name, value in beat["indices"].items()
        if value is not None and name in indices
    )


def _callipers(result: AnalysisResult, beat: Mapping[str, Any], name: str) -> tuple[Calliper, ...]:
    """Give the lines that an index was measured on: one for a length, two for the fractional shortening."""
    found = []
    for part in _SHORTENING if name == "FS" else (name,):
        segment, key = _SEGMENTS.get(part, (None, ""))
        frame = beat.get(key)
        if segment is None or frame is None:
            continue
        points = result.points_px[frame][[segment.start, segment.end]]
        if np.isfinite(points).all():
            found.append(Calliper(int(frame), points))
    return tuple(found)
