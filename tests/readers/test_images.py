"""Animations and folders of stills."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clip_files import colour_clip, grey_clip, luma
from PIL import Image

from echo_keypoints.errors import ClipError
from echo_keypoints.readers import open_clip, read_clip

GREY = grey_clip()


def save_animation(path: Path, video: np.ndarray, **options: Any) -> Path:
    first, *rest = [Image.fromarray(picture) for picture in video]
    first.save(path, save_all=True, append_images=rest, **options)
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.gif", {"duration": 40}),
        ("a.png", {"duration": 40}),
        ("a.webp", {"duration": 40, "lossless": True}),
    ],
)
def test_animation_is_exact_and_its_delays_are_doubted(name: str, options: dict, tmp_path: Path) -> None:
    clip = read_clip(save_animation(tmp_path / name, GREY, **options))
    np.testing.assert_array_equal(clip.pixels, GREY)
    np.testing.assert_allclose(clip.header.frame_times_s, np.arange(6) * 0.04)
    assert clip.header.times_source.endswith("delays")
    assert "not those at which it was acquired" in clip.header.warnings[0]


def test_each_delay_is_that_of_its_own_frame(tmp_path: Path) -> None:
    path = save_animation(tmp_path / "a.gif", GREY, duration=[30, 60, 30, 60, 30, 60])
    np.testing.assert_allclose(open_clip(path).header.frame_times_s, [0, 0.03, 0.09, 0.12, 0.18, 0.21])


def test_colour_animation(tmp_path: Path) -> None:
    colour = colour_clip()
    clip = read_clip(save_animation(tmp_path / "a.webp", colour, duration=40, lossless=True))
    np.testing.assert_allclose(clip.pixels, luma(colour), atol=0.51)
    assert clip.header.metadata["colour"]


def test_pages_without_times(tmp_path: Path) -> None:
    clip = read_clip(save_animation(tmp_path / "a.tiff", GREY))
    np.testing.assert_array_equal(clip.pixels, GREY)
    assert not clip.header.metadata["times_known"]


def test_stills_and_deep_images_are_refused(tmp_path: Path) -> None:
    Image.fromarray(GREY[0]).save(tmp_path / "a.png")
    with pytest.raises(ClipError, match="still"):
        open_clip(tmp_path / "a.png")
    save_animation(tmp_path / "a.tiff", GREY.astype(np.uint16) * 100)
    with pytest.raises(ClipError, match="8 bits"):
        open_clip(tmp_path / "a.tiff")


def test_folder_in_natural_order(tmp_path: Path) -> None:
    for index, picture in enumerate(grey_clip(12)):
        Image.fromarray(picture).save(tmp_path / f"frame{index}.png")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    clip = read_clip(tmp_path)
    np.testing.assert_array_equal(clip.pixels, grey_clip(12))
    assert clip.header.source == tmp_path.name
    assert not clip.header.metadata["times_known"]


def test_folders_that_are_no_clip_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="without images"):
        open_clip(tmp_path)
    Image.fromarray(GREY[0]).save(tmp_path / "1.png")
    with pytest.raises(ClipError, match="still"):
        open_clip(tmp_path)
    Image.fromarray(GREY[0, :40]).save(tmp_path / "2.png")
    with pytest.raises(ClipError, match="differ in size"):
        read_clip(tmp_path)
