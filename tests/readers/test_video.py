"""Videos against the pictures that were encoded into them and against FFmpeg's own RGB."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clip_files import colour_clip, grey_clip, luma, video_bytes

from echo_keypoints.errors import ClipError
from echo_keypoints.readers import open_clip, read_clip

GREY = grey_clip(10, 64, 96)


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("avi", "mjpeg", {"pix_fmt": "yuvj420p"}),
        ("avi", "rawvideo", {"pix_fmt": "bgr24"}),
        ("avi", "ffv1", {"pix_fmt": "gray"}),
        ("mp4", "libx264", {"pix_fmt": "yuv420p"}),
        ("mp4", "libx264", {"pix_fmt": "yuv420p10le"}),
        ("mov", "mpeg4", {}),
        ("mov", "png", {"pix_fmt": "rgb24"}),
        ("matroska", "ffv1", {"pix_fmt": "yuv420p"}),
        ("mpeg", "mpeg2video", {"bit_rate": 2_000_000}),
        ("mpegts", "libx264", {"pix_fmt": "yuv420p"}),
        ("asf", "wmv2", {"bit_rate": 2_000_000}),
    ],
)
def test_grey_is_that_of_the_picture_in_full_range(
    container: str, codec: str, options: dict, tmp_path: Path
) -> None:
    (tmp_path / "clip").write_bytes(video_bytes(GREY, container, codec, **options))
    clip = read_clip(tmp_path / "clip")
    assert clip.pixels.shape == GREY.shape
    assert np.abs(clip.pixels.astype(int) - GREY).mean() < 2
    # Limited-range luma left as it is would have a slope of 219 / 255 = 0.86.
    slope, _ = np.polyfit(GREY.ravel(), clip.pixels.ravel(), 1)
    assert slope == pytest.approx(1, abs=0.03)


def test_times_are_those_of_the_container(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=1000)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for stamp, picture in zip((100, 133, 166, 200, 266), GREY, strict=False):
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
            frame.pts = stamp
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    header = open_clip(path).header
    np.testing.assert_allclose(header.frame_times_s, [0, 0.033, 0.066, 0.1, 0.166], atol=1e-4)
    assert (header.times_source, header.spacing_mm) == ("container", None)
    assert "in pixels" in header.warnings[-1]


def test_colour_is_found_and_grey_is_luma(tmp_path: Path) -> None:
    colour = colour_clip(5, 64, 96)
    (tmp_path / "clip.avi").write_bytes(video_bytes(colour, "avi", "rawvideo", pix_fmt="bgr24"))
    clip = read_clip(tmp_path / "clip.avi")
    np.testing.assert_allclose(clip.pixels, luma(colour), atol=0.51)
    assert "contains colour Doppler" in clip.header.warnings[0]
    (tmp_path / "grey.mp4").write_bytes(video_bytes(GREY, "mp4", "libx264", pix_fmt="yuv420p"))
    assert not open_clip(tmp_path / "grey.mp4").header.metadata["colour"]


def test_frames_can_be_read_again_and_again(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(video_bytes(GREY, "mp4", "libx264", pix_fmt="yuv420p"))
    source = open_clip(tmp_path / "clip.mp4")
    first, second = np.stack(list(source.frames())), np.stack(list(source.frames()))
    np.testing.assert_array_equal(first, second)


def test_damaged_middle_is_skipped_with_a_warning(tmp_path: Path) -> None:
    content = bytearray(video_bytes(GREY, "avi", "mjpeg", pix_fmt="yuvj420p"))
    starts = [index for index in range(len(content)) if content[index : index + 3] == b"\xff\xd8\xff"]
    body = slice(starts[4], starts[5] - 8)  # up to the header of the next chunk: sizes hang on the encoder
    content[body] = bytes(body.stop - body.start)
    (tmp_path / "clip.avi").write_bytes(content)
    clip = read_clip(tmp_path / "clip.avi")
    assert len(clip.pixels) == 9
    assert "damaged" in clip.header.warnings[0]
    np.testing.assert_allclose(np.diff(clip.header.frame_times_s)[[2, 3, 4]], [0.04, 0.08, 0.04], atol=1e-6)


def test_sound_and_stills_are_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as output:
        stream = output.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    with pytest.raises(ClipError, match="no video stream"):
        open_clip(tmp_path / "sound.mp4")
    (tmp_path / "one.avi").write_bytes(video_bytes(GREY[:1], "avi", "mjpeg", pix_fmt="yuvj420p"))
    with pytest.raises(ClipError, match="still"):
        open_clip(tmp_path / "one.avi")


def test_pixels_that_are_not_square_are_told(tmp_path: Path) -> None:
    for aspect, told in ((None, False), (Fraction(64, 45), True)):
        path = tmp_path / "clip.mp4"
        with av.open(str(path), "w") as output:
            stream = output.add_stream("libx264", rate=25)
            stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
            if aspect:
                stream.codec_context.sample_aspect_ratio = aspect
            for picture in GREY:
                output.mux(
                    stream.encode(
                        av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
                    )
                )
            output.mux(stream.encode())
        warnings = open_clip(path).header.warnings
        assert any("1.42 times as wide" in warning for warning in warnings) == told
