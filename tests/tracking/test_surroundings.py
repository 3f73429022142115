import numpy as np
import pytest

from echo_keypoints.tracking.surroundings import surroundings

POINTS = np.array([[112, 50], [112, 70], [112, 150], [112, 170]], float)


def clip(valve_at=None):
    """Bright walls above and below a dark cavity; something beats at a column, if told."""
    y, x = np.mgrid[:224, :224]
    frame = np.where((y > 50) & (y < 70) | (y > 150) & (y < 170), 200, 20)
    video = np.repeat(frame[None], 12, axis=0)
    if valve_at is not None:
        video[::2] += np.where((np.abs(x - valve_at) < 20) & (np.abs(y - 110) < 20), 100, 0)
    return video.astype(np.uint8)


def look(video, points=POINTS):
    return surroundings(lambda a, b: video[a:b], np.repeat(points[None], len(video), axis=0))


def test_valves_are_seen_on_their_side():
    right, left, none = look(clip(170)), look(clip(50)), look(clip())
    assert right["valves"] > 1 and left["valves"] < -1 and none["valves"] == 0
    assert none["contrast"] == pytest.approx(180 / 220, abs=0.02)


def test_a_flat_picture_has_neither():
    assert look(np.full((3, 224, 224), 90, np.uint8)) == {"contrast": 0.0, "valves": 0.0}


def test_points_that_are_lost_or_outside():
    assert look(clip(), np.full((4, 2), np.nan)) == {}
    assert look(clip(), np.zeros((4, 2))) == {}
    assert look(clip()[:2]) == {}
    assert set(look(clip(), POINTS + 500)) == {"contrast", "valves"}
