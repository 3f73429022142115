import numpy as np
import pytest
import torch

from echo_keypoints.tracking.backends.detector import HeatmapDecoder
from echo_keypoints.tracking.decode import decode_heatmaps


def heatmaps(points, sigma, size=(96, 128), height=1.0):
    y, x = np.mgrid[: size[0], : size[1]]
    maps = [height * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in points]
    return np.array(maps)[None]


POINTS = np.array([[60.3, 40.8], [30.5, 50.5], [100.01, 20.49], [64.0, 48.0]])


@pytest.mark.parametrize("sigma", [2.0, 3.5, 5.0, 8.0])
def test_gaussians_are_read_below_the_pixel(sigma):
    points, peak, spread = decode_heatmaps(heatmaps(POINTS, sigma, height=0.8))
    np.testing.assert_allclose(points[0], POINTS, atol=0.02 if sigma < 3 else 0.005)
    np.testing.assert_allclose(peak, 0.8, atol=0.05)
    np.testing.assert_allclose(spread, sigma, rtol=0.03)


def test_noise_moves_the_point_little():
    noisy = heatmaps(POINTS, 5.0) + np.random.default_rng(0).normal(0, 0.01, (1, 4, 96, 128))
    np.testing.assert_allclose(decode_heatmaps(noisy)[0][0], POINTS, atol=0.4)


def test_a_second_bump_widens_the_spread():
    two = heatmaps(POINTS, 4.0) + heatmaps(POINTS + np.array([-25, 10]), 4.0, height=0.9)
    assert (decode_heatmaps(two)[2] > 10).all()


def test_points_at_the_border_stay_in_reach():
    corners = np.array([[0.0, 0.0], [127.0, 95.0], [0.0, 95.0], [126.6, 0.4]])
    # Across a border there is nothing to compare with: the nearest pixel it is.
    np.testing.assert_allclose(decode_heatmaps(heatmaps(corners, 5.0))[0][0], np.round(corners), atol=0.05)


def test_a_ridge_is_read_in_its_middle():
    y, x = np.mgrid[:96, :128].astype(float)
    along, across = (x - 60) * 0.8 + (y - 50) * 0.6, -(x - 60) * 0.6 + (y - 50) * 0.8
    ridge = np.exp(-((along / 14) ** 4) - (across / 3) ** 2)
    noisy = ridge + np.random.default_rng(0).normal(0, 0.02, (20, 4, 96, 128))
    highest = [np.array(np.unravel_index(m.argmax(), m.shape))[::-1] for m in noisy.reshape(-1, 96, 128)]
    points = decode_heatmaps(noisy)[0].reshape(-1, 2)
    error = np.linalg.norm(points - [60, 50], axis=1)
    assert error.mean() < 0.6 * np.linalg.norm(np.array(highest) - [60, 50], axis=1).mean()


@pytest.mark.parametrize("case", ["gaussian", "noisy", "border", "negative", "flat"])
def test_torch_does_the_same(case):
    rng = np.random.default_rng(0)
    maps = {
        "gaussian": heatmaps(POINTS, 3.0),
        "noisy": heatmaps(POINTS, 5.0) + rng.normal(0, 0.05, (1, 4, 96, 128)),
        "border": heatmaps(POINTS * 0 + [0.2, 95], 4.0),
        "negative": -1 - heatmaps(POINTS, 3.0),
        "flat": np.zeros((1, 4, 96, 128)),
    }[case].astype(np.float32)
    expected = decode_heatmaps(maps)
    got = HeatmapDecoder()(torch.from_numpy(maps))
    for ours, reference, tolerance in zip(got, expected, (0.002, 1e-6, 0.02), strict=True):
        np.testing.assert_allclose(ours.numpy(), reference, atol=tolerance)
