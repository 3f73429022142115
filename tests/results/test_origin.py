import numpy as np

from echo_keypoints.results import landmark_origins
from echo_keypoints.results.result import AnalysisResult
from example_results import make_anchor, make_result


def test_untouched_results_are_automatic() -> None:
    assert landmark_origins(make_result()) == [["auto"] * 4] * 5


def test_set_and_moved_landmarks_are_told_apart() -> None:
    first = make_result()
    anchor = make_anchor(first, 2)  # its last landmark is not set
    points = first.points_px.copy()
    points[1:4, :3] += 1.5
    points[2, :3] = anchor.points_px[:3]
    points[0, 0] += 0.01  # less than anyone can see
    result: AnalysisResult = make_result(points_px=points, anchors=(anchor,), automatic_px=first.points_px)
    edited = ["edited"] * 3 + ["auto"]
    assert landmark_origins(result) == [["auto"] * 4, edited, ["reader"] * 3 + ["auto"], edited, ["auto"] * 4]
    assert np.isnan(anchor.points_px[3]).all()


def test_points_to_start_from_are_a_readers():
    result = make_result(reference_mode="query")
    origins = landmark_origins(result)
    assert origins[result.reference_frame] == ["reader"] * 4
    assert all(
        words == ["auto"] * 4 for frame, words in enumerate(origins) if frame != result.reference_frame
    )
