import numpy as np
import pytest

from echo_keypoints.readers import open_clip
from echo_keypoints.tracking import load_backend, track_clip
from echo_keypoints.tracking.corroboration import corroborated
from echo_keypoints.tracking.placement import Placement
from echo_keypoints.tracking.track import Tracking

FRAMES = 60
TIMES_S = np.arange(FRAMES) / 50
WALL = np.array([[10.0, 20], [12, 40], [15, 90], [16, 110]]) + np.zeros((FRAMES, 1, 1))
CLEAR = np.ones((FRAMES, 4))
UNKNOWN = np.zeros((FRAMES, 4), bool)


def left_the_wall():
    """Tracks, of which the second point leaves the wall by 10 px in the last 20 frames; PlaceNet sees the wall."""
    points = WALL.copy()
    points[40:, 1, 1] += 10
    return Placement(points, WALL.copy(), np.full((FRAMES, 4), 5.0))


def test_a_track_that_left_the_wall_returns_where_both_see_it():
    found = corroborated(left_the_wall(), WALL, CLEAR, UNKNOWN, TIMES_S)
    assert np.abs(found.points[52:] - WALL[52:]).max() < 0.7
    assert np.abs(found.points[:36] - WALL[:36]).max() < 0.1


def test_it_goes_no_further_than_placenet_sees():
    detected = WALL.copy()
    detected[:, 1, 1] -= 6  # beyond the wall
    found = corroborated(left_the_wall(), detected, CLEAR, UNKNOWN, TIMES_S)
    np.testing.assert_allclose(found.points[50:], WALL[50:], atol=1e-9)


@pytest.mark.parametrize("away", [(0.0, 6.0), (6.0, 0.0)], ids=["the other way", "to the side"])
def test_witnesses_that_contradict_each_other_move_nothing(away):
    track = left_the_wall()
    found = corroborated(track, track.points + away, CLEAR, UNKNOWN, TIMES_S)
    np.testing.assert_allclose(found.points, track.points, atol=1e-9)


def test_what_is_seen_and_doubted_stays():
    track = left_the_wall()
    found = corroborated(track, WALL, CLEAR, UNKNOWN, TIMES_S)
    assert found.seen is track.seen and found.doubt_px is track.doubt_px


def test_a_person_overrules_both():
    """Both see the landmark 6 px away from where a person set it: there it stays, and so do its neighbours."""
    track = Placement(WALL + 6.0, WALL, np.full((FRAMES, 4), 5.0))
    known = UNKNOWN.copy()
    known[10, :3] = True
    found = corroborated(track, WALL, CLEAR, known, TIMES_S)
    np.testing.assert_allclose(found.points[:, :3], WALL[:, :3] + 6.0, atol=0.1)
    np.testing.assert_allclose(found.points[:, 3], WALL[:, 3], atol=1.0)  # of this one nothing is known


def test_a_track_that_leaves_what_a_person_set_returns_to_it():
    """Detections lie 5 px off throughout, also where the person set the point: that much is taken off elsewhere."""
    track = left_the_wall()
    known = UNKNOWN.copy()
    known[10] = True
    found = corroborated(track, WALL - [0, 5.0], CLEAR, known, TIMES_S)
    assert np.abs(found.points - WALL)[52:].max() < 1.0 and np.abs(found.points - WALL)[:36].max() < 0.5


@pytest.fixture(scope="module")
def echocv_tracks(shared_data) -> Tracking:
    clip = open_clip(shared_data / "plax" / "echocv_philips_plax.dcm")
    return track_clip(clip, load_backend("onnx"))


@pytest.mark.parametrize(
    ("frame", "septum", "leaflet"), [(62, (459, 257), (459, 281)), (66, (468, 252), (468, 280))]
)
def test_a_real_septum_is_told_from_the_leaflet_that_lay_on_it(
    echocv_tracks: Tracking, frame: int, septum: tuple[float, float], leaflet: tuple[float, float]
):
    """The borders were read from the enlarged frames by eye; SEnP once stayed on the leaflet when it fell back."""
    found = echocv_tracks.points_px[frame, 1]
    to_septum, to_leaflet = (np.linalg.norm(found - border) for border in (septum, leaflet))
    assert to_septum < 10 and to_septum < to_leaflet / 2  # 10 px are 3.7 at 224
