"""MONAI data sets of clips."""

import json

import numpy as np
import pytest
import torch
from monai.data import PersistentDataset

from echo_keypoints.data import throughput
from echo_keypoints.data.clips import model_clip
from echo_keypoints.data.folders import find_clips
from echo_keypoints.data.monai_sets import RandViewd, RandWindowd, clip_dataset
from echo_keypoints.errors import ClipError

DOTS = np.array([[30.0, 20.0], [60.0, 45.0], [90.0, 70.0], [120.0, 95.0]])


@pytest.fixture
def items(tmp_path):
    rng = np.random.default_rng(0)
    video = rng.integers(0, 60, (9, 120, 160)).astype(np.uint8)
    for t in range(9):
        for x, y in (DOTS + np.array([2 * t, 0])).astype(int):
            video[t, y - 2 : y + 3, x - 2 : x + 3] = 255
    np.savez(tmp_path / "a.npz", video=video)
    frames = {str(t): (DOTS + np.array([2 * t, 0])).tolist() for t in (1, 6)}
    (tmp_path / "a.json").write_text(json.dumps({"frames": frames}))
    return find_clips(str(tmp_path))


def assert_on_dots(item) -> None:
    for frame, points in zip(item["frame_index"], item["points"], strict=True):
        for x, y in points.round().int():
            assert item["image"][frame, 0, y - 1 : y + 2, x - 1 : x + 2].float().mean() > 150


def test_clips_and_labels_in_the_same_pixels(items):
    (item,) = clip_dataset(items, size=128)
    assert item["image"].shape == (9, 1, 128, 128) and item["image"].dtype == torch.uint8
    assert item["frame_index"].tolist() == [1, 6]
    assert_on_dots(item)


def test_random_windows_and_views_take_the_labels_along(items):
    data = clip_dataset(items, size=128, then=(RandWindowd("image", 5), RandViewd("image")))
    data.transform.set_random_state(3)
    seen = set()
    for _ in range(6):
        item = data[0]
        assert item["image"].shape == (5, 1, 128, 128) and len(item["points"]) == len(item["frame_index"])
        inside = (item["points"] > 3).all() and (item["points"] < 124).all()
        if inside:
            assert_on_dots(item)
        seen.add(tuple(item["frame_index"].tolist()))
    assert len(seen) > 1
    short = clip_dataset(items, size=64, then=(RandWindowd("image", 12),))[0]
    assert torch.equal(short["image"][8], short["image"][11])


def test_a_cache_decodes_once(items, tmp_path, monkeypatch):
    data = clip_dataset(items, tmp_path / "cache", size=64, then=(RandWindowd("image", 4),))
    assert isinstance(data, PersistentDataset)
    first = data[0]["image"].shape
    model_clip.cache_clear()

    def fail(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr("echo_keypoints.data.monai_sets.model_clip", fail)
    assert data[0]["image"].shape == first == (4, 1, 64, 64)


def test_reading_keeps_up_with_learning(items, capsys, tmp_path):
    throughput.main([items[0]["image"]])
    found = json.loads(capsys.readouterr().out)
    assert found["clips"] == 1
    assert found["frames_read_per_cpu_second"] > found["frames_learnt_per_cpu_second"]
    with pytest.raises(ClipError, match="no clips"):
        throughput.reading_rate([])
