import numpy as np
import pytest
from scipy.optimize import minimize

from echo_keypoints.data.phantoms import VALIDATION_SEED
from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.evaluation.cases import exact_case
from echo_keypoints.tracking import Anchor, open_session
from echo_keypoints.tracking.agreement import CONTRADICTION_PX, OUTLIER_PX, agreed
from echo_keypoints.tracking.backends import load_backend
from echo_keypoints.tracking.motion import Hops
from echo_keypoints.tracking.pace import Pace


class KnownMotion:
    """Measures the displacement of a true track, with an error that all landmarks share."""

    def __init__(self, track, noise=0.0):
        rng = np.random.default_rng(3)
        self.hops = [
            Hops(step, track[step:] - track[:-step] + rng.normal(0, noise, (len(track) - step, 1, 2)))
            for step in (1, 2)
        ]

    def along(self, points, first=0, expected=None):
        return [
            Hops(h.step, h.displacement[first : first + len(points) - h.step])
            for h in self.hops
            if h.step < len(points)
        ]


def beating(length):
    swing = np.sin(2 * np.pi * np.arange(length) / 30)[:, None, None]
    return np.array([[100.0, 60], [104, 80], [112, 140], [116, 160]]) + swing * np.array([2.0, 8.0])


def nothing(track):
    return np.full_like(track, np.nan)


@pytest.mark.parametrize("length", [2, 3, 40, 700])
def test_noise_of_the_refined_points_is_averaged_out(length):
    truth = beating(length)
    refined = truth + np.random.default_rng(0).normal(0, 1.5, truth.shape)
    track = agreed(KnownMotion(truth), refined, nothing(truth), 0.01)
    assert track.shape == truth.shape
    assert np.abs(track - truth).mean() < (0.5 if length > 3 else 0.9) * np.abs(refined - truth).mean()
    if length > 3:
        assert (
            np.abs(np.diff(track - truth, axis=0)).mean()
            < 0.1 * np.abs(np.diff(refined - truth, axis=0)).mean()
        )


def test_known_points_stay_and_the_track_leads_through_them():
    truth = beating(60)
    pins = nothing(truth)
    pins[20], pins[50, 1] = truth[20], truth[50, 1]
    track = agreed(KnownMotion(truth), truth + 5.0, pins, 0.001)
    np.testing.assert_array_equal(track[20], truth[20])
    np.testing.assert_array_equal(track[50, 1], truth[50, 1])
    assert np.abs(track[15:25] - truth[15:25]).max() < 0.2  # not drawn to the refined points, 5 px off


def test_points_that_jumped_elsewhere_do_not_pull():
    truth = beating(60)
    refined = truth.copy()
    refined[25:32, 2] += (0, 15)
    track = agreed(KnownMotion(truth), refined, nothing(truth), 0.1)
    assert np.abs(track[25:32, 2] - truth[25:32, 2]).max() < 3
    np.testing.assert_allclose(np.delete(track, 2, axis=1), np.delete(truth, 2, axis=1), atol=1e-6)


def test_motion_that_contradicts_itself_does_not_lead_astray():
    truth = beating(60)
    motion = KnownMotion(truth)
    one, two = (hop.displacement for hop in motion.hops)
    one[20, 2] += (0, -14)  # where the heart was too fast; the step of two frames is lost elsewhere
    two[19, 2] += (9, 5)
    two[20, 2] += (-9, 5)
    track = agreed(motion, truth, nothing(truth), 0.01)
    assert np.abs(track - truth).max() < 1.0


def paced(length, steady):
    """A pace of even frames whose third differences weigh so much."""
    return Pace(np.arange(length) / (50 * steady ** (1 / 6)), np.zeros(length, bool)) if steady else None


@pytest.mark.parametrize("length", [2, 3, 4, 300])
def test_steadiness_evens_out_errors_of_the_flow_and_leaves_smooth_motion_alone(length):
    truth = beating(length)
    exact = agreed(KnownMotion(truth), truth, nothing(truth), 0.01, paced(length, 1.0))
    np.testing.assert_allclose(exact, truth, atol=0.3)
    if length > 4:
        noisy = KnownMotion(truth, noise=0.4)
        rough, even = (
            agreed(noisy, truth, nothing(truth), 0.01, paced(length, steady)) for steady in (0.0, 1.0)
        )
        trembling = [np.abs(np.diff(track - truth, axis=0)).mean() for track in (rough, even)]
        assert trembling[1] < 0.7 * trembling[0]


@pytest.mark.parametrize("length", [6, 37])  # within one block of the solver, and over three
@pytest.mark.parametrize("steady", [0.0, 0.7])
def test_it_is_the_minimum_that_the_formula_names(steady, length):
    truth = beating(length)
    motion = KnownMotion(truth, noise=0.3)
    refined = truth + np.random.default_rng(1).normal(0, 1.0, (length, 1, 2))
    trust = 0.1
    one, two = (hop.displacement[:, :1] for hop in motion.hops)
    double = 1 / (1 + ((one[:-1] + one[1:] - two) ** 2).sum(axis=-1) / CONTRADICTION_PX**2)
    single = np.concatenate([double[:1], np.maximum(double[:-1], double[1:]), double[-1:]])

    def cost(x):  # of the first landmark: the others do not change it
        points = x.reshape(length, 1, 2)
        steps = sum(
            (v[..., None] * (points[step:] - points[:-step] - moved) ** 2).sum() / step
            for step, moved, v in ((1, one, single), (2, two, double))
        )
        square = ((points - refined[:, :1]) ** 2).sum(axis=-1)
        third = np.diff(points, n=3, axis=0)
        pull = OUTLIER_PX**2 * np.log1p(square / OUTLIER_PX**2)
        return steps + trust * pull.sum() + steady * (third**2).sum()

    best = minimize(cost, refined[:, 0].ravel(), tol=1e-12).x.reshape(length, 2)
    track = agreed(motion, refined, nothing(truth), trust, paced(length, steady))
    np.testing.assert_allclose(track[:, 0], best, atol=2e-3)


@pytest.mark.parametrize(
    ("hearts", "made"),
    [
        (6, {"frame_count": 40}),
        (10, {"frame_count": 32, "fps": 40, "style": "acoustic"}),  # some are too fast for the flow
    ],
)
def test_with_the_shipped_weights_tracks_are_steadier_and_closer(hearts, made):
    errors = {True: [], False: []}
    for seed in range(1, hearts + 1):
        clip = simulate_clip(VALIDATION_SEED + seed, **made)
        case = exact_case("phantom", clip.video, clip.points, clip.phase, clip.times_s, clip.mm_per_px)
        query = case.true_query()
        with open_session(case.clip, load_backend("onnx")) as session:
            for motion, found in errors.items():
                found.append(
                    session.track(query=(query.frame, query.points), motion=motion).points_px - case.truth
                )
        np.testing.assert_array_equal(errors[True][-1][query.frame], 0)
    moved, plain = np.stack(errors[True]), np.stack(errors[False])
    distances = [np.linalg.norm(error, axis=-1).mean(axis=(1, 2)) for error in (plain, moved)]
    assert np.log(distances[1] / distances[0]).mean() < np.log(0.85)  # each heart counts alike
    steps = [np.linalg.norm(np.diff(error, axis=1), axis=-1).mean() for error in (plain, moved)]
    assert steps[1] < 0.8 * steps[0]


def test_the_same_anchors_give_the_same_track_whatever_came_before():
    clip = simulate_clip(VALIDATION_SEED + 703, frame_count=40)
    case = exact_case("phantom", clip.video, clip.points, clip.phase, clip.times_s, clip.mm_per_px)
    anchors = [Anchor(frame, clip.points[frame] + [0, 2.0]) for frame in (8, 30)]
    with open_session(case.clip, load_backend("onnx")) as fresh:
        expected = [fresh.track(), fresh.track(anchors)]
    with open_session(case.clip, load_backend("onnx")) as session:
        session.track(query=(20, clip.points[20] + [35.0, 25]))
        session.track([Anchor(3, clip.points[3] - [30.0, 0])])
        session.track(anchors[:1])
        found = [session.track(anchors), session.track()][::-1]
    for before, after in zip(expected, found, strict=True):
        np.testing.assert_array_equal(after.points_px, before.points_px)
        np.testing.assert_array_equal(after.confidence, before.confidence)
