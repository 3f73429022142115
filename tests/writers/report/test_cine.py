import io

import numpy as np
import pytest
from PIL import Image

from echo_keypoints.clip import ClipSource
from echo_keypoints.writers.report.cine import CINE_BYTES, read_cine
from example_results import make_clip, make_header, make_result


def test_all_frames_of_the_sample_are_there_and_cut_to_the_image(report, phantom):
    cine = report.cine
    assert list(cine.frames) == list(range(60)) and cine.step == 1
    x0, y0, x1, y1 = cine.view.box
    assert (x1 - x0) * (y1 - y0) < 0.85 * 448 * 448
    with Image.open(io.BytesIO(cine.frames[17])) as picture:
        difference = np.asarray(picture).astype(float) - phantom.pixels[17, y0:y1, x0:x1]
    assert np.abs(difference).mean() < 3


def test_points_are_placed_on_the_picture():
    """Pixel centres of the clip, at integers, lie half a pixel inside of the picture's pixels."""
    result = make_result(points_px=np.tile([[20.0, 30], [40, 40], [60, 80], [100, 110]], (5, 1, 1)))
    view = read_cine(result, make_clip().as_source()).view
    x0, y0, x1, y1 = view.box
    assert view.width == x1 - x0 and view.height == round((y1 - y0) * 0.5 / 0.4)  # pixels of 0.4 x 0.5 mm
    np.testing.assert_allclose(view.place(np.array([x0, y0])), [0.5, 0.5 * view.height / (y1 - y0)])


def test_landmarks_outside_of_the_moving_part_are_in_the_picture():
    result = make_result(points_px=np.tile([[0.0, 0], [40, 40], [60, 80], [127, 119]], (5, 1, 1)))
    assert read_cine(result, make_clip().as_source()).view.box == (0, 0, 128, 120)


def test_long_clips_are_thinned_and_keep_what_was_measured():
    count = 3001
    header = make_header(
        frame_count=count, height=240, width=320, frame_times_s=np.arange(count) / 50, scan_region=None
    )
    noise = np.random.default_rng(0).integers(0, 256, (8, 240, 320), dtype=np.uint8)
    source = ClipSource(header, lambda: (noise[index % 8] for index in range(count)))
    cine = read_cine(make_result(clip=header), source, keep=[777])
    kept = sorted(set(cine.frames) - {777})
    assert set(np.diff(kept)) == {cine.step} and cine.step in (32, 64, 128) and 777 in cine.frames
    assert CINE_BYTES / 3 < sum(map(len, cine.frames.values())) <= CINE_BYTES
    assert cine.nearest(778) == 777 and cine.nearest(0) == 0


def test_of_what_should_be_kept_the_first_that_fit_are():
    count = 3001
    header = make_header(
        frame_count=count, height=240, width=320, frame_times_s=np.arange(count) / 50, scan_region=None
    )
    noise = np.random.default_rng(0).integers(0, 256, (8, 240, 320), dtype=np.uint8)
    source = ClipSource(header, lambda: (noise[index % 8] for index in range(count)))
    wanted = [2000, 2020, *range(2001, 2900)]
    cine = read_cine(make_result(clip=header), source, keep=wanted)
    found = [frame for frame in wanted if frame in cine.frames]
    kept = [frame for frame in found if frame % cine.step]
    assert kept[:4] == [2000, 2020, 2001, 2002] and 20 < len(kept) < 200
    assert sum(map(len, cine.frames.values())) <= CINE_BYTES


@pytest.mark.parametrize("count", [64, 200])
def test_noise_of_a_large_screen_still_fits(count):
    """The worst case for JPEG: nothing but noise."""
    header = make_header(
        frame_count=count, height=600, width=800, frame_times_s=np.arange(count) / 50, scan_region=None
    )
    noise = np.random.default_rng(0).integers(0, 256, (4, 600, 800), dtype=np.uint8)
    source = ClipSource(header, lambda: (noise[index % 4] for index in range(count)))
    cine = read_cine(make_result(clip=header), source)
    assert sum(map(len, cine.frames.values())) <= CINE_BYTES and max(cine.view.width, cine.view.height) == 720
