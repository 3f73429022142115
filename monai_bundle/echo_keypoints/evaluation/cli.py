"""``echo-keypoints evaluate``: the options. What it does is in `command`, which needs OpenCV."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from echo_keypoints.errors import EchoKeypointsError

DATA_VARIABLE = "ECHO_KEYPOINTS_DATA"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``evaluate``."""
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None,
        metavar="DIR",
        help=f"folder with phantom_physics/ and plax/annotations.json (default: ${DATA_VARIABLE}, else none)",
    )
    parser.add_argument(
        "--phantoms", type=int, default=20, metavar="N", help="fresh phantom clips (default: 20; 0 for none)"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write every number to this JSON file")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the tables to this Markdown file"
    )
    parser.add_argument(
        "--overlays",
        type=Path,
        metavar="DIR",
        help="write a contact sheet of every clip (they show the clips: keep them as safe)",
    )
    parser.add_argument(
        "--trackers", nargs="+", metavar="NAME", help="only these (a wrong name lists them all)"
    )
    parser.add_argument("--backend", choices=("onnx", "torch"), default="onnx", help="engine of our networks")
    parser.add_argument(
        "--models", type=Path, metavar="DIR", help="folder of our weights (default: the shipped)"
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate and print the report.

    Args:
        args: the options of `add_arguments`.

    Returns:
        0.

    Raises:
        EchoKeypointsError: an option makes no sense, OpenCV or weights that were asked for are missing.
    """
    try:
        import cv2  # noqa: F401 - asked here so that the message is ours
    except ImportError as error:
        raise EchoKeypointsError("evaluate needs OpenCV: pip install 'echo-keypoints[evaluate]'.") from error
    from echo_keypoints.evaluation.command import evaluate_and_report

    evaluate_and_report(
        phantoms=args.phantoms,
        data=args.data,
        trackers=args.trackers,
        backend=args.backend,
        models=args.models,
        output=args.output,
        markdown=args.markdown,
        overlays=args.overlays,
    )
    return 0
