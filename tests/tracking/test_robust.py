import numpy as np

from echo_keypoints.tracking.robust import cauchy_weight


def test_what_misses_by_that_much_has_half_its_weight():
    misses = np.array([[0.0, 0.0], [2.4, -3.2], [0.0, 12.0]])
    np.testing.assert_allclose(cauchy_weight(misses, 4.0), [1.0, 0.5, 0.1])
