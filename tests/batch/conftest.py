"""Small clips for batches; the shipped ONNX networks analyse them in well under a second each."""

import pytest
from blobs import write_clip

from echo_keypoints.batch.job import Options
from echo_keypoints.processing import Outputs


@pytest.fixture
def clips(tmp_path):
    """A folder with three clips, one broken file, and one that is no clip at all."""
    root = tmp_path / "in"
    write_clip(root / "a.npz", 1)
    write_clip(root / "study" / "IM1.npz", 2)
    write_clip(root / "study" / "IM2.npz", 3)
    (root / "broken.npz").write_bytes((root / "a.npz").read_bytes()[:200])
    (root / "notes.txt").write_text("not a clip")
    return root


@pytest.fixture
def options():
    return Options(outputs=Outputs(video=False, report=False))
