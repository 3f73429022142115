"""The overlay as H.264 MP4 and as animated GIF."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from echo_keypoints.anatomy import LANDMARKS, SEGMENTS
from echo_keypoints.results import atomic_path

GIF_FRAMES = 150
"""A GIF is a preview: it ends after so many frames, since the format has to be put together in memory."""

_CLOCK = 90_000  # ticks a second, the customary clock of video
_GIF_SIDE = 640
_GIF_STEP = 2  # hundredths of a second; browsers slow down frames that are shown for a shorter time


def write_mp4(
    frames: Iterable[NDArray[np.uint8]],
    times_s: NDArray[np.floating],
    path: Path,
    *,
    threads: int | None = None,
) -> None:
    """Write an H.264 MP4 (yuv420p) that shows every frame at its real time, evenly spaced or not.

    Args:
        frames: ``(H, W, 3)`` uint8 RGB with even H and W, as many as there are times.
        times_s: ``(T,)`` strictly increasing seconds.
        path: file to write.
        threads: CPU threads of the encoder; as many as it likes by default.

    Raises:
        OSError: the folder cannot be written to.
        ValueError: there are fewer frames than times.
    """
    stamps = np.round((times_s - times_s[0]) * _CLOCK).astype(np.int64)
    stamps = np.maximum.accumulate(stamps - np.arange(len(stamps))) + np.arange(
        len(stamps)
    )  # never the same twice
    durations = _durations(stamps, _CLOCK // 25)
    shown_for = dict(zip(stamps.tolist(), durations.tolist(), strict=True))
    with (
        atomic_path(path) as part,
        av.open(str(part), "w", format="mp4", options={"movflags": "faststart"}) as container,
    ):
        stream = container.add_stream("h264", rate=Fraction(_CLOCK, int(np.median(durations))))
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "20", "preset": "veryfast"}
        stream.codec_context.time_base = Fraction(1, _CLOCK)
        stream.codec_context.thread_count = threads or 0
        for picture, stamp in zip(frames, stamps.tolist(), strict=True):
            if not stream.codec_context.is_open:  # the first frame says how large the video is
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = stamp, stream.codec_context.time_base
            for packet in stream.encode(frame):
                packet.duration = shown_for[packet.pts]
                container.mux(packet)
        for packet in stream.encode(None):
            packet.duration = shown_for[packet.pts]
            container.mux(packet)


def write_gif(frames: Iterable[NDArray[np.uint8]], times_s: NDArray[np.floating], path: Path) -> None:
    """Write an endless animated GIF, at most 640 px wide and high, at the real speed.

    Frames that would follow one another faster than a GIF can show them are left out.

    Args:
        frames: ``(H, W, 3)`` uint8 RGB.
        times_s: ``(T,)`` strictly increasing seconds.
        path: file to write.

    Raises:
        OSError: the folder cannot be written to.
    """
    chosen = gif_frames(times_s)
    wanted, palette, pictures = set(chosen), _palette(), list[Image.Image]()
    for index, frame in enumerate(frames):
        if index in wanted:
            image = Image.fromarray(frame)
            image.thumbnail((_GIF_SIDE, _GIF_SIDE), Image.Resampling.LANCZOS)
            pictures.append(image.quantize(palette=palette, dither=Image.Dither.NONE))
        if index >= chosen[-1]:
            break
    durations = (_durations(_gif_ticks(times_s)[chosen], 4) * 10).tolist()  # pillow takes milliseconds
    with atomic_path(path) as part:
        pictures[0].save(
            part, "GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0, disposal=1
        )


def gif_frames(times_s: NDArray[np.floating]) -> list[int]:
    """Choose the frames ``0, …`` that a GIF can show: 20 ms or more apart, the first `GIF_FRAMES` of them."""
    ticks = _gif_ticks(times_s)
    chosen = [0]
    for index in range(1, len(ticks)):
        if len(chosen) == GIF_FRAMES:
            break
        if ticks[index] - ticks[chosen[-1]] >= _GIF_STEP:
            chosen.append(index)
    return chosen


def _palette() -> Image.Image:
    """Give the 256 colours of a GIF: 160 greys, and 16 shades of each colour that the overlay uses.

    The same for all frames, whatever the first one shows.
    """
    colours = [landmark.colour for landmark in LANDMARKS] + [SEGMENTS[0].colour, SEGMENTS[2].colour]
    greys = np.repeat(np.linspace(0, 255, 160)[:, None], 3, axis=1)
    shades = (np.linspace(1 / 16, 1, 16)[:, None, None] * np.array(colours)).reshape(-1, 3)
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate([greys, shades]).round().astype(np.uint8).tobytes())
    return palette


def _gif_ticks(times_s: NDArray[np.floating]) -> NDArray[np.int64]:
    """Give times in the hundredths of a second that a GIF counts in."""
    return np.round((times_s - times_s[0]) * 100).astype(np.int64)


def _durations(stamps: NDArray[np.int64], alone: int) -> NDArray[np.int64]:
    """Give how long each frame is shown; the last one as long as is usual, a single one `alone` ticks."""
    gaps = np.diff(stamps)
    last = int(np.median(gaps)) if len(gaps) else alone
    return np.append(gaps, max(1, last))
