"""``echo-keypoints convert``: landmarks from one format to another."""

from __future__ import annotations

import argparse
from pathlib import Path

from echo_keypoints.data.exchange.formats import FORMATS, read_clips, recognise, write_clips
from echo_keypoints.errors import EchoKeypointsError, ResultError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``convert``."""
    parser.add_argument("source", type=Path, help="file or folder of landmarks")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="PATH",
        help="folder to write to; for unity a file",
    )  # fmt: skip
    parser.add_argument("--to", required=True, choices=FORMATS, help="format wanted")
    parser.add_argument(
        "--from", dest="form", choices=FORMATS, help="format given (default: found out from the files)"
    )
    parser.add_argument(
        "--clips",
        type=Path,
        metavar="DIR",
        help="folder of the clips, which the table of EchoNet-LVH describes",
    )
    parser.add_argument(
        "--mm-per-px", type=float, metavar="MM", help="scale of Slicer's millimetres (default: 1 mm is 1 px)"
    )


def run(args: argparse.Namespace) -> int:
    """Convert, and say how much.

    Raises:
        EchoKeypointsError: the landmarks cannot be read, or the other format cannot hold them.
        ResultError: the output is there already, or cannot be written.
    """
    if args.mm_per_px is not None and not 0 < args.mm_per_px < 100:
        raise EchoKeypointsError("--mm-per-px must be a positive number of millimetres.")
    spacing = None if args.mm_per_px is None else (args.mm_per_px, args.mm_per_px)
    if args.output.is_file() or (args.output.is_dir() and any(args.output.iterdir())):
        raise ResultError(f"{args.output.name} is there already; choose another output.")
    clips = read_clips(args.source, args.form or recognise(args.source), spacing)
    if not any(marks.frames for marks in clips.values()):
        raise EchoKeypointsError(
            f"{args.source.name} holds no landmarks that a person set: nothing to convert."
        )
    if args.to == "unity" and args.output.suffix != ".json":
        raise EchoKeypointsError(f"{args.output.name} must end in .json, by which unity's files are known.")
    try:
        write_clips(clips, args.output, args.to, args.clips)
    except OSError as error:
        raise ResultError(f"Cannot write to {args.output.name} ({error.strerror or error}).") from error
    frames = sum(len(marks.frames) for marks in clips.values())
    print(f"{frames} labelled frames of {len(clips)} clips: {args.output}")
    return 0
