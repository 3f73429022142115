"""`AnalysisResult` to and from the document of ``result.json`` (schema in ``schema-1.0.json``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from echo_keypoints.anatomy import LANDMARK_NAMES
from echo_keypoints.biomarkers.lengths import SegmentLength, measure_lengths
from echo_keypoints.clip import ClipHeader
from echo_keypoints.results.result import AnalysisResult, AuditEntry
from echo_keypoints.tracking.anchors import Anchor

SCHEMA_VERSION = "1.0"
_DECIMALS = 5  # a hundred-thousandth of a pixel or millimetre; keeps files of long clips small
_LENGTH_TOLERANCE = 1e-3  # what rounding may do to a length; more means that the file was changed by hand


def schema() -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of ``result.json``."""
    name = f"schema-{SCHEMA_VERSION}.json"
    text = resources.files("echo_keypoints.results").joinpath(name).read_text(encoding="utf-8")
    return dict(json.loads(text))


def plain(value: Any) -> Any:
    """Give `value` as plain JSON data: no numpy or DICOM types, and None for every number that is not finite.

    Arrays are rounded to five decimals. Unknown objects become their text.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.ndarray):
        rounded = np.round(value, _DECIMALS) if value.dtype.kind == "f" else value
        return plain(rounded.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, (np.bool_, np.integer, np.floating)):
        return plain(value.item())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, (list, tuple)) or hasattr(value, "__iter__"):
        return [plain(item) for item in value]
    return str(value)


def header_to_document(header: ClipHeader) -> dict[str, Any]:
    """Give the facts of a clip as the plain data that ``clip`` in ``result.json`` holds (without its warnings)."""
    return {
        "source": header.source,
        "frame_count": int(header.frame_count),
        "height": int(header.height),
        "width": int(header.width),
        "frame_times_s": [round(float(time_s), 7) for time_s in header.frame_times_s],
        "times_source": header.times_source,
        "spacing_mm": plain(header.spacing_mm),
        "spacing_source": header.spacing_source,
        "scan_region": plain(header.scan_region),
        "metadata": plain(header.metadata),
    }


def to_document(result: AnalysisResult) -> dict[str, Any]:
    """Give the result as the plain data that ``result.json`` holds."""
    header = result.clip
    points_px = np.round(result.points_px, _DECIMALS)
    lengths = measure_lengths(
        points_px, header.spacing_mm
    )  # of the points as written: whoever reads gets the same
    return {
        "schema_version": SCHEMA_VERSION,
        "research_use_only": True,
        "created_utc": result.created_utc,
        "software": {"name": "echo-keypoints", "version": result.software, "backend": result.backend},
        "models": {name: {"sha256": digest} for name, digest in result.models.items()},
        "clip": {**header_to_document(header), "sha256": result.clip_sha256},
        "tracks": {
            "landmarks": list(LANDMARK_NAMES),
            "points_px": plain(points_px),
            "confidence": plain(result.confidence),
            "reference_frame": int(result.reference_frame),
            "reference_mode": result.reference_mode,
            "iterations": int(result.iterations),
            "anchors": [
                {"frame": int(anchor.frame), "points_px": plain(np.asarray(anchor.points_px))}
                for anchor in result.anchors
            ],
            "automatic_px": plain(result.automatic_px),
            "surroundings": plain(result.surroundings),
        },
        "lengths": {
            name: {"px": plain(length.px), "mm": plain(length.mm)} for name, length in lengths.items()
        },
        "beats": plain(result.beats),
        "measurements": plain(result.measurements),
        "quality": plain(result.quality),
        "audit": [plain(asdict(entry)) for entry in result.audit],
        "warnings": list(result.warnings),
    }


def from_document(document: Mapping[str, Any]) -> AnalysisResult:
    """Read what `to_document` gave.

    Raises:
        ValueError: a part does not fit another (number of frames, lengths against tracks, version).
        KeyError: a part of the core is missing.
        TypeError: a part is of another kind.
    """
    version = str(document["schema_version"])
    if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise ValueError(f"its schema version {version} is not {SCHEMA_VERSION}")
    tracks = document["tracks"]
    if tuple(tracks["landmarks"]) != LANDMARK_NAMES:
        raise ValueError("its landmarks are others than " + ", ".join(LANDMARK_NAMES))
    result = AnalysisResult(
        clip=header_from_document(document["clip"]),
        points_px=_array(tracks["points_px"]),
        confidence=_array(tracks["confidence"]),
        reference_frame=int(tracks["reference_frame"]),
        reference_mode=str(tracks.get("reference_mode", "confidence")),
        iterations=int(tracks.get("iterations", 5)),
        backend=str(document["software"].get("backend", "onnx")),
        models={name: str(facts["sha256"]) for name, facts in document["models"].items()},
        anchors=tuple(Anchor(int(a["frame"]), _array(a["points_px"])) for a in tracks["anchors"]),
        automatic_px=None if tracks.get("automatic_px") is None else _array(tracks["automatic_px"]),
        surroundings={str(k): float(v) for k, v in (tracks.get("surroundings") or {}).items()},
        clip_sha256=document["clip"].get("sha256"),
        beats=tuple(document["beats"]),
        measurements=dict(document["measurements"]),
        quality=dict(document["quality"]),
        audit=tuple(AuditEntry(**entry) for entry in document["audit"]),
        warnings=tuple(str(warning) for warning in document["warnings"]),
        software=str(document["software"]["version"]),
        created_utc=str(document.get("created_utc", "")),
    )
    _check_lengths(document["lengths"], result.lengths)
    return result


def header_from_document(clip: Mapping[str, Any]) -> ClipHeader:
    """Read what `header_to_document` gave.

    Raises:
        ValueError: its frame times do not increase.
        KeyError: a part of the core is missing.
        TypeError: a part is of another kind.
    """
    spacing, region = clip["spacing_mm"], clip.get("scan_region")
    times = _array(clip["frame_times_s"])
    if not np.all(np.isfinite(times)) or np.any(np.diff(times) <= 0):
        raise ValueError("its frame times do not increase")
    return ClipHeader(
        source=str(clip["source"]),
        frame_count=int(clip["frame_count"]),
        height=int(clip["height"]),
        width=int(clip["width"]),
        frame_times_s=times,
        times_source=str(clip.get("times_source", "unknown")),
        spacing_mm=None if spacing is None else (float(spacing[0]), float(spacing[1])),
        spacing_source=str(clip.get("spacing_source", "unknown")),
        scan_region=None if region is None else (region[0], region[1], region[2], region[3]),
        metadata=dict(clip.get("metadata", {})),
    )


def _array(values: ArrayLike) -> NDArray[np.float64]:
    """Read nested lists of numbers, null as NaN."""
    return np.array(values, dtype=np.float64)


def _check_lengths(stored: Mapping[str, Any], lengths: Mapping[str, SegmentLength]) -> None:
    """Refuse stored lengths that are not those of the stored tracks."""
    for name, length in lengths.items():
        for unit, values in (("px", length.px), ("mm", length.mm)):
            kept = stored[name][unit]
            if (kept is None) != (values is None):
                raise ValueError(f"its {name} in {unit} does not fit the scale of the clip")
            if values is not None and not np.allclose(
                _array(kept), values, rtol=0, atol=_LENGTH_TOLERANCE, equal_nan=True
            ):
                raise ValueError(f"its {name} in {unit} does not fit its tracks")
