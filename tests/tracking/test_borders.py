import numpy as np
import pytest

from echo_keypoints.data.phantoms import VALIDATION_SEED
from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.tracking.backends import load_backend
from echo_keypoints.tracking.borders import REACH_PX, border_motion, border_track
from echo_keypoints.tracking.motion import Motion
from echo_keypoints.tracking.spool import FrameSpool

GAPS = np.array([18.0, 55.0, 12.0])
LINE = np.array([0.28, 0.96])


def on_a_line(gaps, line=LINE):
    places = np.concatenate(([0.0], np.cumsum(gaps)))
    return np.array([60.0, 40.0]) + places[:, None] * line / np.linalg.norm(line)


def through_a_window(own, gaps):
    """What a window around each landmark reads of motion that changes evenly between them, by brute force."""
    places = np.concatenate(([0.0], np.cumsum(gaps)))
    around = np.linspace(-REACH_PX, REACH_PX, 20_001)
    return np.array([np.interp(place + around, places, own).mean() for place in places])


def test_what_a_window_takes_from_the_borders_is_given_back():
    own = np.array([[2.0, 7.0, -9.0, -3.0], [0.0, -4.0, 1.0, 0.5]])
    line = LINE / np.linalg.norm(LINE)
    aside = np.array([-line[1], line[0]])
    slide = np.array([[1.0, 2.0, 3.0, 4.0], [0.5, 0.5, -0.5, 0.0]])
    seen = np.stack([through_a_window(values, GAPS) for values in own])
    assert seen[0, 1] - seen[0, 2] < 0.95 * (own[0, 1] - own[0, 2])  # the cavity seems to close by less
    read = seen[..., None] * line + slide[..., None] * aside
    found = border_motion(read, np.repeat(on_a_line(GAPS)[None], 2, axis=0))
    np.testing.assert_allclose(found @ line, own, atol=1e-3)
    np.testing.assert_allclose(found @ aside, slide, atol=1e-9)


def test_what_moves_as_a_whole_moves_as_it_seems():
    read = np.broadcast_to(np.array([1.5, -2.0]), (3, 4, 2))
    np.testing.assert_allclose(border_motion(read, on_a_line(GAPS)[None]), read, atol=1e-9)


@pytest.mark.parametrize("gaps", [(18, 55, 1), (0.0, 0.0, 0.0), (20, -15, 20)])
def test_thin_walls_and_crossed_points_do_not_let_errors_grow(gaps):
    noise = np.random.default_rng(0).normal(size=(200, 4, 2))
    found = border_motion(noise, on_a_line(np.array(gaps, float))[None])
    assert np.isfinite(found).all()
    assert found.std() < 1.7 * noise.std()


def test_a_track_is_measured_from_where_it_starts():
    start = on_a_line(GAPS)
    own = np.array([1.0, 6.0, -8.0, -2.0])
    line = LINE / np.linalg.norm(LINE)
    read = start + np.array([0.0, 1.0])[:, None, None] * through_a_window(own, GAPS)[:, None] * line
    found = border_track(read, start)
    np.testing.assert_array_equal(found[0], start)
    np.testing.assert_allclose((found[1] - start) @ line, own, atol=1e-3)


def test_flow_through_a_phantoms_beat_falls_short_by_less():
    backend, seen, given_back, true = load_backend(), [], [], []
    for seed in range(VALIDATION_SEED + 4000, VALIDATION_SEED + 4006):
        clip = simulate_clip(seed, frame_count=24, style="acoustic", pathology="normal")
        with FrameSpool((224, 224)) as spool:
            for frame in clip.video:
                spool.append(frame)
            (hop, _) = Motion(backend, spool, clip.points).along(clip.points)
        before, after = clip.points[:-1], clip.points[1:]
        line = before[:, 3] - before[:, 0]
        line /= np.linalg.norm(line, axis=-1, keepdims=True)

        def closing(motion, line=line):
            return ((motion[:, 2] - motion[:, 1]) * line).sum(axis=-1)

        seen.append(closing(hop.displacement))
        given_back.append(closing(border_motion(hop.displacement, before)))
        true.append(closing(after - before))
    true = np.concatenate(true)
    short, left = (1 - (np.concatenate(read) @ true) / (true @ true) for read in (seen, given_back))
    assert short > 0.05
    assert abs(left) < 0.7 * short
