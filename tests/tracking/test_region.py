import json

import numpy as np
import pytest

from echo_keypoints.clip import ClipHeader
from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.readers import read_clip
from echo_keypoints.tracking.region import REGION_FRAMES, scan_region


def header(height, width, region=None):
    return ClipHeader("x", 20, height, width, np.arange(20.0), "test", scan_region=region)


def screen(seed=0, frames=20, height=300, width=400):
    """A fan of speckle with apex (200, 40), radius 220; text, a scale and the sweeping cursor of an ECG."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    radius, angle = np.hypot(x - 200, y - 40), np.arctan2(x - 200, y - 40)
    fan = (radius < 220) & (np.abs(angle) < 0.7)
    clip = np.zeros((frames, height, width), np.uint8)
    clip[:, fan] = rng.integers(20, 200, (frames, fan.sum()), dtype=np.uint8)
    clip[:, 20:40, 10:80] = 255
    clip[:, ::10, 390:395] = 255
    for i in range(frames):
        clip[i, 262:298, 15 * i : 15 * i + 6] = 220
    rows, columns = np.flatnonzero(fan.any(1)), np.flatnonzero(fan.any(0))
    return list(clip), (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


def test_finds_the_fan_and_nothing_else():
    frames, truth = screen()
    np.testing.assert_allclose(scan_region(header(300, 400), frames), truth, atol=8)


def test_a_black_cavity_across_the_fan_does_not_divide_it():
    frames, truth = screen()
    for frame in frames:
        frame[120:170] = 0
    np.testing.assert_allclose(scan_region(header(300, 400), frames), truth, atol=8)


@pytest.mark.parametrize("saturated", [False, True])
def test_a_near_field_that_does_not_change_belongs_to_the_fan(saturated):
    """It is white, or grain that stands still; two phantoms of 104 lost their septum by it."""
    frames, truth = screen()
    near = frames[0][40:140].copy()
    for frame in frames:
        frame[40:140] = np.where(near > 0, 255, 0) if saturated else near
        frame[20:40, 10:80] = frame[40:140, 390:395] = 0  # text and scale stay apart
    np.testing.assert_allclose(scan_region(header(300, 400), frames), truth, atol=8)


def test_a_panel_that_touches_the_fan_does_not_belong_to_it():
    frames, truth = screen()
    for frame in frames:
        frame[:44] = np.maximum(frame[:44], 120)
        frame[:, 350:] = 0
        frame[150:, 350:] = 90
    np.testing.assert_allclose(scan_region(header(300, 400), frames), truth, atol=8)


def test_a_grey_background_is_not_lit():
    frames, truth = screen()
    np.testing.assert_allclose(
        scan_region(header(300, 400), [np.maximum(frame, 45) for frame in frames]), truth, atol=8
    )


def test_is_bounded_by_the_region_of_the_file():
    frames, _ = screen()
    x0, y0, x1, y1 = scan_region(header(300, 400, (150, 0, 400, 200)), frames)
    assert 150 <= x0 < x1 <= 400 and 0 <= y0 < y1 <= 200


def test_still_frames_give_the_region_of_the_file_or_the_whole_frame():
    still = [np.full((300, 400), 80, np.uint8)] * 5
    assert scan_region(header(300, 400), still) == (0, 0, 400, 300)
    assert scan_region(header(300, 400, (10, 20, 300, 250)), still) == (10, 20, 300, 250)


def test_a_region_larger_than_the_image_is_cut_and_one_outside_is_dropped():
    still = [np.zeros((240, 320), np.uint8)] * 2
    assert scan_region(header(240, 320, (84, 31, 596, 415)), still) == (84, 31, 320, 240)
    assert scan_region(header(240, 320, (400, 300, 900, 700)), still) == (0, 0, 320, 240)


def test_two_frames_are_enough():
    frames, truth = screen(frames=2)
    np.testing.assert_allclose(scan_region(header(300, 400), frames), truth, atol=8)


def test_speckle_up_to_the_border_is_kept_whole():
    frames = list(np.random.default_rng(0).integers(0, 255, (6, 97, 131), dtype=np.uint8))
    assert scan_region(header(97, 131), frames) == (0, 0, 131, 97)


def test_real_clips_keep_their_landmarks_with_room_around(shared_data):
    readings = json.loads((shared_data / "plax" / "annotations.json").read_text())
    for name, reading in readings.items():
        clip = read_clip(shared_data / "plax" / name)
        x0, y0, x1, y1 = scan_region(clip.header, list(clip.pixels[:REGION_FRAMES]))
        for frame in reading["frames"].values():
            for reader in ("reader_A", "reader_B"):
                points = np.array(frame[reader]["points"])
                margins = np.concatenate((points - (x0, y0), (x1, y1) - points))
                assert margins.min() > 0.05 * (y1 - y0), name


def test_toshiba_fan_without_the_ecg_and_the_depth_scale(shared_data):
    clip = read_clip(shared_data / "plax" / "toshiba_xario_plax.dcm")
    box = scan_region(clip.header, list(clip.pixels[:REGION_FRAMES]))
    # Read off the screen: the fan spans columns 140..690; of its near field, from row 85 on, little shows.
    assert box == pytest.approx((144, 120, 684, 509), abs=20)


@pytest.mark.parametrize("seed", [8_700_022, 8_700_079])
def test_phantoms_with_a_still_near_field_keep_their_landmarks(seed):
    clip = simulate_clip(seed, frame_count=12)
    x0, y0, x1, y1 = scan_region(ClipHeader("x", 12, 224, 224, clip.times_s, "test"), list(clip.video))
    margins = np.concatenate((clip.points - (x0, y0), (x1 - 1, y1 - 1) - clip.points))
    assert margins.min() > 0
