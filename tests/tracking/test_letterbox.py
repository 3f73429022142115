import numpy as np
import pytest

from echo_keypoints.tracking.letterbox import LetterBox


def gaussian(height, width, centre, sigma):
    y, x = np.mgrid[:height, :width]
    values = np.exp(-((x - centre[0]) ** 2 / sigma[0] ** 2 + (y - centre[1]) ** 2 / sigma[1] ** 2) / 2)
    return np.round(250 * values).astype(np.uint8)


def centroid(image):
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    weight = image.astype(float)
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


@pytest.mark.parametrize(
    ("region", "spacing", "centre", "sigma"),
    [
        ((0, 0, 800, 600), None, (401.3, 222.7), (14, 14)),  # whole screen, shrunk 3.6 times
        ((144, 120, 684, 509), (0.324, 0.324), (401.3, 322.7), (12, 12)),  # a fan
        ((103, 57, 251, 204), (1.0, 1.0), (170.2, 111.9), (6, 6)),  # enlarged
        ((104, 4, 439, 354), (0.2857, 0.2286), (250.4, 150.8), (10, 12)),  # pixels that are not square
    ],
)
def test_blobs_land_where_the_affine_says(region, spacing, centre, sigma):
    box = LetterBox.fit(region, spacing)
    model = box.apply(gaussian(600, 800, centre, sigma))
    assert model.shape == (224, 224) and model.dtype == np.uint8
    np.testing.assert_allclose(centroid(model), box.to_model(np.array(centre)), atol=0.02)


def test_round_trip_is_exact():
    box = LetterBox.fit((17, 33, 418, 391), (0.31, 0.22))
    points = np.random.default_rng(0).uniform(0, 400, (50, 4, 2))
    np.testing.assert_allclose(box.to_original(box.to_model(points)), points, atol=1e-10)


def test_model_space_is_isotropic_in_mm_and_centred():
    spacing = (0.2857, 0.2286)
    box = LetterBox.fit((104, 4, 439, 354), spacing)
    assert box.scale[0] / spacing[0] == pytest.approx(box.scale[1] / spacing[1])
    corners = box.to_model(np.array([[103.5, 3.5], [438.5, 353.5]]))  # outer edges of the region
    np.testing.assert_allclose(corners.mean(axis=0), [111.5, 111.5])
    assert np.ptp(corners, axis=0).max() == pytest.approx(224)


def test_a_square_region_of_the_model_size_is_copied():
    frame = np.random.default_rng(0).integers(0, 255, (300, 300), dtype=np.uint8)
    box = LetterBox.fit((20, 40, 244, 264))
    np.testing.assert_array_equal(box.apply(frame), frame[40:264, 20:244])


def test_outside_of_the_region_is_black():
    model = LetterBox.fit((100, 100, 300, 200)).apply(np.full((400, 400), 200, np.uint8))
    assert (model[:50] == 0).all() and (model[-50:] == 0).all() and (model[60:160] == 200).all()


def test_absurd_aspect_and_tiny_regions_survive():
    assert LetterBox.fit((0, 0, 50, 40), (10.0, 0.01)).scale[0] == LetterBox.fit((0, 0, 50, 40)).scale[0]
    assert LetterBox.fit((5, 0, 6, 900)).apply(np.full((900, 10), 9, np.uint8)).any()
