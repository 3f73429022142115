"""``echo-keypoints export``: a result as a report, DICOM or Slicer files, or trained weights as ONNX."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from echo_keypoints.cli.arguments import natural
from echo_keypoints.clip import ClipSource
from echo_keypoints.errors import EchoKeypointsError, ModelError, QueryError, ResultError
from echo_keypoints.readers import open_clip
from echo_keypoints.results import AnalysisResult, clip_digest, load_result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``export``."""
    parser.add_argument(
        "input",
        type=Path,
        metavar="RESULT",
        help="result.json or its folder; for onnx the folder with sknet.pt, trnet.pt and, if there are any, "
        "placenet.pt and tissue.pt",
    )
    parser.add_argument(
        "--to",
        choices=("onnx", *_EXPORTS),
        default="onnx",
        help="report: HTML or PDF by the file's ending; sr: DICOM SR TID 1500; sr-echo: DICOM SR TID 5300; "
        "overlay-dicom: the overlay as ultrasound multi-frame; markups: landmarks of a frame for "
        "Slicer; sequence: landmarks (.seq.mrb) or frames (.seq.nrrd) over time for Slicer; onnx: weights for "
        "inference (default)",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="file to write (not for onnx)")
    parser.add_argument("--clip", type=Path, metavar="CLIP", help="the clip that the result is of")
    parser.add_argument(
        "--frame", type=natural, metavar="N", help="for markups: from 0 (default: the reference frame)"
    )
    parser.add_argument(
        "--with-identity",
        action="store_true",
        help="for sr, sr-echo, overlay-dicom: file it in the clip's study, the patient's name included",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")


def run(args: argparse.Namespace) -> int:
    """Export, and print the file or how far the two engines differ.

    Raises:
        EchoKeypointsError: a part is missing or does not fit.
    """
    if args.to == "onnx":
        return _export_weights(args.input)
    if args.output is None:
        raise EchoKeypointsError(f"--to {args.to} needs a file to write: -o FILE.")
    if args.output.exists() and not args.overwrite:
        raise ResultError(f"{args.output.name} is there already; use --overwrite to replace it.")
    result = load_result(args.input)
    if args.clip is not None:
        _check_clip(args.clip, args.output, result)
    try:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        _EXPORTS[args.to](result, args)
    except OSError as error:
        raise ResultError(f"{args.output.name} cannot be written ({error.strerror or error}).") from error
    print(args.output)
    return 0


def _check_clip(clip: Path, output: Path, result: AnalysisResult) -> None:
    """Make sure that this is the clip that was analysed, and that it is not written over."""
    try:
        digest = clip_digest(clip)
    except OSError as error:
        raise ResultError(f"{clip.name} cannot be read ({error.strerror or error}).") from error
    if digest is None:
        raise ResultError(f"{clip.name} was not found.")
    if result.clip_sha256 not in (None, digest):
        raise ResultError(f"{clip.name} is not the clip that was analysed ({result.clip.source}).")
    if output.exists() and output.samefile(clip):
        raise ResultError(f"{output.name} is the clip itself; choose another name for what is written.")


def _export_weights(folder: Path) -> int:
    """Turn torch weights into ONNX files, checked against each other."""
    try:
        from echo_keypoints.training.export import export_models
    except ImportError as error:
        raise EchoKeypointsError("export needs torch: pip install 'echo-keypoints[train]'.") from error
    try:
        distance = export_models(folder)
    except ValueError as error:
        raise ModelError(f"The exported models cannot be trusted: {error}.") from error
    print(f"ONNX Runtime and torch agree within {distance:.4f} px.")
    return 0


def _report(result: AnalysisResult, args: argparse.Namespace) -> None:
    from echo_keypoints.writers.report import read_report

    ending = args.output.suffix.lower()
    if ending not in (".html", ".pdf"):
        raise EchoKeypointsError(f"{args.output.name} must end in .html or .pdf.")
    report = read_report(result, _source(result, args))
    write = report.write_html if ending == ".html" else report.write_pdf
    write(args.output)


def _structured(template: str) -> Callable[[AnalysisResult, argparse.Namespace], None]:
    def export(result: AnalysisResult, args: argparse.Namespace) -> None:
        from echo_keypoints.readers.dicom_study import read_study
        from echo_keypoints.writers.structured_report import write_sr

        is_dicom = result.clip.metadata.get("format") == "DICOM"
        if args.with_identity and not is_dicom:
            raise EchoKeypointsError(
                f"{result.clip.source} is no DICOM file; there is no identity to take over."
            )
        study = read_study(_clip(result, args)) if is_dicom else None
        write_sr(result, args.output, study, template=template, with_identity=args.with_identity)

    return export


def _overlay(result: AnalysisResult, args: argparse.Namespace) -> None:
    from echo_keypoints.readers.dicom_study import read_study
    from echo_keypoints.writers.dicom_overlay import write_dicom_overlay

    study = read_study(_clip(result, args)) if args.with_identity else None
    write_dicom_overlay(result, _source(result, args), args.output, study)


def _markups(result: AnalysisResult, args: argparse.Namespace) -> None:
    from echo_keypoints.writers.slicer import write_markups

    frame = result.reference_frame if args.frame is None else args.frame
    if frame >= result.clip.frame_count:
        raise QueryError(f"{result.clip.source} has {result.clip.frame_count} frames, numbered from 0.")
    write_markups(result, frame, args.output)


def _sequence(result: AnalysisResult, args: argparse.Namespace) -> None:
    from echo_keypoints.writers.slicer import write_image_sequence, write_landmark_sequence

    if args.output.name.endswith(".seq.mrb"):
        write_landmark_sequence(result, args.output)
    elif args.output.name.endswith(".seq.nrrd"):
        write_image_sequence(result.clip, _source(result, args), args.output)
    else:
        raise EchoKeypointsError(
            f"{args.output.name} must end in .seq.mrb (landmarks) or .seq.nrrd (frames), as Slicer tells them."
        )


def _clip(result: AnalysisResult, args: argparse.Namespace) -> Path:
    if args.clip is None:
        raise EchoKeypointsError(f"--to {args.to} needs the clip, too: --clip {result.clip.source}.")
    clip: Path = args.clip
    return clip


def _source(result: AnalysisResult, args: argparse.Namespace) -> ClipSource:
    """Open the clip.

    Raises:
        ResultError: its frames are not those of the result (early results of folders have no digest to compare).
    """
    source = open_clip(_clip(result, args))
    shape = (source.header.frame_count, source.header.height, source.header.width)
    if shape != (result.clip.frame_count, result.clip.height, result.clip.width):
        raise ResultError(f"{source.header.source} is not the clip that was analysed ({result.clip.source}).")
    return source


_EXPORTS: dict[str, Callable[[AnalysisResult, argparse.Namespace], None]] = {
    "report": _report,
    "sr": _structured("1500"),
    "sr-echo": _structured("5300"),
    "overlay-dicom": _overlay,
    "markups": _markups,
    "sequence": _sequence,
}
