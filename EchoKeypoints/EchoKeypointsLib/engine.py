"""Where engine and sample clip lie: beside this library in the packaged extension, in the repository of a checkout."""

from __future__ import annotations

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_PLACES = (_HERE / "engine", _HERE.parents[1] / "monai_bundle")


def engine_folder() -> Path:
    """Give the folder that holds the package ``echo_keypoints``.

    Raises:
        RuntimeError: the extension is incomplete.
    """
    for folder in _PLACES:
        if (folder / "echo_keypoints" / "__init__.py").is_file():
            return folder
    raise RuntimeError("The extension EchoKeypoints is incomplete (its engine is missing); install it again.")


def enable() -> None:
    """Let ``import echo_keypoints`` find the engine that came with this extension, and no other."""
    folder = str(engine_folder())
    if folder not in sys.path:
        sys.path.insert(0, folder)


def sample_clip() -> Path:
    """Give the phantom that comes with the extension.

    Raises:
        RuntimeError: the extension is incomplete.
    """
    name = "plax_phantom.dcm"
    for folder in (_HERE.parent / "Resources" / "Sample", _HERE.parents[1] / "docs" / "sample"):
        if (folder / name).is_file():
            return folder / name
    raise RuntimeError("The extension EchoKeypoints is incomplete (its sample is missing); install it again.")
