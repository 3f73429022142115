"""NRRD and MetaImage sequences, as 3D Slicer, PLUS and ITK write them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from clip_files import colour_clip, grey_clip, luma, mha, nrrd

from echo_keypoints.errors import ClipError
from echo_keypoints.readers import open_clip, read_clip

GREY, COLOUR = grey_clip(), colour_clip()
SLICER = np.moveaxis(GREY, 0, -1)[np.newaxis]  # z, y, x, t: all frames of a pixel together


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("compress", [False, True])
def test_slicer_sequence_with_times_and_scale(compress: bool, tmp_path: Path) -> None:
    fields = {
        "space_directions": " none (0.3,0,0) (0,0.2,0) (0,0,1)",
        "labels": ' "time" "" "" ""',
        "units": ' "s" "" "" ""',
        "axis_0_index_type": "=numeric",
        "axis_0_index_values": "=1.0 1.02 1.06 1.08 1.1 1.12",
    }
    content = nrrd(SLICER, "list domain domain domain", compress, **fields)
    clip = read_clip(write(tmp_path / "a.seq.nrrd", content))
    np.testing.assert_array_equal(clip.pixels, GREY)
    np.testing.assert_allclose(clip.header.frame_times_s, [0, 0.02, 0.06, 0.08, 0.1, 0.12])
    assert clip.header.spacing_mm == pytest.approx((0.3, 0.2))


def test_index_values_without_a_unit_of_time_are_no_times(tmp_path: Path) -> None:
    fields = {"labels": ' "frame" "" "" ""', "axis_0_index_values": "=0 1 2 3 4 5"}
    path = write(tmp_path / "a.nrrd", nrrd(SLICER, "list domain domain domain", **fields))
    assert not open_clip(path).header.metadata["times_known"]


@pytest.mark.parametrize(
    ("axes", "kinds"),
    [
        (GREY, "domain domain list"),
        (GREY, "domain domain domain"),
        (GREY[:, np.newaxis], "domain domain domain list"),
        (GREY[:, np.newaxis], "space space space time"),
    ],
)
def test_other_orders_of_grey(axes: np.ndarray, kinds: str, tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_clip(write(tmp_path / "a.nrrd", nrrd(axes, kinds))).pixels, GREY)


@pytest.mark.parametrize(
    ("axes", "kinds"),
    [
        (COLOUR, "RGB-color domain domain list"),
        (np.transpose(COLOUR, (1, 2, 3, 0))[np.newaxis].copy(), "list RGB-color domain domain domain"),
    ],
)
def test_colour(axes: np.ndarray, kinds: str, tmp_path: Path) -> None:
    clip = read_clip(write(tmp_path / "a.nrrd", nrrd(axes, kinds)))
    np.testing.assert_allclose(clip.pixels, luma(COLOUR), atol=0.51)
    assert clip.header.metadata["colour"]


@pytest.mark.parametrize("compress", [False, True])
def test_plus_metaimage_with_time_stamps(compress: bool, tmp_path: Path) -> None:
    stamps = {f"Seq_Frame{index:04d}_Timestamp": str(100 + index / 25) for index in range(6)}
    content = mha(GREY, compress, ElementSpacing="0.25 0.25 1", **stamps)
    clip = read_clip(write(tmp_path / "a.mha", content))
    np.testing.assert_array_equal(clip.pixels, GREY)
    np.testing.assert_allclose(clip.header.frame_times_s, np.arange(6) / 25, atol=1e-9)
    assert clip.header.spacing_mm == (0.25, 0.25)


def test_colour_metaimage_and_its_pair_of_files(tmp_path: Path) -> None:
    content = mha(COLOUR, channels=3)
    np.testing.assert_allclose(read_clip(write(tmp_path / "a.mha", content)).pixels, luma(COLOUR), atol=0.51)
    text, _, data = content.partition(b"LOCAL\n")
    write(tmp_path / "b.raw", data)
    pair = write(tmp_path / "b.mhd", text + b"b.raw\n")
    np.testing.assert_allclose(read_clip(pair).pixels, luma(COLOUR), atol=0.51)


def test_pair_without_its_second_file_is_refused(tmp_path: Path) -> None:
    text, _, _ = mha(GREY).partition(b"LOCAL\n")
    with pytest.raises(ClipError, match="second file"):
        open_clip(write(tmp_path / "b.mhd", text + b"b.raw\n"))


def test_files_in_other_folders_are_never_opened(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    text, _, data = mha(GREY).partition(b"LOCAL\n")
    write(tmp_path / "secret.raw", data)
    path = write(tmp_path / "sub" / "a.mhd", text + b"../secret.raw\n")
    with pytest.raises(ClipError, match="another folder"):
        open_clip(path)


def test_spacing_of_one_is_no_scale(tmp_path: Path) -> None:
    header = open_clip(write(tmp_path / "a.mha", mha(GREY, ElementSpacing="1 1 1"))).header
    assert header.spacing_mm is None
    assert "in pixels" in header.warnings[-1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (nrrd(GREY, "domain domain list").replace(b"uchar", b"short"), "8-bit"),
        (nrrd(GREY, "domain domain list").replace(b"encoding: raw", b"encoding: hex"), "encoding"),
        (nrrd(GREY[0], "domain domain"), "still"),
        (nrrd(np.stack([GREY, GREY]), "domain domain domain list"), "2-D"),
        (nrrd(np.stack([GREY] * 5, -1), "vector domain domain list"), "colour"),
        (nrrd(GREY, "domain domain list")[:-500], "cannot be decoded"),
        (nrrd(GREY, "domain domain list", compress=True)[:-500], "cannot be decoded"),
        (nrrd(GREY, "domain domain list").replace(b"64 48 6", b"64 48 999999999"), "more than this software"),
        (mha(GREY).replace(b"64 48 6", b"64 48 999999999"), "more than this software"),
        (mha(GREY)[:60], "cannot be decoded"),
        (mha(GREY, BinaryData="False"), "as text"),
    ],
)
def test_refusals_say_why(content: bytes, words: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.nrrd", content)
    with pytest.raises(ClipError, match=words):
        read_clip(path)


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd"])
@pytest.mark.parametrize("compress", [False, True])
def test_files_that_itk_writes(name: str, compress: bool, tmp_path: Path) -> None:
    itk = pytest.importorskip("itk")
    image = itk.image_from_array(GREY)
    image.SetSpacing([0.3, 0.2, 1.0])
    itk.imwrite(image, str(tmp_path / name), compression=compress)
    clip = read_clip(tmp_path / name)
    np.testing.assert_array_equal(clip.pixels, GREY)
    assert clip.header.spacing_mm == pytest.approx((0.3, 0.2))


def test_gzip_of_several_members_is_read(tmp_path: Path) -> None:
    whole = nrrd(GREY, "domain domain list", compress=True)
    head, data = whole[: whole.index(b"\n\n") + 2], GREY.tobytes()
    members = gzip.compress(data[:1000]) + gzip.compress(data[1000:])
    np.testing.assert_array_equal(read_clip(write(tmp_path / "a.nrrd", head + members)).pixels, GREY)


@pytest.mark.parametrize("tail", [b"\n" * 20, b"x" * 20])
def test_a_stream_that_ends_early_is_refused_whatever_follows(tail: bytes, tmp_path: Path) -> None:
    whole = nrrd(GREY, "domain domain list", compress=True)
    head = whole[: whole.index(b"\n\n") + 2]
    short = write(tmp_path / "a.nrrd", head + gzip.compress(GREY.tobytes()[:5000]) + tail)
    with pytest.raises(ClipError, match="cannot be decoded"):
        read_clip(short)
