"""Labels, folders and data sets of a user's clips, and the phantom's."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from echo_keypoints.data.augment import random_view
from echo_keypoints.data.clips import ClipWindows, LabelledFrames, model_clip
from echo_keypoints.data.folders import clip_files, clip_items, find_clips, labelled
from echo_keypoints.data.pairs import FramePairs
from echo_keypoints.data.phantoms import (
    TEST_SEED,
    VALIDATION_SEED,
    PhantomClips,
    PhantomFrames,
    TrackedPhantomClips,
)
from echo_keypoints.data.points import LabelError, find_labels, read_labels
from echo_keypoints.data.sources import clips, labelled_frames, pairs
from echo_keypoints.data.stream import StreamSampler
from echo_keypoints.errors import ClipError
from echo_keypoints.tracking.closer import LARGEST_GAIN

DOTS = np.array([[30.0, 20.0], [60.0, 45.0], [90.0, 70.0], [120.0, 95.0]])


def dots(t: int) -> np.ndarray:
    """Where the dots are in a frame."""
    return DOTS + np.array([2 * t, 0])


def write_clip(path: Path, frames: int = 6, seed: int = 0) -> None:
    """Noise everywhere, so that all of it is scan, and four bright dots, 2 px further right in each frame."""
    rng = np.random.default_rng(seed)
    video = rng.integers(0, 60, (frames, 120, 160)).astype(np.uint8)
    for t in range(frames):
        for x, y in dots(t).astype(int):
            video[t, y - 2 : y + 3, x - 2 : x + 3] = 255
    np.savez(path, video=video)


def brightest(frame: np.ndarray, near: np.ndarray, radius: int = 9) -> np.ndarray:
    """Centroid of what is bright near a point."""
    rows, columns = np.mgrid[: frame.shape[0], : frame.shape[1]]
    weight = np.clip(frame.astype(float) - 100, 0, None)
    weight = weight * (np.hypot(columns - near[0], rows - near[1]) < radius)
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


# ---- labels


def test_labels_from_json_with_a_missing_landmark(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"frames": {"3": [[1, 2], None, [5, 6], [7, 8]]}}))
    labels = read_labels(path)
    assert list(labels) == [3]
    np.testing.assert_array_equal(labels[3], [[1, 2], [np.nan, np.nan], [5, 6], [7, 8]])


def test_labels_from_csv_in_any_order(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("frame,landmark,x,y\n2,PEpP,7,8\n2,SEpP,1.5,2\n0,SEnP,3,4\n")
    labels = read_labels(path)
    np.testing.assert_array_equal(labels[2][[0, 3]], [[1.5, 2], [7, 8]])
    assert np.isnan(labels[2][[1, 2]]).all() and sorted(labels) == [0, 2]


def test_only_the_anchors_of_a_result_are_labels(tmp_path):
    path = tmp_path / "result.json"
    tracks = {"points_px": [[[0, 0]] * 4] * 9, "anchors": [{"frame": 5, "points_px": DOTS.tolist()}]}
    path.write_text(json.dumps({"tracks": tracks}))
    labels = read_labels(path)
    assert list(labels) == [5]
    np.testing.assert_array_equal(labels[5], DOTS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"frames": {"0": [[1, 2]]}}',
        '{"frames": {"-1": [[1,2],[1,2],[1,2],[1,2]]}}',
        '{"frames": 3}',
    ],
)
def test_other_json_is_refused_by_name_only(tmp_path, text):
    path = tmp_path / "odd.json"
    path.write_text(text)
    with pytest.raises(LabelError, match=r"odd\.json") as caught:
        read_labels(path)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["frame,x,y\n1,2,3\n", "frame,landmark,x,y\n1,SEPP,2,3\n", "frame,landmark,x,y\n1,SEpP,nan,3\n"]
)
def test_other_csv_is_refused(tmp_path, text):
    path = tmp_path / "odd.csv"
    path.write_text(text)
    with pytest.raises(LabelError):
        read_labels(path)


def test_labels_are_beside_the_clip_or_where_monai_label_keeps_them(tmp_path):
    clip = tmp_path / "a.npz"
    assert find_labels(clip) is None
    final = tmp_path / "labels" / "final" / "a.json"
    final.parent.mkdir(parents=True)
    final.touch()
    assert find_labels(clip) == final
    (tmp_path / "a.csv").touch()
    assert find_labels(clip) == tmp_path / "a.csv"


def test_labels_of_a_patients_folder_are_where_the_label_server_writes_them(tmp_path, monkeypatch):
    other, clip = tmp_path / "clip.dcm", tmp_path / "pat1" / "rest" / "clip.dcm"
    final = tmp_path / "labels" / "final" / "pat1" / "rest" / "clip.dcm.json"
    final.parent.mkdir(parents=True)
    final.touch()
    assert find_labels(clip) == final and find_labels(other) is None
    clip.parent.mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "pat1")
    assert find_labels(Path("rest/clip.dcm")) == final
    assert find_labels(Path(".")) is None  # a folder of stills, from inside
    (clip.parent / "clip.json").touch()  # beside it goes first
    assert find_labels(clip) == clip.parent / "clip.json"


def test_links_to_folders_are_not_followed(tmp_path):
    (tmp_path / "p1").mkdir()
    (tmp_path / "p1" / "a.npz").touch()
    (tmp_path / "p1" / "back").symlink_to(tmp_path, target_is_directory=True)
    assert clip_files(tmp_path) == [tmp_path / "p1" / "a.npz"]


# ---- folders


def test_clips_are_found_and_other_files_passed_over(tmp_path, caplog):
    write_clip(tmp_path / "a.npz")
    (tmp_path / "sub").mkdir()
    write_clip(tmp_path / "sub" / "b.npz")
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "broken.dcm").write_bytes(b"nothing")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "result.json").write_text("{}")
    write_clip(tmp_path / "out" / "overlay.npz")
    stills = tmp_path / "stills"
    stills.mkdir()
    for i in range(3):
        Image.fromarray(np.full((40, 50), 40 * i, np.uint8)).save(stills / f"{i}.png")
    found = find_clips(str(tmp_path))
    assert [Path(item["image"]).name for item in found] == ["a.npz", "stills", "b.npz"]
    assert "label" in found[0] and "label" not in found[1]
    assert "broken.dcm" in caplog.text
    assert [item["image"] for item in find_clips(str(stills))] == [str(stills)]
    assert find_clips(None) == []


def test_parts_are_disjoint_complete_and_stay_when_clips_are_added(tmp_path):
    for i in range(12):
        write_clip(tmp_path / f"{i}.npz", frames=2, seed=i)
    parts = {
        part: {i["image"] for i in clip_items(str(tmp_path), part, 0.4)} for part in ("train", "validate")
    }
    assert not parts["train"] & parts["validate"]
    assert len(parts["train"] | parts["validate"]) == 12
    write_clip(tmp_path / "another.npz", frames=2, seed=12)
    for part, before in parts.items():
        assert before <= {i["image"] for i in clip_items(str(tmp_path), part, 0.4)}


def test_clips_of_one_patient_stay_together(tmp_path):
    for patient in "abcdefgh":
        (tmp_path / patient).mkdir()
        for i in range(2):
            write_clip(tmp_path / patient / f"{i}.npz", frames=2, seed=ord(patient) + 100 * i)
    patients = [
        {Path(i["image"]).parent.name for i in clip_items(str(tmp_path), part, 0.5)}
        for part in ("train", "validate")
    ]
    assert not patients[0] & patients[1] and len(patients[0] | patients[1]) == 8


def test_what_is_missing_is_said_in_a_sentence(tmp_path):
    with pytest.raises(ClipError, match="does not exist"):
        find_clips(str(tmp_path / "nowhere"))
    with pytest.raises(ClipError, match="no clips to train with"):
        clip_items(str(tmp_path), "train")
    with pytest.raises(ClipError, match="landmarks"):
        labelled([{"image": "a.npz"}])


# ---- a user's clips


@pytest.fixture
def user_clip(tmp_path):
    path = tmp_path / "a.npz"
    write_clip(path)
    frames = {str(t): dots(t).tolist() for t in (1, 3, 4)}
    frames["4"][2] = None
    label = tmp_path / "a.json"
    label.write_text(json.dumps({"frames": frames}))
    return {"image": str(path), "label": str(label)}


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("size", [224, 112])
def test_points_lie_on_the_tissue_that_was_labelled(user_clip, augment, size):
    data = LabelledFrames([user_clip], frames_per_clip=3, size=size, augment=augment)
    seen = 0
    for index in range(4 if augment else 1):
        item = data[index]
        assert item["image"].shape == (3, 1, size, size) and item["points"].shape == (3, 4, 2)
        assert int(item["points"].isnan().any(-1).sum()) == 1
        for frame, points in zip(item["image"][:, 0].numpy(), item["points"].numpy(), strict=True):
            for point in points:
                if np.isfinite(point).all() and (point > 10).all() and (point < size - 10).all():
                    assert np.linalg.norm(brightest(frame, point) - point) < 0.6
                    seen += 1
    assert seen >= 10


def test_items_are_functions_of_their_index(user_clip):
    one, two = (LabelledFrames([user_clip], size=64) for _ in range(2))
    assert all((one[7][k].numpy() == two[7][k].numpy()).all() for k in ("image",))
    assert (one[7]["image"] != one[8]["image"]).any()


def test_labels_beyond_the_clip_are_refused(user_clip):
    Path(user_clip["label"]).write_text(json.dumps({"frames": {"99": DOTS.tolist()}}))
    with pytest.raises(LabelError, match="99"):
        LabelledFrames([user_clip], size=64)[0]


def test_a_small_heart_is_shown_as_close_as_when_it_is_tracked(tmp_path):
    video = np.random.default_rng(0).integers(0, 60, (3, 400, 400)).astype(np.uint8)
    points = np.array([[200.0, 150], [206, 165], [216, 190], [220, 200]])
    for x, y in points.astype(int):
        video[:, y - 2 : y + 3, x - 2 : x + 3] = 255
    np.savez(tmp_path / "deep.npz", video=video)
    (tmp_path / "deep.json").write_text(json.dumps({"frames": {"0": points.tolist(), "2": points.tolist()}}))
    (item,) = labelled(find_clips(str(tmp_path)))
    got = LabelledFrames([item], frames_per_clip=2, size=112, augment=False)[0]
    line = np.linalg.norm(got["points"][:, 3] - got["points"][:, 0], axis=-1)
    np.testing.assert_allclose(line, LARGEST_GAIN * 112 / 400 * np.hypot(20, 50), rtol=0.02)
    for frame, where in zip(got["image"][:, 0].numpy(), got["points"].numpy(), strict=True):
        for point in where:
            np.testing.assert_allclose(brightest(frame, point, 4), point, atol=0.7)


def test_windows_are_consecutive_frames_and_hold_no_points(user_clip):
    data = ClipWindows([user_clip], frame_count=4, size=112, augment=False)
    item = data[0]
    assert set(item) == {"frames"} and len(data) == 1
    video, _ = model_clip(user_clip["image"], 112)
    np.testing.assert_array_equal(item["frames"][:, 0], video[:4])
    longer = ClipWindows([user_clip], frame_count=9, size=112, augment=False)[0]["frames"]
    assert (longer[5:] == longer[5]).all() and len(longer) == 9


def test_every_clip_comes_once_in_each_pass(tmp_path):
    for i in range(3):
        write_clip(tmp_path / f"{i}.npz", frames=2, seed=i)
    data = ClipWindows(find_clips(str(tmp_path)), frame_count=2, size=32)
    order = [data._draw(i)[0]["image"] for i in range(9)]
    assert all(len(set(order[i : i + 3])) == 3 for i in (0, 3, 6))


def test_a_view_moves_points_and_keeps_shapes():
    frames = np.zeros((2, 64, 64), np.uint8)
    points = np.array([[10.0, 20.0], [np.nan, np.nan]])
    seen, moved = random_view(frames, points, np.random.default_rng(0))
    assert seen.shape == frames.shape and seen.dtype == np.uint8
    assert np.isfinite(moved[0]).all() and np.isnan(moved[1]).all() and not frames.any()


# ---- the phantom


def test_training_clips_have_no_landmarks_and_validation_clips_have():
    plain, tracked = PhantomClips(2, 3, 64, VALIDATION_SEED), TrackedPhantomClips(2, 3, 64, VALIDATION_SEED)
    assert set(plain[1]) == {"frames"}
    assert set(tracked[1]) == {"frames", "points"}
    assert (plain[1]["frames"] == tracked[1]["frames"]).all()
    assert tracked[1]["points"].shape == (3, 4, 2)


def test_what_unlabelled_stages_train_on_has_no_landmarks(user_clip):
    for data in (None, [user_clip]):
        assert set(clips("train", data, frames=3, size=32)[0]) == {"frames"}
        assert set(pairs("train", data, frames=3, pairs=2, size=32)[0]) == {"reference", "target"}


def test_training_validation_and_test_hearts_never_meet():
    train = labelled_frames("train", size=32)
    validation = labelled_frames("validate", size=32, hearts=1000)
    assert isinstance(train, PhantomFrames) and isinstance(validation, PhantomFrames)
    assert train.first_seed + len(train) <= VALIDATION_SEED <= validation.first_seed
    assert validation.first_seed + len(validation) <= TEST_SEED
    assert labelled_frames("train", seed=5_000_000).hearts + 5_000_000 <= VALIDATION_SEED
    with pytest.raises(ValueError, match="part"):
        clips("test")


def frame_index(frames, frame):
    return next(t for t in range(len(frames)) if (frames[t] == frame).all())


def test_pairs_carry_the_points_of_their_frames():
    source = TrackedPhantomClips(1, 6, 64, VALIDATION_SEED)
    clip, item = source[0], FramePairs(source, pairs=8, gap=2)[0]
    steps = set()
    for i in range(8):
        r, t = (frame_index(clip["frames"], item[key][i]) for key in ("reference", "target"))
        steps.add(t - r)
        assert (clip["points"][r] == item["reference_points"][i]).all()
        assert (clip["points"][t] == item["points"][i]).all()
    assert steps <= {-2, -1, 1, 2} and min(steps) < 0 < max(steps)


def test_pairs_of_any_distance_are_cut_out_alike():
    source = PhantomClips(3, 6, 64)
    item, frames = FramePairs(source, pairs=20, crop=32)[1], source[1]["frames"]
    assert item["reference"].shape == item["target"].shape == (20, 1, 32, 32)
    windows = frames.unfold(2, 32, 1).unfold(3, 32, 1)[:, 0]  # (6, 33, 33, 32, 32)
    found = [
        (windows == item[key][i, 0]).all(-1).all(-1).nonzero().tolist()
        for key in ("reference", "target")
        for i in range(20)
    ]
    assert all(found)
    assert len({tuple(places[0][1:]) for places in found if len(places) == 1}) == 1
    distances = [abs(a[0][0] - b[0][0]) for a, b in zip(found[:20], found[20:], strict=True)]
    assert min(distances) > 0 and max(distances) > 2


# ---- the stream


def test_epochs_and_processes_share_the_stream_without_overlap():
    seen = []
    for epoch in (1, 2):
        for rank in (0, 1):
            sampler = StreamSampler(range(10_000), items=6, rank=rank, replicas=2)
            sampler.set_epoch(epoch)
            assert len(sampler) == 3
            seen += list(sampler)
    assert sorted(seen) == list(range(12))


def test_the_stream_starts_again_at_its_end():
    sampler = StreamSampler(range(5), items=4)
    sampler.set_epoch(2)
    assert list(sampler) == [4, 0, 1, 2]
