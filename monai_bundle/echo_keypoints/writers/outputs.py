"""All files of one result in its folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from echo_keypoints.clip import ClipSource
from echo_keypoints.readers.dicom_study import Study
from echo_keypoints.results import RESULT_NAME, AnalysisResult, save_result
from echo_keypoints.writers.files import GIF_NAME, HTML_NAME, MP4_NAME, PDF_NAME, SR_NAME, write_tables
from echo_keypoints.writers.overlay import painted_frames
from echo_keypoints.writers.report import read_report
from echo_keypoints.writers.structured_report import write_sr
from echo_keypoints.writers.video import write_gif, write_mp4


def write_outputs(
    result: AnalysisResult,
    source: ClipSource,
    folder: Path,
    *,
    video: bool = True,
    gif: bool = False,
    report: bool = True,
    study: Study | None = None,
    with_identity: bool = False,
    threads: int | None = None,
) -> list[Path]:
    """Write ``result.json``, the three tables (`writers.csv`), ``curves.png``; on request reports and videos.

    The result comes first: whatever befalls the pictures, it is there. Reports and videos of an earlier result
    that are not made anew are deleted, since they would not show this one.

    Args:
        result: of the clip.
        source: the clip, read again for the video.
        folder: where to write (`results.claim_folder`).
        video: write the MP4.
        gif: write the GIF.
        report: write ``report.html`` and ``report.pdf``.
        study: of a DICOM clip (`readers.dicom_study`), for ``sr.dcm``; None for no such file. There is none
            either where nothing was measured.
        with_identity: file ``sr.dcm`` in the clip's study, the patient's name included; nothing else names one.
        threads: CPU threads of the video's encoder; as many as it likes by default.

    Returns:
        The files that were written.

    Raises:
        ClipError: the clip can no longer be read.
        ResultError: the folder holds another clip's result.
        OSError: the folder cannot be written to.
    """
    save_result(result, folder / RESULT_NAME)
    written = [folder / RESULT_NAME, *write_tables(result, folder)]
    write_video = partial(write_mp4, threads=threads)
    for wanted, write, name in ((video, write_video, MP4_NAME), (gif, write_gif, GIF_NAME)):
        (folder / name).unlink(missing_ok=True)
        if wanted:
            write(painted_frames(result, source), result.clip.frame_times_s, folder / name)
            written.append(folder / name)
    for name in (HTML_NAME, PDF_NAME):
        (folder / name).unlink(missing_ok=True)
    if report:
        pages = read_report(result, source)
        pages.write_html(folder / HTML_NAME)
        pages.write_pdf(folder / PDF_NAME)
        written += [folder / HTML_NAME, folder / PDF_NAME]
    (folder / SR_NAME).unlink(missing_ok=True)
    if study and result.measurements.get("indices"):
        write_sr(result, folder / SR_NAME, study, with_identity=with_identity)
        written.append(folder / SR_NAME)
    return written
