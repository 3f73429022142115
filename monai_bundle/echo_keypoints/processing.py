"""From a clip's file to its folder of results: what the command line and the batch do with every clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from numpy.typing import ArrayLike

from echo_keypoints.analysis import Progress, analyze_source
from echo_keypoints.biomarkers import Patient
from echo_keypoints.clip import ClipSource
from echo_keypoints.editing import ANALYSIS
from echo_keypoints.errors import ResultError
from echo_keypoints.readers import open_clip
from echo_keypoints.readers.dicom_study import find_study
from echo_keypoints.results import (
    AnalysisResult,
    AuditEntry,
    claim_folder,
    clip_digest,
    from_document,
    to_document,
)
from echo_keypoints.tracking import Anchor
from echo_keypoints.tracking.backends import Backend
from echo_keypoints.writers.outputs import write_outputs


@dataclass(frozen=True)
class Outputs:
    """Which files are written beside ``result.json``, ``curves.csv`` and ``curves.png``.

    Attributes:
        video: ``overlay.mp4``.
        gif: ``overlay.gif``.
        report: ``report.html`` and ``report.pdf``.
        sr: ``sr.dcm`` of a DICOM clip.
        identity: ``sr.dcm`` names the patient, as the clip does, and is filed in its study.
    """

    video: bool = True
    gif: bool = False
    report: bool = True
    sr: bool = True
    identity: bool = False


def analyze_into(
    path: Path,
    output: Path,
    *,
    backend: Backend,
    outputs: Outputs = Outputs(),
    overwrite: bool = False,
    resume: bool = False,
    set_aside: bool = False,
    name: str | None = None,
    query: tuple[int, ArrayLike] | None = None,
    anchors: Sequence[Anchor] = (),
    reference: str | int = "confidence",
    patient: Patient | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> tuple[AnalysisResult, Path]:
    """Analyse a clip and write its files.

    Args:
        path: the clip.
        output: folder that holds one folder a clip.
        backend: the networks.
        outputs: which files.
        overwrite: analyse again what has been analysed before; the audit trail goes on.
        resume: where there is a result of this clip already, take it as it is, a person's changes included, and
            only write the files that follow from it.
        set_aside: results of another clip in its folder, or damaged ones, make room (`results.claim_folder`).
        name: of the folder within `output`; the stem of the clip's name by default.
        threads: CPU threads of the video's encoder; as many as it likes by default.
        query, anchors, reference, patient, progress: as in `analysis.analyze_clip`.

    Returns:
        The result and its folder.

    Raises:
        ClipError: the file cannot be used as a clip.
        QueryError: points or frames do not fit the clip.
        ResultError: the folder is taken, or cannot be written to.
    """
    source = open_clip(path)
    digest = clip_digest(path)
    folder, earlier = claim_folder(
        output,
        source.header.source,
        digest,
        overwrite=overwrite or resume,
        name=name,
        set_aside=set_aside,
    )
    try:
        if earlier is not None and resume and not overwrite:
            result = earlier
        else:
            result = analyze_source(
                source,
                backend=backend,
                query=query,
                anchors=anchors,
                reference=reference,
                patient=patient,
                progress=progress,
                sha256=digest,
            )
            result = result if earlier is None else _continue_trail(earlier, result)
            # As it is kept: what is exported from it later is then the same to the last digit.
            result = from_document(to_document(result))
        _write(result, path, source, folder, outputs, threads)
    finally:
        if not any(folder.iterdir()):  # a refused clip leaves nothing behind
            folder.rmdir()
    return result, folder


def _write(
    result: AnalysisResult,
    path: Path,
    source: ClipSource,
    folder: Path,
    outputs: Outputs,
    threads: int | None,
) -> None:
    study = find_study(path, source.header) if outputs.sr else None
    try:
        write_outputs(
            result,
            source,
            folder,
            video=outputs.video,
            gif=outputs.gif,
            report=outputs.report,
            study=study,
            with_identity=outputs.identity,
            threads=threads,
        )
    except OSError as error:
        raise ResultError(
            f"{source.header.source}: the results cannot be written to the folder {folder.name} "
            f"({error.strerror or error}); free some space or choose another output folder."
        ) from error


def _continue_trail(earlier: AnalysisResult, result: AnalysisResult) -> AnalysisResult:
    """Keep the audit trail of the result that is replaced, and say that it was."""
    entry = AuditEntry(
        who="echo-keypoints",
        when=result.created_utc,
        what=ANALYSIS,
        old=earlier.created_utc,
        new=result.created_utc,
        reason="analysed again with --overwrite",
    )
    return replace(result, audit=(*earlier.audit, entry))
