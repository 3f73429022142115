import os

import numpy as np
from PIL import Image

from echo_keypoints.batch.discovery import find_clips


def place(found):
    return {clip.path: clip.folder for clip in found}


def test_clips_are_told_by_their_bytes_and_keep_their_place(clips, tmp_path):
    (clips / ".hidden.npz").write_bytes((clips / "a.npz").read_bytes())
    (clips / "study" / "IM3").write_bytes((clips / "a.npz").read_bytes())  # without an ending
    assert place(find_clips(clips, tmp_path / "out")) == {
        "a.npz": "a",
        "broken.npz": "broken",
        "study/IM1.npz": "study/IM1",
        "study/IM2.npz": "study/IM2",
        "study/IM3": "study/IM3",
    }


def test_the_output_folder_is_left_out(clips):
    out = clips / "out"
    out.mkdir()
    (out / "b.npz").write_bytes((clips / "a.npz").read_bytes())
    assert "out/b.npz" not in place(find_clips(clips, out)) and "a.npz" in place(find_clips(clips, out))


def test_namesakes_get_folders_of_their_own(clips, tmp_path):
    (clips / "a.bin").write_bytes((clips / "a.npz").read_bytes())
    folders = place(find_clips(clips, tmp_path))
    assert folders["a.npz"] == "a.npz" and folders["a.bin"] == "a.bin" and folders["broken.npz"] == "broken"


def test_a_folder_of_stills_is_one_clip(tmp_path):
    folder = tmp_path / "in" / "frames"
    folder.mkdir(parents=True)
    for number in range(3):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(folder / f"{number}.png")
    (clip,) = find_clips(tmp_path / "in", tmp_path / "out")
    assert (clip.path, clip.folder) == ("frames", "frames") and clip.size > 0


def test_loops_of_links_end(clips, tmp_path):
    os.symlink(clips, clips / "study" / "loop")
    assert len(find_clips(clips, tmp_path / "out")) == 4


def test_results_are_no_clips(clips):
    folder = clips / "study" / "IM1"
    folder.mkdir()
    for name in ("result.json", "curves.csv"):
        (folder / name).write_text("")
    before = place(find_clips(clips, clips / "out"))
    Image.new("L", (8, 8)).save(folder / "curves.png")
    (folder / "overlay.mp4").write_bytes((clips / "a.npz").read_bytes())
    (folder / "b.npz").write_bytes((clips / "a.npz").read_bytes())  # a clip that lies beside results
    assert place(find_clips(clips, clips / "out")) == {**before, "study/IM1/b.npz": "study/IM1/b"}


def test_the_input_folder_may_hold_the_frames_itself(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(2):
        Image.new("L", (8, 8)).save(tmp_path / "in" / f"{number}.png")
    assert place(find_clips(tmp_path / "in", tmp_path / "out")) == {".": "."}


def test_files_that_are_named_by_uids_keep_apart(clips, tmp_path):
    for name in ("1.2.840.1", "1.2.840.2"):
        (clips / name).write_bytes((clips / "a.npz").read_bytes())
    folders = place(find_clips(clips, tmp_path / "out"))
    assert folders["1.2.840.1"] == "1.2.840.1" and folders["1.2.840.2"] == "1.2.840.2"
