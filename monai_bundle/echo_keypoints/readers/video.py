"""Video files and streams through PyAV: AVI, MP4, MOV, Matroska, MPEG, WMV, and the video inside DICOM.

A video is decoded once when it is opened, keeping nothing: only that tells how many pictures there are and
when each is shown, as containers lie and damaged frames drop out.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from ..clip import ClipSource
from ..errors import ClipError
from .grey import DOPPLER_WARNING, luma, shows_doppler
from .guard import guarded_source
from .header import make_header, unknown_scale
from .limits import MAX_FRAMES, check_size
from .timing import Timing, stamped_timing

VIDEO_SYNTAXES = {
    **{f"1.2.840.10008.1.2.4.{tail}": "mpegvideo" for tail in ("100", "100.1", "101", "101.1")},
    **{
        f"1.2.840.10008.1.2.4.{number}{fragmentable}": "h264"
        for number in range(102, 107)
        for fragmentable in ("", ".1")
    },
    **{f"1.2.840.10008.1.2.4.{number}": "hevc" for number in (107, 108)},
}
"""DICOM transfer syntaxes that hold a video, and the format of a bare stream in each."""

_SQUARE = 0.01
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_LIMITED_TO_FULL = np.clip(np.rint((np.arange(256) - 16.0) * 255 / 219), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class VideoFile:
    """A video on disk, to be opened as `format` whatever its name."""

    path: Path
    format: str

    def open(self) -> BinaryIO:
        """Open a fresh stream."""
        return self.path.open("rb")


@dataclass(frozen=True)
class ByteStream:
    """A video in memory: in a container, or a bare stream of `bare_format`."""

    data: bytes
    bare_format: str

    @property
    def format(self) -> str:
        """The name by which PyAV knows the format."""
        head = self.data[:400]
        if head[4:8] == b"ftyp":
            return "mov"
        if head[:4] == b"\x00\x00\x01\xba":
            return "mpeg"
        return "mpegts" if head[:1] == b"\x47" and head[188:189] == b"\x47" else self.bare_format

    def open(self) -> BinaryIO:
        """Open a fresh stream."""
        return io.BytesIO(self.data)


@dataclass(frozen=True)
class VideoScan:
    """What one pass over a video finds.

    Attributes:
        frame_count, height, width: of its pictures.
        stamps_s: a time stamp a frame.
        codec: its name.
        coloured: whether Doppler colours were seen.
        damaged: packets that could not be decoded.
        pixel_aspect: width of a pixel by its height, as the stream says it is to be shown.
    """

    frame_count: int
    height: int
    width: int
    stamps_s: tuple[float | None, ...]
    codec: str
    coloured: bool
    damaged: int
    pixel_aspect: float


def open_video(path: Path, source: str, container: str) -> ClipSource:
    """Open a video file.

    Args:
        path: the file.
        source: its base name.
        container: FFmpeg's name of its format, as found from its content.

    Raises:
        ClipError: no video in it, too large, or damaged.
    """
    video = VideoFile(path, container)
    scan = scan_video(video, source)
    warnings: tuple[str, ...] = (DOPPLER_WARNING,) if scan.coloured else ()
    if scan.damaged:
        warnings += (f"{scan.damaged} damaged parts of the video were skipped; frames may be missing there.",)
    if abs(scan.pixel_aspect - 1) > _SQUARE:
        warnings += (
            f"The video's pixels are {scan.pixel_aspect:.2f} times as wide as they are high: without a scale, "
            "lengths in pixels that run in different directions do not compare.",
        )
    header = make_header(
        source,
        (scan.frame_count, scan.height, scan.width),
        _timing(scan),
        unknown_scale("video files do not hold one"),
        {"format": container, "codec": scan.codec, "colour": scan.coloured},
        warnings,
    )
    return guarded_source(header, lambda: video_frames(video))


def scan_video(video: VideoFile | ByteStream, source: str) -> VideoScan:
    """Decode a video once to count its frames and read their times.

    Raises:
        ClipError: no video stream, sizes out of bounds, or nothing that can be decoded.
    """
    stamps: list[float | None] = []
    coloured, damaged = False, 0
    with _opened(video) as container:
        stream = _picture_stream(container, source)
        codec = stream.codec_context
        check_size(source, 2, codec.height, codec.width)
        for frame in _decoded(container, stream):
            if frame is None:
                damaged += 1
                continue
            if not stamps:
                height, width = frame.height, frame.width
                aspect = float(stream.sample_aspect_ratio or 1)
            coloured = coloured or (_is_probe(len(stamps)) and shows_doppler(_rgb(frame)))
            stamps.append(frame.time)
            if len(stamps) > MAX_FRAMES:
                break
        name = codec.name
    if not stamps:
        raise ClipError(f"{source} is a video from which no frame can be decoded; export it again.")
    return VideoScan(len(stamps), height, width, tuple(stamps), name, coloured, damaged, aspect)


def video_frames(video: VideoFile | ByteStream) -> Iterator[NDArray[np.uint8]]:
    """Decode a video's frames to ``(H, W)`` uint8 grey, in the order in which they are shown."""
    with _opened(video) as container:
        for frame in _decoded(container, _picture_stream(container, "The video")):
            if frame is not None:
                yield grey_frame(frame)


def grey_frame(frame: VideoFrame) -> NDArray[np.uint8]:
    """Give the luma of a decoded frame in full range: ``(H, W)`` uint8.

    Video stores luma as 16..235 unless it says otherwise: 0..255 = (Y - 16) * 255 / 219, clipped (BT.601).
    """
    kind = frame.format
    if kind.is_rgb or kind.has_palette:
        return luma(_rgb(frame))
    full = kind.name.startswith(("yuvj", "gray")) or frame.color_range == _FULL_RANGE
    if kind.components[0].bits == 8 and kind.is_planar:
        plane = frame.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        stored = rows[: frame.height, : frame.width]
    else:
        stored = frame.reformat(format="yuvj444p" if full else "yuv444p").to_ndarray()[0]
    return np.ascontiguousarray(stored) if full else _LIMITED_TO_FULL[stored]


@contextmanager
def _opened(video: VideoFile | ByteStream) -> Iterator[av.container.InputContainer]:
    """Open a container from a stream, so that nothing in it can make FFmpeg open another file."""
    with video.open() as stream, av.open(stream, mode="r", format=video.format) as container:
        yield container


def _picture_stream(container: av.container.InputContainer, source: str) -> av.VideoStream:
    """Choose the first video stream.

    Raises:
        ClipError: there is none.
    """
    if not container.streams.video:
        raise ClipError(f"{source} holds no video stream; choose the video file of the clip.")
    return container.streams.video[0]


def _decoded(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[VideoFrame | None]:
    """Decode packet by packet; None for each packet that is damaged."""
    stream.thread_type = "AUTO"
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            yield None
            continue
        yield from frames


def _rgb(frame: VideoFrame) -> NDArray[np.uint8]:
    """Convert a frame to ``(H, W, 3)`` uint8 RGB."""
    return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def _is_probe(index: int) -> bool:
    """Look for colour in frames 0, 1, 2, 4, 8, ...: a few, however long the video is."""
    return index & (index - 1) == 0


def _timing(scan: VideoScan) -> Timing:
    return stamped_timing(scan.stamps_s, "container")
