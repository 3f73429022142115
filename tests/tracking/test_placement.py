"""The shipped PlaceNet on tracks that miss the landmarks of fresh phantoms in a known way."""

import numpy as np
import pytest

from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.tracking import load_backend
from echo_keypoints.tracking.backends.base import Sighting
from echo_keypoints.tracking.placement import MISSES, TAUGHT_MISSES, placed
from echo_keypoints.tracking.steady import SteadyView

SEEDS = range(9_400_000, 9_400_006)
NOTHING = np.zeros((30, 4), bool)


@pytest.fixture(scope="module")
def backend():
    return load_backend("onnx", threads=1)


@pytest.fixture(scope="module")
def clips():
    return [simulate_clip(seed, frame_count=30, fps=40, style="acoustic") for seed in SEEDS]


def lvid_error(points, truth):
    lengths = [np.linalg.norm(p[:, 2] - p[:, 1], axis=-1) for p in (points, truth)]
    return np.abs(lengths[0] / lengths[1] - 1).mean()


def moved(backend, clip, track, known=NOTHING):
    return placed(backend, lambda a, b: clip.video[a:b], track, known, clip.times_s).points


def test_a_track_beside_the_walls_comes_back(backend, clips):
    before, after = [], []
    for clip in clips:
        truth = clip.points.astype(float)
        view = SteadyView.of(truth)
        track = view.to_frames(view.places + np.array([[0, 0.03], [0, 0.05], [0, -0.05], [0, -0.03]]))
        before.append(lvid_error(track, truth))
        after.append(lvid_error(moved(backend, clip, track), truth))
    assert np.mean(after) < 0.4 * np.mean(before)


def test_a_track_that_falls_short_of_the_motion_catches_up_with_it(backend, clips):
    before, after = [], []
    for clip in clips:
        truth = clip.points.astype(float)
        known = NOTHING.copy()
        known[0] = True  # as from a person's points
        track = truth[0] + 0.7 * (truth - truth[0])
        found = moved(backend, clip, track, known)
        np.testing.assert_allclose(found[0], truth[0], atol=1e-9)
        before.append(lvid_error(track, truth))
        after.append(lvid_error(found, truth))
    assert np.mean(after) < 0.7 * np.mean(before)


def test_each_landmark_is_taken_as_its_reader_sees_it(backend, clips):
    clip = clips[0]
    track = clip.points + np.array([0.0, 2.0])
    known = NOTHING.copy()
    known[[5, 20], 1] = True
    free, held = moved(backend, clip, track), moved(backend, clip, track, known)
    np.testing.assert_allclose(held[:, [0, 2, 3]], free[:, [0, 2, 3]], atol=1e-9)
    np.testing.assert_allclose(held[[5, 20], 1], track[[5, 20], 1], atol=1e-9)
    assert np.abs(held[:, 1] - free[:, 1]).max() > 0.5


class Sees:
    """Sees SEnP off the first track by so much across the wall, in one frame by more; the other landmarks on it."""

    def __init__(self, off, more, doubt=0.0):
        self.off, self.more, self.doubt = off, more, doubt
        self.heights = None

    def see_beat(self, pictures, heights):
        if self.heights is None:
            self.heights = heights
        return self.heights

    def place(self, pictures, heights):
        found = np.zeros((len(pictures), 4, 2))
        found[..., 1] = heights
        found[:, 1, 1] += self.off
        if len(found) > 15:  # all frames, not a glance
            found[15, 1, 1] += self.more
        return Sighting(found, np.full_like(found, self.doubt))


@pytest.mark.parametrize(("off", "moved_there"), [(0.02, True), (0.12, False)])
def test_what_is_far_from_a_given_landmark_does_not_tell_how_it_moves(clips, off, moved_there):
    clip, known = clips[0], NOTHING.copy()
    known[0] = True
    track = clip.points.astype(float)
    found = moved(Sees(off, 0.03), clip, track, known)
    np.testing.assert_allclose(found[:, [0, 2, 3]], track[:, [0, 2, 3]], atol=1e-9)
    assert (np.abs(found[15, 1] - track[15, 1]).max() > 0.3) == moved_there


@pytest.mark.parametrize(("off", "moved_by"), [(0.05, 0.05), (-0.075, -0.0375), (0.1, 0.0), (0.4, 0.0)])
def test_a_landmark_that_would_be_moved_too_far_is_left_where_it_is(clips, off, moved_by):
    track = clips[0].points.astype(float)
    video, times = clips[0].video, clips[0].times_s
    found = placed(Sees(off, 0.0), lambda a, b: video[a:b], track, NOTHING, times)
    view = SteadyView.of(track)
    way, seen = (view.to_steady(points) - view.places for points in (found.points, found.seen))
    np.testing.assert_allclose(way[:, 1, 1], moved_by, atol=1e-6)
    np.testing.assert_allclose(seen[:, 1, 1], off, atol=1e-6)  # but what was seen lowers the confidence


class SeesFurtherBasal(Sees):
    """Sees SEnP so far along the wall from the first track; the track moves there after the glance, or stays."""

    def __init__(self, off, moves):
        super().__init__(0.0, 0.0)
        self.basal, self.moves = off, moves

    def place(self, pictures, heights):
        sighting = super().place(pictures, heights)
        if len(pictures) <= 15 or not self.moves:
            sighting.places[:, 1, 0] += self.basal
        return sighting


@pytest.mark.parametrize(("off", "moves"), [(0.2, True), (-0.2, True), (0.45, False)])
def test_along_the_wall_a_landmark_may_be_moved_as_far_as_was_taught(clips, off, moves):
    track = clips[0].points.astype(float)
    view = SteadyView.of(track)
    found = moved(SeesFurtherBasal(off, moves), clips[0], track)
    way = (view.to_steady(found) - view.places)[:, 1, 0]
    np.testing.assert_allclose(way, off if moves else 0.0, atol=1e-2)


def test_what_is_seen_is_weighed_by_its_doubt(clips):
    """Against an independent product of normal densities: prior of our tracks times what PlaceNet's own leaves."""
    clip, off = clips[0], 0.02
    track = clip.points.astype(float)
    places = np.linspace(-0.05, 0.05, 20001)
    moves = []
    for doubt in (1e-3, 0.015, 0.035):
        found = moved(Sees(off, 0.0, doubt), clip, track)
        np.testing.assert_allclose(found[:, [0, 2, 3]], track[:, [0, 2, 3]], atol=1e-9)
        view = SteadyView.of(track)
        moves.append((view.to_steady(found) - view.places)[:, 1, 1].mean())
        seen = -((places - off) ** 2) / doubt**2
        prior = places**2 / TAUGHT_MISSES[1] ** 2 - places**2 / MISSES[1] ** 2
        assert moves[-1] == pytest.approx(places[(seen + prior).argmax()], abs=1e-5)
    assert off > moves[0] > moves[1] > moves[2] > 0


def test_what_is_seen_is_told_whole(backend, clips):
    clip = clips[1]
    view = SteadyView.of(clip.points.astype(float))
    track = view.to_frames(view.places + np.array([0.05, 0.04]))
    found = placed(backend, lambda a, b: clip.video[a:b], track, NOTHING, clip.times_s)
    view = SteadyView.of(track)
    seen, moved_by = (view.to_steady(points) - view.places for points in (found.seen, found.points))
    assert np.abs(seen).max() > 0.02
    assert ((moved_by / seen > 0) & (moved_by / seen < 1 + 1e-6))[np.abs(seen) > 1e-3].all()


def test_a_long_clip_is_looked_at_in_spans(backend, clips):
    """What the second half shows does not change how the first second is judged; the spans meet without a jump."""
    clip = clips[2]
    count = 300  # 7.5 s
    turn = np.arange(count) % 30
    video, track = clip.video[turn], clip.points[turn] + np.array([0.0, 3.0])
    other = video.copy()
    other[200:] = other[200:, :, ::-1]
    none, times = np.zeros((count, 4), bool), np.arange(count) / 40
    found, changed = (
        placed(backend, lambda a, b, v=v: v[a:b], track, none, times).points for v in (video, other)
    )
    # The first span is of 120 frames; from frame 60 on the next one has a say, smoothed over 3 frames.
    np.testing.assert_allclose(changed[:57], found[:57], atol=1e-9)
    assert np.abs(changed[240:] - found[240:]).max() > 1
    again = found - track
    np.testing.assert_allclose(again[60:90], again[150:180], atol=0.5)  # the same beat, in other spans
