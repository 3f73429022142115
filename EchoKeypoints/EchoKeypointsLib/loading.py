"""Loading at once, for Slicer's own readers, which wait."""

from __future__ import annotations

from pathlib import Path

import slicer

from echo_keypoints.readers import read_clip
from echo_keypoints.results import file_digest
from EchoKeypointsLib.study import Study


def load_now(scene: slicer.vtkMRMLScene, path: str | Path) -> Study:
    """Read a clip and bring it into the scene.

    Raises:
        ClipError: the file cannot be used as a clip.
    """
    clip = read_clip(path)
    facts = {"warnings": list(clip.header.warnings), "sha256": file_digest(Path(path))}
    *_, study = Study.steps(scene, clip.header, clip.pixels, facts)
    if study is None:
        raise RuntimeError("the clip was not brought into the scene")
    return study
