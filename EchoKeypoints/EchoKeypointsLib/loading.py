"""Loading at once, for Slicer's own readers, which wait."""

from __future__ import annotations

from pathlib import Path

import slicer

from echo_keypoints.readers import read_clip
from echo_keypoints.results import clip_digest
from EchoKeypointsLib.engine import sample_clip
from EchoKeypointsLib.study import Study

FILE_TYPE = "EchoKeypointsFile"
"""The name for scripts: ``slicer.util.loadNodeFromFile(path, "EchoKeypointsFile")``."""

ENDINGS = (".dcm", ".avi", ".mp4", ".mov", ".gif", ".npz")
"""Of files that Slicer's own dialogs offer to the engine's readers."""


def offer_sample(icon: str) -> None:
    """List the phantom among Slicer's sample data; `icon` is the path of its picture."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="EchoKeypoints",
        sampleName="PLAX phantom",
        uris=sample_clip().as_uri(),
        fileNames="plax_phantom.dcm",
        nodeNames="PLAX phantom",
        thumbnailFileName=icon,
        loadFileTypes=FILE_TYPE,
    )


def load_now(scene: slicer.vtkMRMLScene, path: str | Path) -> Study:
    """Read a clip and bring it into the scene.

    Raises:
        ClipError: the file cannot be used as a clip.
    """
    clip = read_clip(path)
    facts = {"warnings": list(clip.header.warnings), "sha256": clip_digest(Path(path))}
    *_, study = Study.steps(scene, clip.header, clip.pixels, facts)
    if study is None:
        raise RuntimeError("the clip was not brought into the scene")
    return study
