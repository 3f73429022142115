import numpy as np
import pytest

from echo_keypoints.biomarkers import measure_lengths

TRIANGLES = np.array([[[0, 0], [3, 4], [3, 16], [11, 31]], [[10, 20], [10, 25], [22, 30], [22, 37]]], float)


def test_lengths_are_those_of_pythagoras():
    lengths = measure_lengths(TRIANGLES)
    assert list(lengths) == ["IVS", "LVID", "LVPW"]
    np.testing.assert_allclose(lengths["IVS"].px, [5, 5])
    np.testing.assert_allclose(lengths["LVID"].px, [12, 13])
    np.testing.assert_allclose(lengths["LVPW"].px, [17, 7])
    assert all(length.mm is None for length in lengths.values())


def test_pixels_need_not_be_square():
    lengths = measure_lengths(TRIANGLES, (2.0, 0.5))
    np.testing.assert_allclose(lengths["IVS"].mm, [np.sqrt(6**2 + 2**2), 2.5])
    np.testing.assert_allclose(lengths["LVID"].mm, [6, np.sqrt(24**2 + 2.5**2)])
    np.testing.assert_allclose(lengths["IVS"].px, [5, 5])


def test_a_missing_point_spoils_its_own_lengths_only():
    points = TRIANGLES.copy()
    points[1, 0] = np.nan
    lengths = measure_lengths(points, (1.0, 1.0))
    assert np.isnan(lengths["IVS"].px[1]) and np.isnan(lengths["IVS"].mm[1])
    np.testing.assert_allclose(lengths["LVID"].px, [12, 13])


@pytest.mark.parametrize("spacing", [(0.0, 1.0), (1.0, -0.3), (np.nan, 1.0), (np.inf, 1.0)])
def test_an_impossible_scale_is_refused(spacing):
    with pytest.raises(ValueError, match="positive"):
        measure_lengths(TRIANGLES, spacing)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(T, 4, 2\)"):
        measure_lengths(TRIANGLES[0])
