from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from echo_keypoints.data.echonet_phantom import write_lookalike
from echo_keypoints.errors import ClipError
from echo_keypoints.evaluation.cases import exact_case
from echo_keypoints.evaluation.datasets import TEST_SEED, annotated_clips, find_datasets, fresh_phantoms

POINTS = [[30.0, 10.0], [30.0, 20.0], [28.0, 60.0], [27.0, 70.0]]


def write_annotated(folder: Path, **changes: object) -> Path:
    """A clip of 60 × 80 pixels with two readers, and its annotations."""
    (folder / "plax").mkdir(parents=True)
    video = np.random.default_rng(0).integers(0, 255, (6, 80, 60), np.uint8)
    np.savez(folder / "plax" / "clip.npz", video=video, fps=30.0, mm_per_px=0.5)

    def mark(phase: str) -> dict:
        shifted = (np.array(POINTS) + np.array([2, 0])).tolist()
        return {"phase": phase, "reader_A": {"points": POINTS}, "reader_B": {"points": shifted, "sure": 1}}

    entry = {"width": 60, "height": 80, "frames": {"1": mark("ED"), "4": mark("ES")}, **changes}
    path = folder / "plax" / "annotations.json"
    path.write_text(json.dumps({"clip.npz": entry}), encoding="utf-8")
    return path


def test_fresh_phantoms_use_reserved_seeds_and_have_truth_everywhere() -> None:
    dataset = fresh_phantoms(2)
    assert dataset.phantom and len(dataset.cases) == 2
    case = dataset.cases[1]()
    assert str(TEST_SEED + 1) in case.name
    assert case.video.shape == (48, 224, 224) and case.truth.shape == (48, 4, 2)
    assert case.consecutive and case.mm_per_px is not None
    assert np.allclose(case.model_truth, case.truth), "a clip of 224 × 224 is its own model space"
    assert np.array_equal(case.video, case.clip.pixels)


def test_phase_gives_end_diastole_and_systole() -> None:
    video = np.zeros((4, 224, 224), np.uint8)
    case = exact_case("x", video, np.zeros((4, 4, 2)), np.array([0.4, 1.0, 0.1, 0.6]), np.arange(4), None)
    assert (case.end_diastole, case.end_systole) == (2, 1)
    assert case.mm_per_px is None


def test_annotated_clip_is_the_mean_of_its_readers_in_model_space(tmp_path: Path) -> None:
    case = annotated_clips(write_annotated(tmp_path)).cases[0]()
    assert case.frames.tolist() == [1, 4] and not case.consecutive
    assert (case.end_diastole, case.end_systole) == (1, 4)
    assert np.allclose(case.truth[0], np.array(POINTS) + np.array([1, 0]))
    # 80 rows fill 224: scale 2.8; the 60 columns are centred with (224 - 168) / 2 = 28 px on either side.
    expected = (case.truth[0] + 0.5) * 2.8 - 0.5 + np.array([28, 0])
    assert np.allclose(case.model_truth[0], expected)
    assert case.mm_per_px == pytest.approx(0.5 / 2.8)
    assert np.allclose(case.true_query().points, case.truth[0])
    assert case.video.shape == (6, 224, 224)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 61}, "another clip"),
        ({"frames": {}}, "incomplete"),
        ({"frames": {"9": {"phase": "ED"}}}, "incomplete"),
        ({"frames": {"x": {}}}, "incomplete"),
    ],
)
def test_bad_annotations_are_one_sentence(tmp_path: Path, changes: dict, words: str) -> None:
    dataset = annotated_clips(write_annotated(tmp_path, **changes))
    with pytest.raises(ClipError, match=words):
        dataset.cases[0]()


def test_annotations_that_are_not_json(tmp_path: Path) -> None:
    path = tmp_path / "annotations.json"
    path.write_text("points: 3", encoding="utf-8")
    with pytest.raises(ClipError, match=r"annotations\.json"):
        annotated_clips(path)


def test_missing_folders_are_noted_and_skipped(tmp_path: Path) -> None:
    found, notes = find_datasets(3, tmp_path)
    assert [d.name for d in found] == ["phantoms"]
    assert len(notes) == 1 and "no labelled clips" in notes[0]
    found, notes = find_datasets(0, None)
    assert found == [] and len(notes) == 1


def test_npz_that_is_no_phantom(tmp_path: Path) -> None:
    (tmp_path / "phantom_physics").mkdir()
    np.savez(tmp_path / "phantom_physics" / "odd.npz", video=np.zeros((2, 8, 8), np.uint8))
    found, _ = find_datasets(0, tmp_path)
    with pytest.raises(ClipError, match=r"odd\.npz"):
        found[0].cases[0]()


def test_shared_folder_has_both_sets(shared_data: Path) -> None:
    found, notes = find_datasets(0, shared_data)
    assert [d.name for d in found] == ["phantom_physics", "real"] and not notes
    assert [d.phantom for d in found] == [True, False]
    case = found[1].cases[0]()
    assert len(case.readers) == 2 and case.mm_per_px is not None


def test_labelled_clips_of_ones_own(tmp_path: Path) -> None:
    video = np.random.default_rng(0).integers(0, 255, (6, 80, 60), np.uint8)
    np.savez(tmp_path / "clip.npz", video=video)
    longer = (np.array(POINTS) + np.array([[0, 0], [0, 0], [0, 5], [0, 5]])).tolist()
    frames = {"0": longer, "2": POINTS, "3": [*POINTS[:3], None], "9": POINTS}
    (tmp_path / "clip.json").write_text(json.dumps({"frames": frames, "mm_per_px": 0.5}), encoding="utf-8")
    (dataset,), notes = find_datasets(0, tmp_path)
    assert dataset.name == "labelled" and not notes
    case = dataset.cases[0]()
    assert case.frames.tolist() == [0, 2], "incomplete frames, and those beyond the clip, do not count"
    assert (case.end_diastole, case.end_systole) == (0, 2)
    assert case.mm_per_px == pytest.approx(0.5 / 2.8)


def test_echonet_lvh_is_a_test_set(tmp_path: Path) -> None:
    write_lookalike(tmp_path, 10, seed=1, frames=6, size=64, noise_px=0.0)
    (dataset,), _ = find_datasets(0, tmp_path)
    assert dataset.name == "echonet_lvh" and len(dataset.cases) == 1
    case = dataset.cases[0]()
    assert len(case.frames) == 2 and case.mm_per_px is not None
    assert {case.end_diastole, case.end_systole} == set(case.frames.tolist())
