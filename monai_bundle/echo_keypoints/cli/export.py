"""``echo-keypoints export``: torch weights → ONNX files, checked against each other."""

from __future__ import annotations

import argparse
from pathlib import Path

from echo_keypoints.errors import EchoKeypointsError, ModelError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``export``."""
    parser.add_argument(
        "models", type=Path, metavar="DIR", help="folder with sknet.pt and trnet.pt; the ONNX files go there"
    )


def run(args: argparse.Namespace) -> int:
    """Export, and print how far the two engines differ.

    Raises:
        EchoKeypointsError: torch is not installed.
        ModelError: the weights are missing or damaged, or the engines differ.
    """
    try:
        from echo_keypoints.training.export import export_models
    except ImportError as error:
        raise EchoKeypointsError("export needs torch: pip install 'echo-keypoints[train]'.") from error
    try:
        distance = export_models(args.models)
    except ValueError as error:
        raise ModelError(f"The exported models cannot be trusted: {error}.") from error
    print(f"ONNX Runtime and torch agree within {distance:.4f} px.")
    return 0
