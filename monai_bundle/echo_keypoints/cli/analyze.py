"""``echo-keypoints analyze``: clips in, a folder of results for each out."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from echo_keypoints import analysis
from echo_keypoints.biomarkers import Patient
from echo_keypoints.biomarkers.patient import SEXES
from echo_keypoints.cli import REFUSED, complain
from echo_keypoints.cli.arguments import positive
from echo_keypoints.errors import EchoKeypointsError
from echo_keypoints.processing import Outputs, analyze_into
from echo_keypoints.readers.guard import display_name
from echo_keypoints.tracking import load_backend
from echo_keypoints.tracking.backends import Backend
from echo_keypoints.tracking.reference import REFERENCE_MODES

_BAR_STEPS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``analyze``."""
    parser.add_argument(
        "clips", nargs="+", type=Path, metavar="CLIP", help="DICOM, video, image folder, NPZ …"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="a folder for each clip is made in it"
    )
    parser.add_argument(
        "--query",
        type=parse_query,
        metavar="FRAME:x,y,x,y,x,y,x,y",
        help="start from these landmarks (SEpP, SEnP, PEnP, PEpP; pixels of the clip; frames count from 0)",
    )
    parser.add_argument(
        "--reference",
        type=parse_reference,
        default="confidence",
        metavar="HOW",
        help=f"reference frame: {', '.join(REFERENCE_MODES)}, or its number from 0 (default: confidence)",
    )
    parser.add_argument(
        "--backend", choices=("onnx", "torch"), default="onnx", help="inference engine (default: onnx)"
    )
    parser.add_argument("--device", help="for torch: cpu, cuda, cuda:1 … (default: CUDA if there is any)")
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="CPU threads (default: all that are allowed)"
    )
    parser.add_argument(
        "--models", type=Path, metavar="DIR", help="folder of the weights (default: the shipped)"
    )
    about = parser.add_argument_group(
        "patient", "for the indices and reference ranges that need them; the same for all clips"
    )
    about.add_argument("--sex", choices=SEXES, help="F or M: reference ranges, class of geometry")
    about.add_argument("--height-cm", type=float, metavar="CM", help="for body surface area")
    about.add_argument("--weight-kg", type=float, metavar="KG", help="for body surface area")
    about.add_argument("--age-years", type=float, metavar="YEARS", help="reference ranges are for adults")
    parser.add_argument("--gif", action="store_true", help="write overlay.gif, too")
    parser.add_argument("--no-video", action="store_true", help="write no overlay.mp4")
    parser.add_argument("--no-report", action="store_true", help="write no report.html and report.pdf")
    parser.add_argument("--no-sr", action="store_true", help="write no sr.dcm")
    parser.add_argument(
        "--with-identity",
        action="store_true",
        help="file sr.dcm in the clip's study, the patient's name included",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="analyse again what has been analysed before"
    )


def run(args: argparse.Namespace) -> int:
    """Analyse one clip after another; what is wrong with one does not stop the others.

    Returns:
        0, or 2 when any clip was refused.

    Raises:
        ModelError: the weights cannot be used, so no clip can be analysed.
        QueryError: the patient's data cannot be a person's.
    """
    patient = Patient(args.sex, args.height_cm, args.weight_kg, args.age_years)
    backend = load_backend(args.backend, args.models, args.threads, args.device)
    refused = 0
    for path in args.clips:
        try:
            folder = _analyze(path, args, backend, patient)
        except EchoKeypointsError as error:
            complain(str(error))
            refused += 1
        else:
            print(folder)
    return REFUSED if refused else 0


def parse_query(text: str) -> tuple[int, NDArray[np.float64]]:
    """Read ``FRAME:x,y,x,y,x,y,x,y`` as a frame and points ``(4, 2)``.

    Raises:
        argparse.ArgumentTypeError: the text is of another form.
    """
    try:
        frame, points = text.split(":")
        numbers = np.array([float(number) for number in points.split(",")])
        if numbers.size != 8 or not np.isfinite(numbers).all():
            raise ValueError
        return int(frame), numbers.reshape(4, 2)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not FRAME:x,y,x,y,x,y,x,y (a frame and four points)"
        ) from None


def parse_reference(text: str) -> str | int:
    """Read the name of a way to choose the reference frame, or the number of a frame.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    if text in REFERENCE_MODES:
        return text
    if text.isascii() and text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither {', '.join(REFERENCE_MODES)} nor a frame number")


def _analyze(path: Path, args: argparse.Namespace, backend: Backend, patient: Patient) -> Path:
    name = display_name(path)
    with _progress(name) as progress:
        result, folder = analyze_into(
            path,
            args.output,
            backend=backend,
            outputs=Outputs(
                not args.no_video, args.gif, not args.no_report, not args.no_sr, args.with_identity
            ),
            overwrite=args.overwrite,
            query=args.query,
            reference=args.reference,
            patient=patient,
            progress=progress,
        )
    for warning in result.warnings:
        complain(f"{name}: {warning}")
    return folder


@contextmanager
def _progress(name: str) -> Iterator[analysis.Progress]:
    """Show one bar for the three stages; silent where stderr is no terminal."""
    stages = ("read", "detect", "refine")
    with tqdm(
        total=_BAR_STEPS,
        desc=name,
        disable=None,
        leave=False,
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {postfix} [{elapsed}]",
    ) as bar:

        def advance(stage: str, done: int, total: int) -> None:
            share = (stages.index(stage) + done / max(1, total)) / len(stages)
            bar.set_postfix_str(stage, refresh=False)
            bar.update(max(0, round(share * _BAR_STEPS) - bar.n))

        yield advance
