import json

import numpy as np
import pytest
from oracle import true_points

from echo_keypoints.tracking.backends.base import Detections
from echo_keypoints.tracking.confidence import (
    FEATURES,
    ConfidenceModel,
    confidence_features,
    confidence_model,
)
from echo_keypoints.tracking.placement import Placement
from echo_keypoints.training.calibration import TOLERANCE_PX, fit_confidence, ranking_quality


def moving_texture(points, seed=0):
    """Frames in which a fixed texture around each landmark moves with it by whole pixels."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(90, 110, (len(points), 224, 224)).astype(np.uint8)
    patches = rng.integers(0, 255, (4, 23, 23)).astype(np.uint8)
    for frame, places in zip(frames, np.rint(points).astype(int), strict=True):
        for patch, (x, y) in zip(patches, places, strict=True):
            frame[y - 11 : y + 12, x - 11 : x + 12] = patch
    return frames


@pytest.fixture
def scene():
    spread = np.array([[0, 0], [40, 10], [10, 0], [50, 10]])  # apart, so that patches do not overlap
    points = np.rint(true_points(40) + spread)
    return points, moving_texture(points)


def features(frames, points, detected, peak=1.0, spread_px=5.0, seen=None, doubt_px=2.0):
    references = np.zeros((len(points), 4), int)
    ones = np.ones((len(points), 4))
    detections = Detections(detected, peak * ones, spread_px * ones, ())
    track = Placement(points, detected if seen is None else seen, np.full((len(points), 4), doubt_px))
    return confidence_features(lambda a, b: frames[a:b], track, references, detections)


def test_features_of_a_perfect_track(scene):
    points, frames = scene
    found = features(frames, points, points + np.array([3.0, 4.0]), seen=points + np.array([0.0, 1.0]))
    assert found.shape == (40, 4, len(FEATURES))
    named = dict(zip(FEATURES, np.moveaxis(found, -1, 0), strict=True))
    np.testing.assert_allclose(named["similarity"], 1, atol=1e-5)
    np.testing.assert_allclose(named["steadiness"], 1, atol=1e-5)
    np.testing.assert_allclose(named["log_disagreement"], np.log(6))
    np.testing.assert_allclose(named["log_misplacement"], np.log(2))
    np.testing.assert_allclose(named["log_doubt"], np.log(3))
    np.testing.assert_allclose(named["log_spread"], np.log(6))


def test_a_lost_point_looks_different_and_has_less_confidence(scene):
    points, frames = scene
    lost = points.copy()
    lost[20, 1] += [9, 7]
    # Heat-maps as the shipped detector gives them (medians over phantoms): the model is fitted to those.
    found = features(frames, lost, points, peak=0.62, spread_px=17.0)
    assert found[20, 1, FEATURES.index("similarity")] < 0.3
    assert found[20, 1, FEATURES.index("log_jerk")] > found[10, 1, FEATURES.index("log_jerk")]
    confidence = confidence_model()(found)
    assert confidence[20, 1] < 0.5 * confidence[10, 1]


def test_the_border_of_the_image_is_no_trap():
    frames = np.random.default_rng(0).integers(0, 255, (3, 224, 224), dtype=np.uint8)
    points = np.array([[[0.0, 0], [223, 223], [-5, 300], [223, 0]]] * 3)
    assert np.isfinite(features(frames, points, points)).all()


def test_the_fit_finds_the_probabilities_that_made_the_data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, len(FEATURES)))
    truth = ConfidenceModel(TOLERANCE_PX, 0.3, (1.0, -0.5, -1.5, -0.7, -0.6, 0.8, 0.0, 0.4), "made up")
    probability = truth(x)
    errors = np.where(rng.uniform(size=len(x)) < probability, 1.0, 9.0)
    fitted = fit_confidence(x, errors, "made up")
    np.testing.assert_allclose(fitted.weights, truth.weights, atol=0.1)
    assert fitted.intercept == pytest.approx(0.3, abs=0.1)
    assert np.abs(fitted(x) - probability).mean() < 0.02
    assert json.loads(fitted.to_json())["tolerance_px"] == TOLERANCE_PX


def test_the_fit_refuses_data_without_a_contrast_and_survives_separable_data():
    x = np.zeros((10, len(FEATURES)))
    with pytest.raises(ValueError, match="right in some places"):
        fit_confidence(x, np.ones(10), "x")
    with pytest.raises(ValueError, match="rows"):
        fit_confidence(x, np.ones(9), "x")
    x[5:, 0] = 1
    assert np.isfinite(fit_confidence(x, np.where(x[:, 0] > 0, 1, 9), "x").weights).all()


def test_ranking_quality_counts_pairs():
    errors = np.array([1.0, 9, 1, 9])
    assert ranking_quality(np.array([0.9, 0.1, 0.8, 0.2]), errors, 4) == 1
    assert ranking_quality(np.array([0.9, 0.1, 0.2, 0.8]), errors, 4) == 0.75
    assert ranking_quality(np.full(4, 0.5), errors, 4) == 0.5
    assert np.isnan(ranking_quality(np.ones(4), np.ones(4), 4))
