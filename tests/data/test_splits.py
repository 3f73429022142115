"""Parts of the data have nothing in common."""

import shutil

import pytest
from test_training_sets import write_clip

from echo_keypoints.data.folders import clip_items
from echo_keypoints.data.splits import LeakError, check_apart


def test_a_patient_on_both_sides(tmp_path):
    clips = [tmp_path / name for name in ("ann_1.npz", "ann_2.npz", "bob_1.npz")]
    with pytest.raises(LeakError, match="ann is in train and in test"):
        check_apart({"train": clips[:1], "test": clips[1:]}, lambda path: path.stem.split("_")[0])
    check_apart({"train": clips[:2], "test": clips[2:]}, lambda path: path.stem.split("_")[0])


def test_a_copy_under_another_name_is_found(tmp_path):
    for name in range(12):
        (tmp_path / f"p{name}").mkdir()
        write_clip(tmp_path / f"p{name}" / "a.npz", seed=name)
    train, validate = (clip_items(str(tmp_path), part) for part in ("train", "validate"))
    assert len(train) + len(validate) == 12
    twin = tmp_path / "p0" / "twin.npz"
    other = validate if any("/p0/" in item["image"] for item in train) else train
    shutil.copyfile(other[0]["image"], twin)
    with pytest.raises(LeakError, match="same clip is in train and in validate"):
        clip_items(str(tmp_path), "train")
