"""What PlaceNet learns from: tracks beside the landmarks, as far off as real ones."""

import json

import numpy as np
import pytest
import torch

from echo_keypoints.data.clips import LabelledFrames
from echo_keypoints.data.looks import Looks, beside
from echo_keypoints.data.phantoms import PhantomFrames
from echo_keypoints.data.sources import looks
from echo_keypoints.errors import ClipError
from echo_keypoints.tracking.placement import MISSES, TAUGHT_MISSES
from echo_keypoints.tracking.steady import HEIGHT, LEFT, STEP, TOP, WIDTH, SteadyView


@pytest.fixture(scope="module")
def frames():
    return PhantomFrames(4, 6, 112, 7_300_000, context_frames=6, tissue=False)


def test_a_look_is_a_function_of_its_index(frames):
    item, again = Looks(frames, 2, 5)[1], Looks(frames, 2, 5)[1]
    assert {name: tuple(value.shape) for name, value in item.items()} == {
        "pictures": (2, 6, HEIGHT, WIDTH), "heights": (2, 4), "length_px": (2,), "points": (2, 6, 4, 2),
    }  # fmt: skip
    assert item["pictures"].dtype == torch.uint8
    assert all(torch.equal(item[name], again[name]) for name in item)
    assert not torch.equal(item["points"], Looks(frames, 2, 6)[1]["points"])
    assert not torch.equal(item["points"][0], item["points"][1])


def test_pictures_vary_and_landmarks_do_not(frames):
    plain, varied, again = (Looks(frames, 3, 5, augment=on)[1] for on in (False, True, True))
    assert type(varied["pictures"]) is torch.Tensor
    assert torch.equal(varied["pictures"], again["pictures"]) and varied["pictures"].dtype == torch.uint8
    assert not torch.equal(plain["pictures"], varied["pictures"])
    assert all(torch.equal(plain[name], varied[name]) for name in ("points", "heights", "length_px"))
    likeness = np.corrcoef(plain["pictures"].float().ravel(), varied["pictures"].float().ravel())[0, 1]
    assert 0.5 < likeness < 0.999


def test_the_landmarks_are_where_the_pictures_show_them():
    """A picture that is bright at one landmark alone is bright there in the steady picture, too."""

    class Dots:
        def __len__(self):
            return 1

        def __getitem__(self, index):
            points = np.array([[100.0, 60], [104, 80], [112, 140], [116, 160]]) + np.arange(5)[:, None, None]
            y, x = np.mgrid[:224, :224]
            away = (x - points[:, 2, 0, None, None]) ** 2 + (y - points[:, 2, 1, None, None]) ** 2
            video = (250 * np.exp(-away / 8)).astype(np.uint8)
            return {"image": torch.from_numpy(video)[:, None], "points": torch.from_numpy(points)}

    item = Looks(Dots(), 6)[0]
    for look in range(6):
        for frame in range(5):
            picture = item["pictures"][look, frame].numpy().astype(float)
            rows, columns = np.mgrid[:HEIGHT, :WIDTH]
            seen = np.array([(picture * columns).sum(), (picture * rows).sum()]) / picture.sum()
            place = item["points"][look, frame, 2].numpy() / item["length_px"][look].numpy()
            np.testing.assert_allclose(seen, (place - [LEFT, TOP]) / STEP - 0.5, atol=0.6)


def test_tracks_miss_by_as_much_as_placement_reckons_with(frames):
    truth = frames[0]["points"].double().numpy()
    view = SteadyView.of(truth)
    rng = np.random.default_rng(0)
    misses = np.stack([view.to_steady(beside(truth, rng)) - view.places for _ in range(2000)])
    lasting = misses.mean(axis=1)
    np.testing.assert_allclose(lasting.std(axis=(0, 1)), TAUGHT_MISSES, rtol=0.1)
    assert (np.array(TAUGHT_MISSES) > MISSES).all()
    passing = misses - lasting[:, None]
    assert 0.005 < np.median(np.sqrt((passing**2).sum(-1).mean(1))) < 0.03
    neighbours = np.corrcoef(lasting[:, 0, 0], lasting[:, 1, 0])[0, 1]
    assert neighbours > 0.8  # the two points of a wall miss together along it


def test_the_parts_never_meet():
    train, validate = looks("train", size=64, seed=3), looks("validate", size=64, hearts=2)
    assert len(validate) == 2 and len(train) > 1_000_000
    assert train.frames.first_seed == 3 and train.frames.first_seed + len(train) == validate.frames.first_seed
    assert "tissue" not in train.frames[0]


def test_a_users_frames_need_all_four_landmarks(tmp_path):
    video = np.random.default_rng(0).integers(0, 255, (6, 96, 96), dtype=np.uint8)
    np.savez(tmp_path / "clip.npz", video=video)
    points = [[40.0, 20], [42, 30], [45, 60], [47, 70]]
    label = tmp_path / "clip.json"
    label.write_text(json.dumps({"frames": {"1": [None, *points[1:]], "2": points, "4": points}}))
    data = [{"image": str(tmp_path / "clip.npz"), "label": str(label)}]
    item = looks("validate", data, frames=4, looks=2)[0]
    assert torch.isfinite(item["points"]).all() and item["pictures"].shape == (2, 4, HEIGHT, WIDTH)
    label.write_text(json.dumps({"frames": {"1": [None, *points[1:]]}}))
    assert len(LabelledFrames(data)) > 0
    with pytest.raises(ClipError, match="all four landmarks"):
        looks("validate", data)
