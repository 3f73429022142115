"""`analyze_clip`: from a file to its result. The one function behind all front doors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from numpy.typing import ArrayLike

from echo_keypoints.biomarkers import Patient, measure
from echo_keypoints.clip import Clip, ClipHeader, ClipSource
from echo_keypoints.readers import open_clip
from echo_keypoints.results import AnalysisResult, file_digest
from echo_keypoints.tracking import Anchor, Tracking, load_backend, open_session
from echo_keypoints.tracking.backends import Backend
from echo_keypoints.tracking.refinement import ITERATIONS

Progress = Callable[[str, int, int], None]
"""Called as ``progress(stage, done, total)`` in frames; stages are ``read``, ``detect`` and ``refine``."""


def analyze_clip(
    path: str | Path,
    *,
    backend: Backend | None = None,
    query: tuple[int, ArrayLike] | None = None,
    anchors: Sequence[Anchor] = (),
    reference: str | int = "confidence",
    iterations: int = ITERATIONS,
    patient: Patient | None = None,
    progress: Progress | None = None,
) -> AnalysisResult:
    """Read a clip, track the four landmarks and measure the three lengths.

    Args:
        path: file or folder of images (`readers.open_clip`).
        backend: the networks; ONNX Runtime with the shipped weights by default. Load it once for many clips.
        query: ``(frame, (4, 2) original pixels)`` to start from in place of the detector.
        anchors: frames whose landmarks a person set.
        reference: how to choose the reference frame: ``confidence``, ``first``, ``random`` or an index.
        iterations: refinements of the tracks.
        patient: sex, size and age, for the indices that need them.
        progress: told how far it is.

    Raises:
        ClipError: the file cannot be used as a clip.
        ModelError: weights are missing or damaged.
        QueryError: points or frames do not fit the clip.
    """
    return analyze_source(
        open_clip(path),
        backend=backend,
        query=query,
        anchors=anchors,
        reference=reference,
        iterations=iterations,
        patient=patient,
        progress=progress,
        sha256=file_digest(Path(path)),
    )


def analyze_source(
    source: ClipSource | Clip,
    *,
    backend: Backend | None = None,
    query: tuple[int, ArrayLike] | None = None,
    anchors: Sequence[Anchor] = (),
    reference: str | int = "confidence",
    iterations: int = ITERATIONS,
    patient: Patient | None = None,
    progress: Progress | None = None,
    sha256: str | None = None,
) -> AnalysisResult:
    """Analyse a clip that is open or in memory; as `analyze_clip`.

    Args:
        source: the clip.
        backend, query, anchors, reference, iterations, patient, progress: as in `analyze_clip`.
        sha256: digest of the clip's file, for the record.
    """
    with open_session(source, backend or load_backend(), progress=progress) as session:
        tracking = session.track(
            anchors, query=query, reference=reference, iterations=iterations, progress=progress
        )
    return result_of(session.header, tracking, sha256=sha256, patient=patient)


def result_of(
    header: ClipHeader,
    tracking: Tracking | AnalysisResult,
    *,
    sha256: str | None = None,
    patient: Patient | None = None,
) -> AnalysisResult:
    """Put the tracks of a clip and its facts together, and measure them.

    Args:
        header: facts of the clip.
        tracking: its tracks; as a result, where a server tracked it.
        sha256: digest of the clip's file, for the record.
        patient: for the indices that need it.
    """
    tracked = AnalysisResult(
        clip=replace(header, warnings=()),
        points_px=tracking.points_px,
        confidence=tracking.confidence,
        reference_frame=tracking.reference_frame,
        reference_mode=tracking.reference_mode,
        iterations=tracking.iterations,
        backend=tracking.backend,
        models=tracking.models,
        anchors=tracking.anchors,
        automatic_px=tracking.automatic_px if tracking.anchors else None,
        surroundings=tracking.surroundings,
        clip_sha256=sha256,
        warnings=header.warnings,
    )
    return measure(tracked, patient)
