import av
import numpy as np
import pytest
from PIL import Image, ImageSequence

from echo_keypoints.anatomy import LANDMARKS
from echo_keypoints.writers.overlay import OverlayPainter, painted_frames
from echo_keypoints.writers.video import GIF_FRAMES, gif_frames, write_gif, write_mp4
from example_results import TIMES_S, make_clip, make_header, make_result


def flat_frames(count, side=64, step=2):
    return (np.full((side, side, 3), 20 + step * index, np.uint8) for index in range(count))


def decode(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
        frames = list(container.decode(stream))
    return np.stack([frame.to_ndarray(format="rgb24") for frame in frames]), [frame.time for frame in frames]


def test_mp4_shows_each_frame_at_its_time(tmp_path):
    write_mp4(flat_frames(5), TIMES_S, tmp_path / "a.mp4")
    pixels, times = decode(tmp_path / "a.mp4")
    assert pixels.shape == (5, 64, 64, 3)
    np.testing.assert_allclose(times, TIMES_S, atol=1e-4)
    np.testing.assert_allclose(pixels.mean(axis=(1, 2, 3)), 20 + 2 * np.arange(5), atol=2)
    with av.open(str(tmp_path / "a.mp4")) as container:  # the last frame is shown for a median step
        assert container.duration / av.time_base == pytest.approx(TIMES_S[-1] + 0.0367, abs=0.003)


def test_a_fast_clip_keeps_all_its_frames(tmp_path):
    times = np.arange(60) / 412.7
    write_mp4(flat_frames(60), times, tmp_path / "a.mp4")
    pixels, shown = decode(tmp_path / "a.mp4")
    assert len(pixels) == 60
    np.testing.assert_allclose(shown, times, atol=1e-4)


def test_a_failing_clip_leaves_no_file(tmp_path):
    with pytest.raises(ValueError):
        write_mp4(flat_frames(3), TIMES_S, tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


def test_gif_keeps_the_speed(tmp_path):
    write_gif(flat_frames(5, 700, step=20), TIMES_S, tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as image:
        durations = [frame.info["duration"] for frame in ImageSequence.Iterator(image)]
        assert image.size == (640, 640) and image.info["loop"] == 0
    assert durations[:4] == [30, 40, 30, 50]  # ms, in the hundredths of a second of the format
    with av.open(str(tmp_path / "a.gif")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 5


def test_gif_drops_frames_that_are_too_fast_and_ends_in_time(tmp_path):
    assert gif_frames(np.arange(12) / 100) == [0, 2, 4, 6, 8, 10]
    assert gif_frames(np.arange(10_000) / 25) == list(range(GIF_FRAMES))
    assert gif_frames(np.arange(100) / 1000) == [0, 15, 35, 55, 75, 95]
    write_gif(flat_frames(100), np.arange(100) / 1000, tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 6


@pytest.mark.parametrize(("height", "width"), [(120, 128), (1016, 1024), (601, 333)])
def test_landmarks_are_drawn_where_they_are(tmp_path, height, width):
    """Looked at in the decoded video: the colour of each disc is that of its landmark."""
    header = make_header(height=height, width=width)
    points = make_result().points_px * (width / 128, height / 120)
    result = make_result(clip=header, points_px=points)
    write_mp4(painted_frames(result, make_clip(header).as_source()), TIMES_S, tmp_path / "overlay.mp4")
    pixels, _ = decode(tmp_path / "overlay.mp4")
    painter = OverlayPainter(result)
    assert pixels.shape[1:3] == painter.size[::-1] and not any(side % 2 for side in painter.size)
    assert min(pixels.shape[1:3]) >= 333
    for frame in range(5):
        for landmark, point in zip(LANDMARKS, points[frame], strict=True):
            x, y = np.rint((point + 0.5) * painter.scale - 0.5).astype(int)
            shown = pixels[frame, y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1))
            np.testing.assert_allclose(shown, landmark.colour, atol=40)
