"""NumPy files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from clip_files import colour_clip, grey_clip, luma

from echo_keypoints.errors import ClipError
from echo_keypoints.readers import open_clip, read_clip

GREY = grey_clip()


def test_npz_with_its_facts(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", video=GREY, fps=50, mm_per_px=0.4, points=np.zeros((6, 4, 2)))
    clip = read_clip(tmp_path / "a.npz")
    np.testing.assert_array_equal(clip.pixels, GREY)
    np.testing.assert_allclose(clip.header.frame_times_s, np.arange(6) / 50)
    assert (clip.header.spacing_mm, clip.header.times_source, clip.header.warnings) == ((0.4, 0.4), "fps", ())


def test_npz_with_unequal_spacing(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", video=GREY, spacing_mm=np.array([0.3, 0.2]))
    header = open_clip(tmp_path / "a.npz").header
    assert header.spacing_mm == (0.3, 0.2)
    assert not header.metadata["times_known"]


def test_npy_of_colour(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", colour_clip())
    clip = read_clip(tmp_path / "a.npy")
    np.testing.assert_allclose(clip.pixels, luma(colour_clip()), atol=0.51)
    assert clip.header.spacing_mm is None


@pytest.mark.parametrize(
    "array",
    [GREY.astype(np.float32), GREY[0], GREY[..., np.newaxis], np.asfortranarray(GREY), GREY[:1], GREY[:, :8]],
)
def test_other_arrays_are_refused(array: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ClipError, match=r"a\.npy"):
        open_clip(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"fps": 0}, "fps"),
        ({"fps": np.nan}, "fps"),
        ({"fps": "fast"}, "fps"),
        ({"mm_per_px": -1.0}, "mm_per_px"),
        ({"spacing_mm": np.ones(9)}, "spacing_mm"),
    ],
)
def test_impossible_facts_are_refused(facts: dict, words: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", video=GREY, **facts)
    with pytest.raises(ClipError, match=words):
        open_clip(tmp_path / "a.npz")


def test_archive_without_a_video_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", frames=GREY)
    with pytest.raises(ClipError, match="named video"):
        open_clip(tmp_path / "a.npz")


def test_compression_that_numpy_does_not_use_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, GREY)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("video.npy", buffer.getvalue())
    with pytest.raises(ClipError, match="savez"):
        open_clip(tmp_path / "a.npz")


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (Path(tmp_path / "sprung").touch, ())

    np.savez(tmp_path / "a.npz", video=np.array([Trap()], dtype=object))
    np.savez(tmp_path / "b.npz", video=GREY, fps=np.array([Trap()], dtype=object))
    for name in ("a.npz", "b.npz"):
        with pytest.raises(ClipError):
            open_clip(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_lying_header_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 4000, 4000)}
    np.lib.format.write_array_header_1_0(buffer, header)
    (tmp_path / "a.npy").write_bytes(buffer.getvalue())
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("video.npy", buffer.getvalue())
    for name in ("a.npy", "a.npz"):
        with pytest.raises(ClipError, match="more than this software"):
            open_clip(tmp_path / name)
