"""Connected parts against the labels of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from echo_keypoints.tracking.components import component_boxes, label_components


@pytest.mark.parametrize("diagonal", [False, True])
def test_parts_are_those_of_scipy(diagonal: bool) -> None:
    rng = np.random.default_rng(0)
    structure = np.ones((3, 3)) if diagonal else None
    for density in (0.0, 0.3, 0.5, 0.8, 1.0):
        mask = rng.random((40, 50)) < density
        ours, (theirs, count) = label_components(mask, diagonal), ndimage.label(mask, structure)
        np.testing.assert_array_equal(ours > 0, mask)
        pairs = set(zip(ours[mask].tolist(), theirs[mask].tolist(), strict=True))
        assert len(pairs) == len({a for a, _ in pairs}) == count


def test_boxes_bridge_gaps_of_a_cell() -> None:
    mask = np.zeros((31, 47), bool)
    mask[3, 2:20:2] = True  # dashed
    mask[20:25, 40] = mask[24, 40:47] = True
    assert sorted(component_boxes(mask, 3)) == [(2, 3, 19, 4), (40, 20, 47, 25)]
    assert component_boxes(np.zeros((9, 9), bool), 3) == []
