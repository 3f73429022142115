"""Which files are opened at all, how much memory they take, and what they import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from clip_files import dicom, grey_clip, save, write_all

import echo_keypoints
from echo_keypoints.errors import ClipError
from echo_keypoints.readers import open_clip, read_clip
from echo_keypoints.readers.sniff import sniff_bytes


def python(code: str, *arguments: object) -> str:
    root = str(Path(echo_keypoints.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_every_format_by_its_content_under_a_wrong_name(tmp_path: Path) -> None:
    for path in write_all(tmp_path):
        renamed = path.rename(tmp_path / f"{path.stem}_{path.suffix[1:]}.xyz")
        clip = read_clip(renamed)
        assert clip.pixels.shape == (6, 48, 64), path.name
        # The disc moves by 3 pixels a frame: frames are in order and the right way round.
        columns = clip.pixels[:, 20:28, 12:].max(axis=1).argmax(axis=1)
        assert columns[0] < columns[-1], path.name
        assert np.all(np.diff(clip.header.frame_times_s) > 0)
        assert clip.header.frame_times_s[0] == 0
        assert not any("SECRET" in str(value).upper() for value in clip.header.metadata.values())


def test_source_and_clip_agree(tmp_path: Path) -> None:
    path = save(dicom(grey_clip()), tmp_path / "a.dcm")
    source, clip = open_clip(str(path)), read_clip(path)
    for _ in range(2):
        np.testing.assert_array_equal(np.stack(list(source.frames())), clip.pixels)
    np.testing.assert_array_equal(np.stack(list(clip.as_source().frames())), clip.pixels)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "not found"), (b"", "empty"), (b"hello, world", "known format"), (b"{}", "known format")],
)
def test_other_files_are_refused(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "new\nline.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ClipError, match=words) as refusal:
        open_clip(path)
    assert "new?line.txt" in str(refusal.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_pipes_are_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dcm")
    with pytest.raises(ClipError, match="known format"):
        open_clip(tmp_path / "pipe.dcm")


def test_clip_beyond_the_memory_bound_can_only_be_streamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(dicom(grey_clip()), tmp_path / "a.dcm")
    monkeypatch.setattr("echo_keypoints.readers.dispatch.MAX_CLIP_BYTES", 6 * 48 * 64 - 1)
    with pytest.raises(ClipError, match="frame by frame"):
        read_clip(path)
    assert len(list(open_clip(path).frames())) == 6


def test_changed_file_is_reported_and_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, grey_clip())
    source = open_clip(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ClipError, match=r"frame 6 of a\.npy"):
        list(source.frames())


def test_sniffing() -> None:
    assert sniff_bytes(b"RIFF\x00\x00\x00\x00AVI LIST") == "video:avi"
    assert sniff_bytes(b"II*\x00" + bytes(124) + b"DICM") == "dicom"
    assert sniff_bytes(b"ObjectType = Image\nNDims = 3\n") == "sequence"
    assert sniff_bytes(b"\x08\x00\x05\x00CS") == "dicom"


def test_neither_torch_monai_nor_itk_is_imported(tmp_path: Path) -> None:
    path = save(dicom(grey_clip()), tmp_path / "a.dcm")
    code = (
        "import sys; from echo_keypoints.readers import read_clip; read_clip(sys.argv[1]); "
        "print({'torch', 'monai', 'itk', 'cv2', 'scipy', 'av'} & set(sys.modules))"
    )
    assert python(code, path).strip() in ("set()", "{'av'}")


@pytest.mark.parametrize("name", ["long.dcm", "long.npz"])
def test_long_clip_is_streamed_in_little_memory(name: str, tmp_path: Path) -> None:
    long = np.zeros((400, 480, 640), np.uint8)  # 123 MB
    long[::7] = 80
    path = tmp_path / name
    if name == "long.dcm":
        save(dicom(long), path)
    else:
        np.savez_compressed(path, video=long, fps=30)
    code = (
        "import resource, sys; from echo_keypoints.readers import open_clip; "
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "source = open_clip(sys.argv[1]); frames = source.frames(); next(frames); before = peak(); "
        "total = sum(int(frame[0, 0]) for frame in frames); print(total, peak() - before)"
    )
    total, growth_kb = map(int, python(code, path).split())
    assert total == 80 * (len(range(0, 400, 7)) - 1)
    assert growth_kb < 30_000
