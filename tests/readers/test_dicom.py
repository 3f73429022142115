"""DICOM cines in every transfer syntax, against the pixels that were written into them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clip_files import (
    BIG,
    DEFLATED,
    EXPLICIT,
    H264,
    HEVC,
    IMPLICIT,
    J2K,
    JPEG,
    JPEG_LS,
    LOSSLESS,
    MPEG2,
    colour_clip,
    compressed,
    dicom,
    grey_clip,
    jpeg,
    luma,
    region,
    rle,
    save,
    video_bytes,
    video_dicom,
)
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from echo_keypoints.errors import ClipError
from echo_keypoints.readers import open_clip, read_clip

GREY, COLOUR = grey_clip(), colour_clip()


def pixels(data: Dataset, folder: Path) -> np.ndarray:
    return read_clip(save(data, folder / "clip.dcm")).pixels


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, DEFLATED, BIG])
def test_uncompressed_grey_is_exact(syntax: str, tmp_path: Path) -> None:
    np.testing.assert_array_equal(pixels(dicom(GREY, syntax), tmp_path), GREY)


@pytest.mark.parametrize("syntax", sorted(LOSSLESS))
def test_lossless_grey_is_exact(syntax: str, tmp_path: Path) -> None:
    np.testing.assert_array_equal(pixels(compressed(GREY, syntax, LOSSLESS[syntax]), tmp_path), GREY)


def test_rle_is_exact(tmp_path: Path) -> None:
    np.testing.assert_array_equal(pixels(rle(GREY), tmp_path), GREY)
    np.testing.assert_allclose(pixels(rle(COLOUR), tmp_path), luma(COLOUR), atol=0.51)


def test_rgb_becomes_rec_601_luma(tmp_path: Path) -> None:
    expected = luma(COLOUR)
    np.testing.assert_allclose(pixels(dicom(COLOUR), tmp_path), expected, atol=0.51)
    planes = np.ascontiguousarray(np.moveaxis(COLOUR, -1, 1))
    planar = dicom(COLOUR, PlanarConfiguration=1)
    planar.PixelData = planes.tobytes()
    np.testing.assert_allclose(pixels(planar, tmp_path), expected, atol=0.51)


def test_j2k_undoes_its_own_colour_transform(tmp_path: Path) -> None:
    data = compressed(COLOUR, J2K, LOSSLESS[J2K], PhotometricInterpretation="YBR_RCT")
    np.testing.assert_allclose(pixels(data, tmp_path), luma(COLOUR), atol=0.51)


@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "YBR_FULL", "RGB"])
def test_marked_jpeg_is_ycbcr_whatever_its_header_says(photometric: str, tmp_path: Path) -> None:
    data = compressed(COLOUR, JPEG, jpeg, PhotometricInterpretation=photometric)
    assert np.abs(pixels(data, tmp_path) - luma(COLOUR)).mean() < 2


def test_unmarked_jpeg_is_what_its_header_says(tmp_path: Path) -> None:
    def unmarked(frame: np.ndarray) -> bytes:
        # Grey in all channels, then stored as if YCbCr were RGB: only the marker could tell.
        stream = jpeg(frame)
        assert stream[2:4] == b"\xff\xe0"
        return stream[:2] + stream[4 + int.from_bytes(stream[4:6], "big") :]

    data = compressed(COLOUR, JPEG, unmarked, PhotometricInterpretation="RGB")
    read = pixels(data, tmp_path)
    # The three stored channels are Y, Cb and Cr of the truth: of a grey pixel (g, 128, 128).
    expected = 0.299 * GREY[0, 40:, 40:] + (0.587 + 0.114) * 128
    assert np.abs(read[0, 40:, 40:] - expected).mean() < 2


def test_luma_chroma_gives_its_first_channel(tmp_path: Path) -> None:
    ybr = np.stack([GREY, np.full_like(GREY, 90), np.full_like(GREY, 160)], axis=-1)
    full = dicom(ybr, PhotometricInterpretation="YBR_FULL")
    np.testing.assert_array_equal(pixels(full, tmp_path), GREY)
    pairs = ybr.reshape(*GREY.shape[:2], -1, 2, 3)
    halved = np.concatenate([pairs[..., 0], pairs[..., :1, 1], pairs[..., :1, 2]], axis=-1)
    subsampled = dicom(ybr, PhotometricInterpretation="YBR_FULL_422")
    subsampled.PixelData = np.ascontiguousarray(halved).tobytes()
    np.testing.assert_array_equal(pixels(subsampled, tmp_path), GREY)


def test_big_endian_words_swap_their_bytes(tmp_path: Path) -> None:
    data = dicom(GREY, BIG)
    data.PixelData = GREY.view(np.uint16).byteswap().tobytes()
    data["PixelData"].VR = "OW"
    np.testing.assert_array_equal(pixels(data, tmp_path), GREY)


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    data = dicom(255 - GREY, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(pixels(data, tmp_path), GREY)


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
def test_twelve_bits_scale_by_the_stored_range(syntax: str, tmp_path: Path) -> None:
    deep = GREY.astype(np.uint16) * 16
    data = dicom(deep, syntax, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(pixels(data, tmp_path), np.rint(deep * (255 / 4095)).astype(np.uint8))


def test_sixteen_bits_scale_by_the_window_of_the_file(tmp_path: Path) -> None:
    data = dicom(GREY.astype(np.uint16) + 1000, WindowCenter=1128, WindowWidth=256)
    np.testing.assert_array_equal(pixels(data, tmp_path), GREY)


def test_palette(tmp_path: Path) -> None:
    ramp = np.arange(256, dtype=np.uint16) * 257
    data = dicom(GREY, PhotometricInterpretation="PALETTE COLOR")
    for colour, table in {"Red": ramp, "Green": ramp[::-1], "Blue": ramp // 2}.items():
        setattr(data, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(data, f"{colour}PaletteColorLookupTableData", table.tobytes())
    expected = luma(np.stack([GREY, 255 - GREY, GREY // 2], axis=-1))
    np.testing.assert_allclose(pixels(data, tmp_path), expected, atol=1.01)


@pytest.mark.parametrize(
    ("syntax", "container", "codec", "options"),
    [
        (MPEG2, "mpeg2video", "mpeg2video", {"bit_rate": 2_000_000}),
        (H264, "h264", "libx264", {"pix_fmt": "yuv420p"}),
        (H264, "mp4", "libx264", {"pix_fmt": "yuv420p"}),
        (HEVC, "hevc", "libx265", {"pix_fmt": "yuv420p"}),
    ],
)
def test_video_inside_dicom(syntax: str, container: str, codec: str, options: dict, tmp_path: Path) -> None:
    video = grey_clip(10, 128, 160)
    data = video_dicom(video, syntax, video_bytes(video, container, codec, **options))
    clip = read_clip(save(data, tmp_path / "clip.dcm"))
    assert clip.header.times_source == "FrameTime"
    assert np.abs(clip.pixels.astype(int) - video).mean() < 3


def test_frames_of_several_fragments_are_joined(tmp_path: Path) -> None:
    streams = [LOSSLESS[J2K](frame) for frame in GREY]
    streams = [stream + b"\0" * (len(stream) % 2) for stream in streams]
    for with_table in (True, False):
        data = compressed(GREY, J2K, LOSSLESS[J2K])
        data.PixelData = encapsulate(streams, fragments_per_frame=3, has_bot=with_table)
        np.testing.assert_array_equal(pixels(data, tmp_path), GREY)


def test_files_without_preamble(tmp_path: Path) -> None:
    path = save(dicom(GREY, IMPLICIT), tmp_path / "clip")
    content = path.read_bytes()
    for start in (132, content.index(b"\x08\x00\x16\x00")):
        path.write_bytes(content[start:])
        np.testing.assert_array_equal(read_clip(path).pixels, GREY)


def test_name_does_not_matter(tmp_path: Path) -> None:
    path = save(dicom(GREY), tmp_path / "clip.mp4")
    np.testing.assert_array_equal(read_clip(path).pixels, GREY)


def test_header_facts_hold_no_patient_data(tmp_path: Path) -> None:
    data = dicom(
        GREY,
        Manufacturer="Maker",
        ManufacturerModelName="Model",
        HeartRate=72,
        RWaveTimeVector=[48.0, 900.0],
        ImageType=["ORIGINAL", "PRIMARY", "", "0001"],
        SequenceOfUltrasoundRegions=[region()],
    )
    header = open_clip(save(data, tmp_path / "clip.dcm")).header
    assert header.metadata == {
        "format": "DICOM",
        "transfer_syntax": "Explicit VR Little Endian",
        "manufacturer": "Maker",
        "model": "Model",
        "photometric_interpretation": "MONOCHROME2",
        "region_count": 1,
        "colour": False,
        "heart_rate_bpm": 72.0,
        "image_type_modes": "0001",
        "r_wave_times_s": [0.048, 0.9],
        "r_wave_source": "RWaveTimeVector",
        "times_known": True,
    }
    assert (header.source, header.spacing_mm, header.scan_region) == ("clip.dcm", (0.5, 0.5), (4, 2, 60, 42))
    assert "SECRET" not in repr(header).upper()


def test_colour_doppler_is_read_with_a_warning(tmp_path: Path) -> None:
    for data in (dicom(COLOUR), dicom(GREY, ImageType=["ORIGINAL", "PRIMARY", "", "0011"])):
        header = open_clip(save(data, tmp_path / "clip.dcm")).header
        assert header.metadata["colour"] and "contains colour Doppler" in header.warnings[0]
    tinted = np.stack([GREY // 2, GREY // 2, GREY], axis=-1)
    assert not open_clip(save(dicom(tinted), tmp_path / "clip.dcm")).header.metadata["colour"]


def m_mode() -> Dataset:
    return region(RegionSpatialFormat=2, PhysicalUnitsXDirection=4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Modality": "CT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "not ultrasound but CT"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.2"}, "3-D"),
        ({"SOPClassUID": "1.2.840.10008.1.3.10"}, "DICOMDIR"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "", "0003"]}, "M-mode"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "", "0009"]}, "spectral Doppler"),
        ({"SequenceOfUltrasoundRegions": [m_mode()]}, "M-mode"),
        (
            {"SequenceOfUltrasoundRegions": [region(RegionSpatialFormat=3, RegionDataType=3)]},
            "spectral Doppler",
        ),
        ({"NumberOfFrames": 1}, "still"),
        ({"NumberOfFrames": 10_000_000}, "more than this software reads"),
        ({"NumberOfFrames": 60_000}, "promises 60000 frames"),
        ({"Rows": 65535, "Columns": 65535}, "more than this software reads"),
        ({"Rows": 8, "Columns": 8}, "too small"),
        ({"PhotometricInterpretation": "CMYK"}, "unusual"),
        ({"BitsAllocated": 32}, "unusual"),
    ],
)
def test_refusals_say_why(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = save(dicom(GREY, **change), tmp_path / "study.dcm")
    with pytest.raises(ClipError) as refusal:
        read_clip(path)
    message = str(refusal.value)
    assert words in message and "study.dcm" in message
    assert message.endswith(".") and "\n" not in message and str(tmp_path) not in message


def test_screen_exports_are_read_with_a_warning(tmp_path: Path) -> None:
    data = dicom(GREY, SOPClassUID="1.2.840.10008.5.1.4.1.1.7.2", Modality="OT")
    assert "screen export" in open_clip(save(data, tmp_path / "clip.dcm")).header.warnings[0]


def test_report_without_pixels_is_refused_by_its_name(tmp_path: Path) -> None:
    data = dicom(GREY, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", Modality="SR")
    del data.PixelData
    with pytest.raises(ClipError, match="without an image \\(Comprehensive SR Storage\\)"):
        open_clip(save(data, tmp_path / "report.dcm"))


def test_unknown_transfer_syntax_is_named(tmp_path: Path) -> None:
    data = compressed(GREY, H264, LOSSLESS[J2K])
    path = save(data, tmp_path / "clip.dcm")
    path.write_bytes(path.read_bytes().replace(H264.encode(), b"1.2.840.10008.1.2.4.999"))
    with pytest.raises(ClipError, match="transfer syntax"):
        open_clip(path)


def enlarged(encode: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    return lambda frame: encode(np.pad(frame, ((0, 5000), (0, 5000))))


@pytest.mark.parametrize("syntax", [JPEG, JPEG_LS, J2K])
def test_code_stream_of_another_size_is_refused_before_it_is_decoded(syntax: str, tmp_path: Path) -> None:
    encode = enlarged(jpeg if syntax == JPEG else LOSSLESS[syntax])
    with pytest.raises(ClipError, match="as its header says"):
        open_clip(save(compressed(GREY[:2], syntax, encode), tmp_path / "clip.dcm"))


def test_deflated_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(dicom(np.zeros((40, 256, 256), np.uint8), DEFLATED), tmp_path / "bomb.dcm")
    monkeypatch.setattr("echo_keypoints.readers.dicom_file.MAX_WHOLE_FILE_BYTES", 2**20)
    monkeypatch.setattr("echo_keypoints.readers.limits.MAX_WHOLE_FILE_BYTES", 2**20)
    with pytest.raises(ClipError, match="limit of 1 MiB"):
        open_clip(path)


def test_damaged_frame_in_the_middle_names_itself(tmp_path: Path) -> None:
    data = compressed(GREY, JPEG, jpeg)
    streams = [jpeg(frame) for frame in GREY]
    streams[3] = streams[3][:300]
    data.PixelData = encapsulate(streams)
    source = open_clip(save(data, tmp_path / "clip.dcm"))
    frames = source.frames()
    assert sum(1 for _ in zip(range(3), frames, strict=False)) == 3
    with pytest.raises(ClipError, match=r"frame 4 of clip\.dcm"):
        next(frames)


def test_a_scale_made_for_another_size_than_the_videos_is_not_used(tmp_path: Path) -> None:
    video = grey_clip(10, 128, 160)
    stream = video_bytes(video, "mp4", "libx264", pix_fmt="yuv420p")
    for shown, known in ((video, True), (video[:, ::2, ::2], False)):
        data = video_dicom(shown, H264, stream, SequenceOfUltrasoundRegions=[region()])
        header = open_clip(save(data, tmp_path / "clip.dcm")).header
        assert (header.height, header.width) == (128, 160)
        assert (header.spacing_mm is not None) == known
        assert any("160 x 128" in warning for warning in header.warnings) != known


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("rate", [b"  ", b"60\\62 ", b"N/A ", b"72 bpm"])
def test_an_odd_heart_rate_is_none(rate: bytes, tmp_path: Path) -> None:
    path = save(dicom(GREY, EXPLICIT, HeartRate=99), tmp_path / "a.dcm")
    content = path.read_bytes()
    written = b"\x18\x00\x88\x10IS\x02\x0099"
    assert written in content
    path.write_bytes(content.replace(written, b"\x18\x00\x88\x10IS" + len(rate).to_bytes(2, "little") + rate))
    assert "heart_rate_bpm" not in read_clip(path).header.metadata
