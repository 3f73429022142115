"""What is seen and grabbed in a slice view, drawn off the screen by Slicer's own displayable managers."""

import numpy as np
import pytest

from EchoKeypointsLib.geometry import px_to_ras
from EchoKeypointsLib.looks import SEEN
from slice_view import SliceView

_NEAR_PX = 9


@pytest.fixture
def view(app, study, document):
    made = SliceView(app)
    study.show(document)
    study.go_to(20)
    study.follow()
    from EchoKeypointsLib import layout

    layout.show_volume(app.scene, study.volume)
    made.fit()
    return made


def coloured_near(picture, xy, colour, tolerance=60):
    """Whether a pixel of a colour lies within `_NEAR_PX` of a place (x to the right, y up)."""
    x, y = round(xy[0]), picture.shape[0] - 1 - round(xy[1])
    patch = picture[max(0, y - _NEAR_PX) : y + _NEAR_PX + 1, max(0, x - _NEAR_PX) : x + _NEAR_PX + 1].astype(
        int
    )
    return bool((np.abs(patch - colour).max(axis=-1) < tolerance).any())


def test_landmarks_and_calipers_are_drawn_where_they_are(view, study, result):
    picture = view.picture()
    seen = np.round(255 * np.array(SEEN)).astype(int)
    confident = result.confidence[20] >= 0.5
    for index, point in enumerate(px_to_ras(result.points_px[20], result.clip.spacing_mm)):
        if confident[index]:
            assert coloured_near(picture, view.xy(point), seen), index
    middle = px_to_ras(result.points_px[20, 1:3].mean(axis=0), result.clip.spacing_mm)
    assert coloured_near(picture, view.xy(middle), (240, 240, 240), 25)


def test_the_image_is_the_clip_s_and_upright(view, study, clip):
    """A bright and a dark patch of the frame, looked up in the picture."""
    study.points.GetDisplayNode().SetVisibility(False)
    for name in ("IVS", "LVID", "LVPW"):
        study.get(f"line {name}").GetDisplayNode().SetVisibility(False)
    picture = view.picture().mean(axis=-1)
    differences = []
    for x, y in ((224, 60), (150, 220), (260, 300), (200, 370), (300, 180)):
        shown = view.xy(px_to_ras([x, y], clip.header.spacing_mm))
        row, column = picture.shape[0] - 1 - round(shown[1]), round(shown[0])
        drawn = picture[row - 3 : row + 4, column - 3 : column + 4].mean()
        differences.append(abs(drawn - clip.pixels[20][y - 3 : y + 4, x - 3 : x + 4].mean()))
    assert np.median(differences) < 12 and max(differences) < 40


def test_a_drag_moves_the_landmark_and_becomes_an_anchor(view, study, result, controller):
    from EchoKeypointsLib.selftest import wait

    controller.select(study)
    start = px_to_ras(study.points_px[1], result.clip.spacing_mm)
    end = start + np.array([3, -4, 0])
    view.press(start)
    view.move(start, end)
    held = study.points_px[1].copy()
    assert not controller.editor.busy  # nothing is sent while the mouse is down
    line = study.get("line LVID").GetLineLengthWorld()
    assert line != pytest.approx(result.lengths["LVID"].mm[20], abs=0.5)  # but the caliper follows
    view.release(end)
    assert controller.editor.busy
    wait(controller, lambda: not controller.editor.busy)
    anchor = study.result.anchors[0]
    assert anchor.frame == 20 and anchor.points_px[1] == pytest.approx(held, abs=1e-3)
    assert np.isnan(anchor.points_px[[0, 2, 3]]).all()
    assert study.points_px[1] == pytest.approx(held, abs=1e-3)
    moved = np.hypot(*(study.result.points_px[:, 1] - result.points_px[:, 1]).T)
    assert (moved[15:26] > 1).all()  # neighbours follow


def test_an_answer_under_the_mouse_makes_no_other_landmark_an_anchor(view, study, result, controller):
    from EchoKeypointsLib.selftest import wait

    controller.select(study)
    other = np.full((4, 2), np.nan)
    other[3] = result.points_px[24, 3] + (0, 8)
    controller.editor.set_landmarks(24, other)
    start = px_to_ras(study.points_px[1], result.clip.spacing_mm)
    end = start + np.array([3, -4, 0])
    view.press(start)
    view.move(start, end)
    wait(controller, lambda: not controller.editor.busy)
    assert abs(study.result.points_px[20, 3] - result.points_px[20, 3]).max() > 1  # it moved meanwhile
    view.release(end)
    wait(controller, lambda: not controller.editor.busy)
    anchors = {a.frame: ~np.isnan(a.points_px).any(axis=1) for a in study.result.anchors}
    assert anchors[20].tolist() == [False, True, False, False]
    assert study.points_px == pytest.approx(study.result.points_px[20], abs=1e-3)


def test_a_frame_is_drawn_when_it_is_shown(view, study):
    first = view.picture()
    study.go_to(40)
    assert np.abs(view.picture().astype(int) - first).mean() > 1
