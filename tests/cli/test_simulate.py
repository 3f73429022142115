import json

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("cv2")

from echo_keypoints.cli import main
from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.readers import read_clip


def simulate(*arguments):
    return main(["simulate", "--frames", "5", *map(str, arguments)])


@pytest.mark.parametrize(
    ("name", "ending", "tolerance"), [("dicom", ".dcm", 12), ("mp4", ".mp4", 40), ("npz", ".npz", 0)]
)
def test_clips_read_back_with_their_truth(tmp_path, name, ending, tolerance):
    options = ("--seed", 7, "--fps", 40, "--format", name, "--style", "acoustic", "--pathology", "normal")
    assert simulate("-o", tmp_path, *options) == 0
    expected = simulate_clip(7, frame_count=5, fps=40, style="acoustic", pathology="normal")
    clip = read_clip(tmp_path / f"plax_000007{ending}")
    assert clip.pixels.shape == expected.video.shape
    difference = np.abs(clip.pixels.astype(int) - expected.video)
    assert np.percentile(difference, 99) <= tolerance
    np.testing.assert_allclose(clip.header.frame_times_s, np.arange(5) / 40, atol=1e-4)
    if name != "mp4":  # a plain video has no place for a scale
        assert clip.header.spacing_mm == pytest.approx([expected.mm_per_px] * 2)
    truth = json.loads((tmp_path / "plax_000007.json").read_text())
    np.testing.assert_allclose(truth["points_px"], expected.points, atol=1e-4)
    assert truth["source"] == f"plax_000007{ending}" and truth["mm_per_px"] == expected.mm_per_px
    assert truth["seed"] == 7 and truth["pathology"] == "normal" and truth["style"] == "acoustic"
    assert len(truth["phase"]) == len(truth["frame_times_s"]) == 5


def test_seeds_count_up_and_files_are_kept(tmp_path, capsys):
    assert simulate("-o", tmp_path, "--count", 2, "--seed", 3, "--format", "npz") == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        f"plax_00000{n}.{e}" for n in (3, 4) for e in ("npz", "json")
    }
    before = (tmp_path / "plax_000003.npz").read_bytes()
    assert simulate("-o", tmp_path, "--seed", 3, "--format", "dicom", "--pathology", "hypertrophy") == 2
    assert "plax_000003.json is there already" in capsys.readouterr().err
    assert (tmp_path / "plax_000003.npz").read_bytes() == before
    assert simulate("-o", tmp_path, "--seed", 3, "--format", "npz", "--overwrite") == 0


@pytest.mark.parametrize(
    "option", [("--pathology", "plague"), ("--style", "baroque"), ("--fps", "0"), ("--fps", "nan")]
)
def test_what_the_phantom_does_not_know_is_refused(tmp_path, option, capsys):
    assert simulate("-o", tmp_path, *option) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.rstrip().endswith(".")
