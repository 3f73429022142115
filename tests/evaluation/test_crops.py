import numpy as np
import pytest

from echo_keypoints.evaluation.crops import METRICS, CropScores, crop_scores, cropped, main, to_markdown
from echo_keypoints.evaluation.datasets import fresh_phantoms
from echo_keypoints.tracking import load_backend
from echo_keypoints.tracking.region import scan_region


@pytest.fixture(scope="module")
def case():
    return fresh_phantoms(1).cases[0]()


def test_a_crop_is_a_little_tighter_and_shows_the_same_pixels(case):
    found = scan_region(case.clip.header, list(case.clip.pixels))
    rng = np.random.default_rng(0)
    crops = [cropped(case.clip, rng) for _ in range(6)]
    cuts = np.array([np.subtract(crop.header.scan_region, found) for crop in crops])
    assert (cuts[:, :2] >= 0).all() and (cuts[:, 2:] <= 0).all() and 0 < np.abs(cuts).max() <= 3
    assert len({crop.header.scan_region for crop in crops}) > 1
    assert all(crop.pixels is case.clip.pixels for crop in crops)


def test_scores_of_the_clip_as_it_is_come_first_and_crops_lie_near_it():
    (scores,) = crop_scores(fresh_phantoms(1), load_backend("onnx", threads=1), crops=3)
    assert scores.values.shape == (3, len(METRICS))
    assert len({tuple(row) for row in scores.values}) == 3  # each crop is tracked anew
    np.testing.assert_allclose(scores.values[:, 0], scores.values[0, 0], atol=3)


def test_the_table_has_mean_and_spread_over_crops():
    values = np.outer([1.0, 3.0], np.arange(1, 7))
    table = to_markdown([CropScores("a", values), CropScores("b", 3 * values)])
    assert "| a | 2.00 ± 1.41 | 4.00 ± 2.83 |" in table
    assert "| **all clips** | 4.00 ± 2.83 |" in table


def test_a_folder_without_annotations_is_refused_in_a_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--data", str(tmp_path)])
    assert stopped.value.code == 2
    assert "annotations.json is not a JSON file of annotated clips." in capsys.readouterr().err
