import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from echo_keypoints.tracking.backends import load_backend
from echo_keypoints.tracking.motion import Motion
from echo_keypoints.tracking.spool import FrameSpool


class NumberedFlow:
    """A back end for which frame t moves by (t % 16, t // 16) px, if it is filled with the grey value t."""

    def __init__(self):
        self.calls = []

    def flow(self, reference, target):
        self.calls.append((len(reference), reference.shape[1:]))
        x, y = reference[:, ::2, ::2] % 16, reference[:, ::2, ::2] // 16
        return np.stack((x, y), axis=1).astype(np.float32)


def spool_of(length, size=64):
    """Frame t is filled with the grey value t."""
    spool = FrameSpool((size, size))
    for t in range(length):
        spool.append(np.full((size, size), t % 256, np.uint8))
    return spool


def test_every_pair_of_frames_is_read_at_its_own_place():
    backend = NumberedFlow()
    points = np.full((80, 4, 2), 30.25)
    motion = Motion(backend, spool_of(80), points)
    one, two = motion.along(points)
    assert (one.step, two.step) == (1, 2)
    t = np.arange(79)
    np.testing.assert_allclose(one.displacement[..., 0], np.repeat((t % 16)[:, None], 4, 1))
    np.testing.assert_allclose(one.displacement[..., 1], np.repeat((t % 256 // 16)[:, None], 4, 1))
    assert two.displacement.shape == (78, 4, 2)


def test_a_run_in_the_middle_reads_the_same():
    points = np.full((80, 4, 2), 30.0)
    whole = Motion(NumberedFlow(), spool_of(80), points).along(points)[1].displacement
    part = Motion(NumberedFlow(), spool_of(80), points).along(points[:20], first=25)[1].displacement
    np.testing.assert_array_equal(part, whole[25:43])


def test_flow_is_computed_around_the_landmarks_and_kept():
    backend = NumberedFlow()
    points = np.full((40, 4, 2), 100.0)
    motion = Motion(backend, spool_of(40, size=224), points)
    motion.along(points)
    assert [size for size, _ in backend.calls] == [32, 7, 32, 6]
    assert all(max(shape) <= 80 and min(shape) % 16 == 0 for _, shape in backend.calls)
    motion.along(points + 10)  # within the margin
    assert len(backend.calls) == 4
    motion.along(points + 60)
    assert [shape for _, shape in backend.calls[4:]] == [(224, 224)] * 4
    motion.along(points - 60)
    assert len(backend.calls) == 8


def test_what_was_asked_for_before_changes_nothing():
    spool, truth = speckle_that_moves((2, -1), frames=6)
    rng = np.random.default_rng(2)
    landmarks, elsewhere = truth + rng.uniform(-5, 5, truth.shape), truth + np.array([60.0, 40])
    fresh = Motion(load_backend("onnx"), spool, landmarks).along(truth)
    motion = Motion(load_backend("onnx"), spool, landmarks)
    mixed = truth.copy()
    mixed[3:, 2] = elsewhere[3:, 2]
    for points in (elsewhere, mixed, truth - 3):
        motion.along(points)
    for before, after in zip(fresh, motion.along(truth), strict=True):
        np.testing.assert_array_equal(after.displacement, before.displacement)
    # Nor does where the other frames' points are.
    for before, after in zip(fresh, motion.along(mixed), strict=True):
        np.testing.assert_array_equal(after.displacement[:3], before.displacement[:3])


def test_memory_is_bounded():
    backend = NumberedFlow()
    points = np.full((200, 4, 2), 100.0)
    motion = Motion(backend, spool_of(200, size=224), points, memory_bytes=200_000)
    motion.along(points)
    assert sum(block.flow.nbytes for block in motion._blocks.values()) <= 200_000


@pytest.mark.parametrize("around", [100.0, 223.0, 400.0])
@pytest.mark.parametrize("corner", [0.0, 223.0, -40.0, 400.0])
def test_points_at_the_edge_and_beyond_are_read_at_the_edge(corner, around):
    motion = Motion(NumberedFlow(), spool_of(5, size=224), np.full((5, 4, 2), around))
    (one, _) = motion.along(np.full((5, 4, 2), corner))
    np.testing.assert_allclose(one.displacement[:, 0, 0], np.arange(4))


class PlaceFlow:
    """A back end for which the flow at a pixel is that pixel's grey value, in x and in y."""

    def flow(self, reference, target):
        value = reference.reshape(len(reference), reference.shape[1] // 2, 2, -1, 2).mean(axis=(2, 4))
        return np.stack((value, value), axis=1).astype(np.float32)


def test_flow_is_read_bilinearly_between_its_samples():
    spool = FrameSpool((64, 64))
    for _ in range(3):
        spool.append(np.broadcast_to(np.arange(64, dtype=np.uint8), (64, 64)).copy())
    points = np.random.default_rng(0).uniform(10, 50, (3, 4, 2))
    (one, _) = Motion(PlaceFlow(), spool, points).along(points)
    np.testing.assert_allclose(one.displacement[..., 0], points[:-1, :, 0], atol=1e-4)


def speckle_that_moves(by, frames=4):
    """Frames of one texture, from frame to frame `by` px further."""
    noise = np.random.default_rng(5).normal(size=(2, 224, 224))
    texture = sum(field / field.std() for field in map(gaussian_filter, noise, (1.5, 6.0)))
    texture = 128 + 30 * texture
    spool = FrameSpool((224, 224))
    for t in range(frames):
        spool.append(
            np.clip(shift(texture, t * np.array(by[::-1]), order=1, mode="wrap"), 0, 255).astype(np.uint8)
        )
    start = np.array([[90.0, 80.3], [95.5, 100], [99, 120], [104, 141]])
    return spool, start + np.arange(frames)[:, None, None] * np.array(by, float)


@pytest.mark.parametrize("by", [(-9, 10), (0, 13)])
def test_a_long_step_is_found_where_it_is_expected(by):
    spool, truth = speckle_that_moves(by)
    motion = Motion(load_backend("onnx"), spool, truth)
    assert any(np.abs(hop.displacement - hop.step * np.array(by)).max() > 3 for hop in motion.along(truth))
    expected = truth * np.array([1.2, 0.85])  # about right
    for hop in motion.along(truth, expected=expected):
        np.testing.assert_allclose(
            hop.displacement, np.broadcast_to(by, hop.displacement.shape) * hop.step, atol=0.4
        )


def test_a_wrong_expectation_does_no_harm():
    spool, truth = speckle_that_moves((2, -1))
    motion = Motion(load_backend("onnx"), spool, truth)
    expected = truth + np.random.default_rng(0).uniform(-20, 20, truth.shape)
    for hop in motion.along(truth, expected=expected):
        np.testing.assert_allclose(
            hop.displacement, np.broadcast_to((2, -1), hop.displacement.shape) * hop.step, atol=0.4
        )


def test_a_long_step_out_of_the_picture_ends_at_its_edge():
    spool, truth = speckle_that_moves((3, 0))
    hops = Motion(load_backend("onnx"), spool, truth).along(
        truth, expected=truth + np.arange(4)[:, None, None] * 150.0
    )
    assert all(np.isfinite(hop.displacement).all() for hop in hops)


def test_cuttings_are_kept_and_do_not_pile_up(monkeypatch):
    monkeypatch.setattr("echo_keypoints.tracking.motion._MOST_CUTS", 30)
    spool, truth = speckle_that_moves((0, 13))
    motion = Motion(load_backend("onnx"), spool, truth)
    first = motion.along(truth, expected=truth)
    assert 0 < len(motion._cuts) <= 30
    for before, after in zip(first, motion.along(truth + 0.01, expected=truth), strict=True):
        np.testing.assert_allclose(after.displacement, before.displacement, atol=0.1)
    calls = []
    motion._backend = type("Counting", (), {"flow": lambda self, a, b: calls.append(len(a))})()
    motion.along(truth, expected=truth)  # all is known
    assert calls == []
