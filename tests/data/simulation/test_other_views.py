import numpy as np
import pytest

from echo_keypoints.data.simulation.other_views import VIEWS, simulate_other_view


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_moves_has_no_landmarks_and_is_the_same_again(view):
    clip = simulate_other_view(7, view, frame_count=3, fps=5, size=112)
    assert clip.video.shape == (3, 112, 112) and clip.video.dtype == np.uint8
    assert np.isnan(clip.points).all() and clip.points.shape == (3, 4, 2)
    assert clip.video.std() > 5 and (clip.video[0] != clip.video[1]).mean() > 0.05
    np.testing.assert_array_equal(
        clip.video, simulate_other_view(7, view, frame_count=3, fps=5, size=112).video
    )


def test_views_differ_and_unknown_ones_are_refused():
    first = [simulate_other_view(7, view, frame_count=1, size=112).video for view in VIEWS]
    assert all((first[0] != other).any() for other in first[1:])
    with pytest.raises(ValueError, match="short axis"):
        simulate_other_view(7, "sideways")
