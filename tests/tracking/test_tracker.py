import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from oracle import OracleBackend, coded_clip, true_points

from echo_keypoints import tracking
from echo_keypoints.clip import Clip, ClipHeader, ClipSource
from echo_keypoints.errors import ClipError, QueryError
from echo_keypoints.tracking import Anchor, open_session
from echo_keypoints.tracking.placement import frames_of_beat
from echo_keypoints.tracking.steady import SteadyView

track_clip = partial(tracking.track_clip, motion=False)  # the oracle knows landmarks, not frames


def noisy(points):
    return points + np.random.default_rng(0).normal(0, 1.5, points.shape)


def test_all_detections_together_are_better_than_that_of_the_reference():
    backend = OracleBackend(60, noisy)
    errors = [
        np.abs(track_clip(coded_clip(60), backend, consensus=consensus).points_px - backend.truth).mean()
        for consensus in (True, False)
    ]
    assert errors[0] < 0.5 * errors[1]


@pytest.mark.parametrize("length", [2, 5, 24, 25, 60, 150])
def test_clips_of_any_length_are_tracked_to_the_material_of_the_reference(length):
    backend = OracleBackend(length, noisy)
    tracking = track_clip(coded_clip(length), backend, consensus=False)
    assert tracking.points_px.shape == (length, 4, 2) and tracking.confidence.shape == (length, 4)
    frame = tracking.reference_frame
    assert frame == min(7, length - 1) and tracking.reference_mode == "confidence"
    expected = backend.truth + backend.detected[frame] - backend.truth[frame]
    np.testing.assert_allclose(tracking.points_px, expected, atol=0.05)
    np.testing.assert_array_equal(tracking.points_px[frame], backend.detected[frame])  # locked
    np.testing.assert_array_equal(tracking.detections_px, backend.detected)
    assert ((tracking.confidence >= 0) & (tracking.confidence <= 1)).all()


def test_a_long_clip_gives_the_same_track_with_bounded_memory():
    kept = OracleBackend(300, noisy)
    streamed = OracleBackend(300, noisy, map_bytes=10 * 1024 * 1024)
    one, other = (track_clip(coded_clip(300), backend) for backend in (kept, streamed))
    assert kept.largest_call == 300 and streamed.largest_call <= 48
    np.testing.assert_allclose(other.points_px, one.points_px, atol=0.05)
    assert other.surroundings == one.surroundings and one.surroundings["certainty"] > 0.2
    assert len(open_session(coded_clip(300), kept).tissue) == 24


def test_iterations_and_reference_can_be_chosen():
    backend = OracleBackend(60, noisy)
    tracking = track_clip(coded_clip(60), backend, reference=30, iterations=0)
    assert tracking.reference_frame == 30 and tracking.reference_mode == "frame"
    np.testing.assert_allclose(tracking.points_px, backend.detected, atol=1e-9)


def test_the_beat_as_a_whole_moves_the_track():
    backend = OracleBackend(60, noisy, miss=(0.1, -0.05))
    tracks = [track_clip(coded_clip(60), backend, placement=on) for on in (False, True)]
    before, after = (tracking.points_px for tracking in tracks)
    view, miss = SteadyView.of(before), np.array([0.1, -0.05])
    np.testing.assert_allclose(after, view.to_frames(view.places + miss), atol=1e-6)
    np.testing.assert_allclose(tracks[1].placements_px, after, atol=1e-6)  # it has no doubt
    assert backend.beat_frames == 12
    moved = np.linalg.norm(after - before, axis=-1)
    np.testing.assert_allclose(moved, np.hypot(*miss) * view.length_px, rtol=0.3)


def test_points_that_a_person_set_are_not_moved():
    backend = OracleBackend(60, noisy, miss=(0.1, -0.05))
    query = (10, backend.truth[10] + [0, 1.0])
    tracking = track_clip(coded_clip(60), backend, query=query)
    np.testing.assert_allclose(tracking.points_px, backend.truth + np.array([0, 1.0]), atol=0.1)
    anchored = track_clip(coded_clip(60), backend, anchors=[Anchor(20, backend.truth[20])])
    np.testing.assert_allclose(anchored.points_px, backend.truth, atol=0.1)


@pytest.mark.parametrize("length", [2, 5, 12, 13, 60, 400])
def test_a_beat_is_seen_in_twelve_frames(length):
    frames = frames_of_beat(length)
    assert frames[0] == 0 and frames[-1] == length - 1
    assert len(frames) == min(length, 12) and (np.diff(frames) > 0).all()


def test_points_are_original_pixels():
    small = coded_clip(30)
    pixels = np.zeros((30, 300, 400), np.uint8)
    pixels[:, 50:274, 100:324] = small.pixels
    header = ClipHeader("x", 30, 300, 400, np.arange(30.0), "test", scan_region=(100, 50, 324, 274))
    tracking = track_clip(Clip(header, pixels), OracleBackend(30))
    np.testing.assert_allclose(tracking.points_px, true_points(30) + np.array([100, 50]), atol=0.01)


def test_a_query_is_kept_exactly_and_followed():
    backend = OracleBackend(60, noisy)
    query = backend.truth[40] + [[3.25, -1], [0, 2], [60, 0], [1, 1]]  # one is nowhere near the detections
    tracking = track_clip(coded_clip(60), backend, query=(40, query.tolist()))
    assert tracking.reference_frame == 40 and tracking.reference_mode == "query"
    np.testing.assert_array_equal(tracking.points_px[40], query)
    np.testing.assert_array_equal(tracking.confidence[40], 1)
    expected = backend.truth + query - backend.truth[40]
    np.testing.assert_allclose(tracking.points_px, expected, atol=0.1)


def test_anchors_pin_their_frames_and_pull_their_neighbours():
    backend = OracleBackend(60, noisy)
    with open_session(coded_clip(60), backend) as session:
        before = session.track(motion=False)
        anchors = [Anchor(45, backend.truth[45] + [0, 4.0]), Anchor(15, backend.truth[15] + [0, 2.0])]
        after = session.track(anchors, motion=False)
    np.testing.assert_array_equal(after.automatic_px, before.points_px)
    assert [anchor.frame for anchor in after.anchors] == [15, 45]
    for anchor in anchors:
        np.testing.assert_array_equal(after.points_px[anchor.frame], anchor.points_px)
        np.testing.assert_array_equal(after.confidence[anchor.frame], 1)
    # The material under each anchor, blended linearly between them and held outside of them.
    offset = np.interp(np.arange(60), [15, 45], [2.0, 4.0])[:, None]
    np.testing.assert_allclose(after.points_px[..., 1], backend.truth[..., 1] + offset, atol=0.05)
    np.testing.assert_allclose(after.points_px[..., 0], backend.truth[..., 0], atol=0.05)
    assert np.abs(np.diff(after.points_px, axis=0)).max() < np.abs(np.diff(backend.truth, axis=0)).max() + 0.2


def test_a_new_anchor_costs_what_it_changes_and_the_track_is_that_of_a_fresh_session():
    backend = OracleBackend(200, noisy)
    anchors = [Anchor(frame, backend.truth[frame] + [0, 3.0]) for frame in (20, 60, 100, 140, 180, 190)]
    with open_session(coded_clip(200), backend) as session:
        session.track(anchors[:-1], motion=False)
        done = backend.refined
        again = session.track(anchors[:-1], motion=False)
        assert backend.refined == done
        edited = session.track(anchors, motion=False)
        near = backend.refined - done
        session.track([anchors[-1]], motion=False)  # what was remembered of others must not be taken for this
        alone = session.track(anchors[:-1], motion=False)
    with open_session(coded_clip(200), backend) as fresh:
        fresh.track(motion=False)
        done = backend.refined
        expected = fresh.track(anchors, motion=False)
        assert near < 0.5 * (backend.refined - done)
    np.testing.assert_array_equal(edited.points_px, expected.points_px)
    np.testing.assert_array_equal(edited.confidence, expected.confidence)
    np.testing.assert_array_equal(alone.points_px, again.points_px)


def test_an_anchor_of_one_landmark_leaves_the_others_alone():
    backend = OracleBackend(60, noisy)
    points = np.full((4, 2), np.nan)
    points[1] = backend.truth[20, 1] + [5, 0]
    with open_session(coded_clip(60), backend) as session:
        before = session.track(motion=False)
        after = session.track([Anchor(20, points)], motion=False)
    others = [0, 2, 3]
    np.testing.assert_allclose(after.points_px[:, others], before.points_px[:, others], atol=1e-9)
    np.testing.assert_allclose(after.points_px[:, 1], backend.truth[:, 1] + [5, 0], atol=0.05)
    assert after.confidence[20, 1] == 1 and (after.confidence[20, others] < 1).all()


def test_a_query_and_an_anchor_count_alike():
    backend = OracleBackend(60, noisy)
    clip, query = coded_clip(60), backend.truth[10] + [0, 1.0]
    tracking = track_clip(
        clip, backend, query=(10, query), anchors=[Anchor(50, backend.truth[50] + [0, 3.0])]
    )
    np.testing.assert_array_equal(tracking.points_px[10], query)
    offset = np.interp(np.arange(60), [10, 50], [1.0, 3.0])[:, None]
    np.testing.assert_allclose(tracking.points_px[..., 1], backend.truth[..., 1] + offset, atol=0.1)


@pytest.mark.parametrize(
    ("frame", "points", "says"),
    [
        (60, [[1, 1]] * 4, "frames 0 to 59"),
        (-1, [[1, 1]] * 4, "frames 0 to 59"),
        (3, [[1, 1]] * 3, "four points"),
        (3, [[1, 1]] * 3 + [[np.nan, 1]], "missing"),
        (3, [[1, 1]] * 3 + [[1, 224]], "outside the image"),
        (3, "nonsense", "four points"),
    ],
)
def test_queries_that_do_not_fit_are_refused_in_one_sentence(frame, points, says):
    with pytest.raises(QueryError, match=says):
        track_clip(coded_clip(60), OracleBackend(60), query=(frame, points))


def test_a_still_and_a_damaged_file_are_refused():
    still = coded_clip(1)
    with pytest.raises(ClipError, match="single frame"):
        track_clip(still, OracleBackend(1))
    whole = coded_clip(30)
    cut = ClipSource(whole.header, lambda: iter(whole.pixels[:20]))
    with pytest.raises(ClipError, match="announces 30 frames but holds 20"):
        track_clip(cut, OracleBackend(30))


def test_progress_reaches_the_end_of_every_stage():
    calls = []
    track_clip(coded_clip(60), OracleBackend(60), progress=lambda *call: calls.append(call))
    for stage in ("read", "detect", "refine"):
        done = [call[1] for call in calls if call[0] == stage]
        assert done == sorted(done) and done[-1] == 60


def test_inference_needs_neither_torch_nor_monai():
    code = (
        "import sys, json, echo_keypoints.tracking, echo_keypoints.tracking.backends.onnx_backend;"
        "print(json.dumps([m for m in ('torch', 'monai', 'scipy', 'cv2') if m in sys.modules]))"
    )
    root = Path(__file__).parents[2] / "monai_bundle"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert json.loads(done.stdout) == []


def test_repeated_frames_are_told_and_do_not_count_for_the_rate():
    clip = coded_clip(30)
    doubled = replace(
        clip.header,
        frame_count=60,
        frame_times_s=np.arange(60) / 2 * np.diff(clip.header.frame_times_s).mean(),
    )
    with open_session(Clip(doubled, np.repeat(clip.pixels, 2, axis=0)), OracleBackend(30)) as session:
        assert session.header.metadata["repeated_frames"] == 30
        assert any("30 of 60 frames repeat" in warning for warning in session.header.warnings)
    with open_session(clip, OracleBackend(30)) as session:
        assert (
            "repeated_frames" not in session.header.metadata
            and session.header.warnings == clip.header.warnings
        )
