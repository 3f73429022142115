import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from echo_keypoints.tracking.bilinear import read_bilinear


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("contiguous", [True, False])
def test_it_reads_as_scipy_does(kind, precision, contiguous):
    rng = np.random.default_rng(0)
    pictures = rng.uniform(0, 255, (3, 9, 2, 11)).astype(kind)
    pictures = np.moveaxis(pictures, 2, -1)  # (3, 9, 11, 2)
    pictures = np.ascontiguousarray(pictures) if contiguous else pictures
    rows = rng.integers(0, 3, 50)
    x, y = rng.uniform(-3, 14, 50).astype(precision), rng.uniform(-3, 12, 50).astype(precision)
    x[:3], y[:3] = (0, 10, 4), (8, 0, 8)  # on pixels, at the border
    found = read_bilinear(pictures, rows, x, y)
    assert found.shape == (50, 2) and found.dtype == precision
    for channel in range(2):
        for i, row in enumerate(rows):
            where = np.clip([[y[i]], [x[i]]], 0, [[8], [10]])
            expected = map_coordinates(pictures[row, ..., channel].astype(float), where, order=1)[0]
            assert found[i, channel] == pytest.approx(expected, abs=1e-3 if precision == np.float32 else 1e-9)
