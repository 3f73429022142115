"""EchoNet-LVH in its published form, on a look-alike made of phantoms."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from echo_keypoints.cli import main
from echo_keypoints.data.clips import LabelledFrames
from echo_keypoints.data.echonet_lvh import COLUMNS, TABLE, echonet_lvh_items, read_echonet_lvh
from echo_keypoints.data.echonet_phantom import write_lookalike
from echo_keypoints.data.points import LabelError
from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.errors import ClipError
from echo_keypoints.evaluation.reproduce.budget import BUDGETS, train_detector
from echo_keypoints.readers import read_clip
from echo_keypoints.training.runs import run_stages


@pytest.fixture(scope="module")
def lookalike(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("echonet")
    write_lookalike(folder, 10, seed=5, frames=24, size=96, noise_px=0.5)
    return folder


def edit(folder: Path, target: Path, change) -> Path:
    """Copy the table through a function of its rows; the videos are linked."""
    target.mkdir(exist_ok=True)
    for batch in folder.glob("Batch*"):
        if not (target / batch.name).exists():
            shutil.copytree(batch, target / batch.name)
    with (folder / TABLE).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows = change(rows) or rows
    with (target / TABLE).open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["", *COLUMNS])
        writer.writeheader()
        writer.writerows(rows)
    return target


def test_the_tree_has_the_published_form(lookalike):
    with (lookalike / TABLE).open() as stream:
        assert stream.readline().strip() == "," + ",".join(COLUMNS)
    assert {path.name for path in lookalike.iterdir()} == {"Batch1", "Batch2", "Batch3", "Batch4", TABLE}
    for video in lookalike.glob("Batch*/*.avi"):
        header = read_clip(video).header
        assert (header.frame_count, header.height, header.width) == (24, 96, 96)
        assert header.spacing_mm is None


def test_landmarks_scale_and_splits_come_back(lookalike):
    known = read_echonet_lvh(lookalike)
    assert len(known.videos) == 10 and not known.dropped and known.swapped == 0
    assert [len(known.of(split)) for split in ("train", "val", "test")] == [8, 1, 1]
    by_frames = {}
    for seed in range(5, 8):
        clip = simulate_clip(seed, frame_count=24, size=96, fps=50)
        by_frames[round(float(clip.mm_per_px), 4)] = clip
    found = [video for video in known.videos if round(video.cm_per_px * 10, 4) in by_frames]
    assert len(found) == 3
    for video in found:
        clip = by_frames[round(video.cm_per_px * 10, 4)]
        assert (video.end_diastole, video.end_systole) == (clip.phase.argmin(), clip.phase.argmax())
        for frame, points in video.frames.items():
            assert np.abs(points - clip.points[frame]).max() < 2.5
        assert 0 < video.gap_px < 3


def test_rows_are_dropped_with_a_reason(lookalike, tmp_path):
    def spoil(rows):
        rows[0]["CalcValue"] = str(2 * float(rows[0]["CalcValue"]))
        rows[1]["X1"] = "900"
        rows[2]["Y2"] = ""
        rows[3]["Frame"] = "24"
        rows[4]["Calc"] = "AoD"
        rows[5]["split"] = "tran"
        rows[6]["X1"], rows[6]["X2"] = rows[6]["X2"], rows[6]["X1"]
        rows[6]["Y1"], rows[6]["Y2"] = rows[6]["Y2"], rows[6]["Y1"]
        rows[7] = {**rows[8]}
        for row in rows[12:15]:
            row["split"] = "test"
        for row in rows[18:24]:
            row["HashedFileName"] = "0XGONE"

    known = read_echonet_lvh(edit(lookalike, tmp_path / "spoilt", spoil))
    reasons = {(drop.row, drop.reason) for drop in known.dropped}
    # Row 1 of the table is its header.
    assert (3, "an end lies outside of the picture") in reasons
    assert (4, "a value is missing or not a number") in reasons
    assert (5, "the frame is not in the video") in reasons
    assert (6, "another measurement") in reasons
    assert (7, "the split is unknown") in reasons
    assert (10, "measured twice in one frame") in reasons
    assert (None, "in two splits") in reasons
    assert (None, "no such video in the batches") in reasons
    assert known.swapped == 1
    report = known.report()
    assert "dropped 1 × file: in two splits" in report and "videos to train with" in report


def test_a_row_of_another_scale_is_dropped(lookalike, tmp_path):
    def spoil(rows):
        rows[0]["CalcValue"] = str(1.1 * float(rows[0]["CalcValue"]))

    known = read_echonet_lvh(edit(lookalike, tmp_path / "scaled", spoil))
    assert [(drop.row, drop.reason) for drop in known.dropped] == [(2, "its scale is not that of the file")]
    video = next(video for video in known.videos if video.path.stem == known.dropped[0].file)
    # IVS at end-diastole is gone: SEpP is not known there, SEnP still is.
    assert np.isnan(video.frames[video.end_diastole][0]).all()
    assert np.isfinite(video.frames[video.end_diastole][1:]).all()


def test_the_split_of_the_paper_overrules_the_table(lookalike, tmp_path):
    names = [video.path.stem for video in read_echonet_lvh(lookalike).videos]
    table = tmp_path / "hashed_index_old_split.csv"
    table.write_text("HashedFileName,split\n" + "".join(f"{name},test\n" for name in names[:3]))
    known = read_echonet_lvh(lookalike, table)
    assert {video.path.stem for video in known.of("test")} == set(names[:3])
    assert sum(drop.reason == "not in the split file" for drop in known.dropped) == 7
    table.write_text(f"HashedFileName,split\n{names[0]},test\n{names[0]},train\n")
    with pytest.raises(LabelError, match="into two splits"):
        read_echonet_lvh(lookalike, table)


def test_items_train_sknet(lookalike):
    items = echonet_lvh_items(str(lookalike), "train")
    assert len(items) == 8
    frames = LabelledFrames(items, frames_per_clip=2, size=64)
    sample = frames[0]
    assert sample["image"].shape == (2, 1, 64, 64) and sample["points"].isfinite().all()
    held = {item["image"] for item in echonet_lvh_items(str(lookalike), "validate")}
    assert not held & {item["image"] for item in items}


def test_the_command_writes_one(tmp_path, capsys):
    target = tmp_path / "tree"
    options = ["-o", str(target), "--format", "echonet-lvh", "--count", "1", "--frames", "4", "--size", "64"]
    assert main(["simulate", *options]) == 0
    assert len(read_echonet_lvh(target).videos) == 1
    assert main(["simulate", *options]) == 2
    assert "not empty" in capsys.readouterr().err
    assert main(["simulate", *options, "--overwrite", "--fps", "30"]) == 2
    assert "--fps" in capsys.readouterr().err


@pytest.mark.slow
def test_sknet_and_the_peers_train_on_it(lookalike, tmp_path):
    root = Path(__file__).resolve().parents[2] / "monai_bundle"
    tiny = {
        "image_size": 64, "epochs": 1, "epoch_items": 2, "batch_size": 1, "frames": 2, "warmup": 1,
        "config": ["configs/train_sknet.json", "configs/echonet_lvh.json"], "precision": "float32",
        "output_dir": str(tmp_path / "sknet"),
    }  # fmt: skip
    shared = {"workers": 0, "progress": False, "device": "cpu", "dataset_dir": str(lookalike)}
    run_stages([tiny], shared, str(root))
    assert (tmp_path / "sknet" / "sknet.pt").is_file()
    assert train_detector("echonet_lvh", BUDGETS["tiny"], tmp_path, lookalike).is_file()


def test_what_is_missing_is_said_in_one_sentence(lookalike, tmp_path):
    with pytest.raises(LabelError, match=r"MeasurementsList\.csv cannot be read"):
        read_echonet_lvh(tmp_path)
    (tmp_path / TABLE).write_text("a,b\n1,2\n")
    with pytest.raises(LabelError, match="no column HashedFileName"):
        read_echonet_lvh(tmp_path)
    (tmp_path / TABLE).write_text(",".join(["", *COLUMNS]) + "\n")
    with pytest.raises(ClipError, match="no usable videos to train with"):
        echonet_lvh_items(str(tmp_path), "train")
