"""Files of one result in a folder of its own, each kind by the engine's writer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from echo_keypoints.clip import ClipSource
from echo_keypoints.errors import QueryError, ResultError
from echo_keypoints.results import RESULT_NAME, AnalysisResult, claim_folder, save_result, to_document
from echo_keypoints.writers.files import FOLLOWING, HTML_NAME, MP4_NAME, PDF_NAME, SR_NAME, write_tables

Progress = Callable[[str, int, int], None]

_LANDMARKS, _MARKUPS = "landmarks.seq.mrb", "landmarks_frame_{}.mrk.json"


@dataclass(frozen=True)
class Job:
    """What is to be exported.

    Attributes:
        result: of the clip.
        source: opens the clip, for what shows its frames.
        file: the clip's own file, or None where it is not at hand.
        folder: of the clip's results.
    """

    result: AnalysisResult
    source: Callable[[], ClipSource]
    file: Path | None
    folder: Path


def export(job: Job, kinds: Sequence[str], progress: Progress) -> list[Path]:
    """Write ``result.json`` and the kinds that were asked for into ``job.folder / stem of the clip``.

    An earlier state of the same clip's result is replaced, and the files that followed from it are deleted; another
    clip's never are.

    Args:
        job: what.
        kinds: of `KINDS`.
        progress: told after each kind.

    Returns:
        The files.

    Raises:
        EchoKeypointsError: the folder holds other files, or a kind cannot be made of this result.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise QueryError(f"There is no export {', '.join(unknown)}; choose of {', '.join(KINDS)}.")
    clip = job.result.clip.source
    folder, earlier = claim_folder(job.folder, clip, job.result.clip_sha256, overwrite=True)
    job = Job(job.result, job.source, job.file, folder)
    try:
        save_result(job.result, folder / RESULT_NAME)
        if earlier is not None and to_document(earlier) != to_document(job.result):
            for name in (*FOLLOWING, _LANDMARKS, *(file.name for file in folder.glob(_MARKUPS.format("*")))):
                (folder / name).unlink(missing_ok=True)
        files = [folder / RESULT_NAME]
        for done, kind in enumerate(kinds):
            progress("write", done, len(kinds))
            files += KINDS[kind](job)
    except OSError as error:
        raise ResultError(
            f"{clip}: cannot write to the folder {folder.name} ({error.strerror or error})."
        ) from error
    return files


def _curves(job: Job) -> list[Path]:
    return write_tables(job.result, job.folder)


def _report(job: Job) -> list[Path]:
    from echo_keypoints.writers.report import read_report

    report = read_report(job.result, job.source())
    report.write_html(job.folder / HTML_NAME)
    report.write_pdf(job.folder / PDF_NAME)
    return [job.folder / HTML_NAME, job.folder / PDF_NAME]


def _structured_report(job: Job) -> list[Path]:
    """DICOM SR that names no patient; with callipers where the clip's DICOM file is at hand."""
    from echo_keypoints.readers.dicom_study import read_study
    from echo_keypoints.writers.structured_report import write_sr

    is_dicom = job.result.clip.metadata.get("format") == "DICOM"
    study = read_study(job.file) if is_dicom and job.file else None
    write_sr(job.result, job.folder / SR_NAME, study)
    return [job.folder / SR_NAME]


def _markups(job: Job) -> list[Path]:
    from echo_keypoints.writers.slicer import write_landmark_sequence, write_markups

    write_landmark_sequence(job.result, job.folder / _LANDMARKS)
    name = _MARKUPS.format(job.result.reference_frame)
    write_markups(job.result, job.result.reference_frame, job.folder / name)
    return [job.folder / _LANDMARKS, job.folder / name]


def _video(job: Job) -> list[Path]:
    from echo_keypoints.writers.overlay import painted_frames
    from echo_keypoints.writers.video import write_mp4

    path = job.folder / MP4_NAME
    write_mp4(painted_frames(job.result, job.source()), job.result.clip.frame_times_s, path)
    return [path]


KINDS: dict[str, Callable[[Job], list[Path]]] = {
    "csv": _curves,
    "report": _report,
    "sr": _structured_report,
    "markups": _markups,
    "video": _video,
}
"""Name → what writes it."""
