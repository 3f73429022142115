from dataclasses import replace

import numpy as np
import pytest

from echo_keypoints.writers.report.curves import draw_curves, thinned
from echo_keypoints.writers.report.figure import Label, Line, Picture, Rectangle
from echo_keypoints.writers.report.stills import chosen_beat, draw_stills, moments
from example_results import make_header, make_result


def shapes(figure, kind, role):
    return [shape for shape in figure.shapes if isinstance(shape, kind) and shape.role.startswith(role)]


@pytest.mark.parametrize("width", [1060, 372])
def test_curves_run_through_their_values(measured, width):
    figure = draw_curves(measured, width, 430)
    cavity, walls = figure.panels
    assert cavity.names == ("LVID",) and walls.names == ("IVS", "LVPW")
    times = measured.clip.frame_times_s
    for panel, name in ((cavity, "LVID"), (walls, "IVS"), (walls, "LVPW")):
        (line,) = shapes(figure, Line, f"curve {name.lower()}")
        values = np.array(measured.measurements["curves"][name])
        x = panel.left + times / times[-1] * (panel.right - panel.left)
        y = panel.bottom - (values - panel.low) / (panel.high - panel.low) * (panel.bottom - panel.top)
        np.testing.assert_allclose(line.points, np.column_stack([x, y]), atol=0.01)


def test_beats_and_doubt_are_marked_at_their_times(measured):
    figure = draw_curves(measured, 1060, 430)
    panel, times = figure.panels[0], measured.clip.frame_times_s

    def column(time_s):
        return panel.left + time_s / times[-1] * (panel.right - panel.left)

    bars = [bar for bar in shapes(figure, Rectangle, "systole") if bar.top == panel.top]
    used = [beat for beat in measured.beats if beat["accepted"]]
    assert [bar.left for bar in bars] == pytest.approx([column(times[beat["ed_frame"]]) for beat in used])
    assert bars[0].left + bars[0].width == pytest.approx(column(times[used[0]["es_frame"]]))
    (doubt,) = (r for r in shapes(figure, Rectangle, "doubt") if r.top == panel.top)  # frames 14 to 17
    assert doubt.left == pytest.approx(column(13.5 / 40)) and doubt.width == pytest.approx(
        column(4 / 40) - panel.left
    )
    names = [label.text for label in shapes(figure, Label, "moment-name")]
    assert set(names) == {"ED", "ES"} and 4 <= len(names) <= 6


def test_gaps_part_a_curve_and_nothing_is_an_empty_figure():
    result = make_result()
    points = result.points_px.copy()
    points[2] = np.nan
    figure = draw_curves(replace(result, points_px=points), 500, 300)
    assert [len(line.points) for line in shapes(figure, Line, "curve lvid")] == [2, 2]
    empty = draw_curves(replace(result, points_px=np.full((5, 4, 2), np.nan)), 500, 300)
    assert shapes(empty, Line, "curve") == []


def test_frames_take_the_place_of_unknown_times():
    figure = draw_curves(make_result(clip=make_header(metadata={"times_known": False})), 500, 300)
    assert figure.shapes[-1] == Label(figure.shapes[-1].at, "frame", "tick", "middle")


def test_many_points_are_thinned_to_their_extremes():
    values = np.column_stack([np.arange(10_000.0), np.random.default_rng(0).normal(size=10_000)])
    kept = thinned(values, 500)
    assert 900 < len(kept) <= 1000
    assert kept[:, 1].max() == values[:, 1].max() and kept[:, 1].min() == values[:, 1].min()
    assert (np.diff(kept[:, 0]) > 0).all() and thinned(values[:900], 500) is not kept


def test_stills_show_ed_and_es_of_the_best_used_beat(measured, report):
    beat = chosen_beat(measured)
    assert beat["accepted"] and beat["complete"]
    wanted = moments(measured)
    assert [moment.frame for moment in wanted] == [beat["ed_frame"], beat["es_frame"]]
    for moment, still in zip(wanted, report.stills, strict=True):
        picture = next(shape for shape in still.shapes if isinstance(shape, Picture))
        placed = report.cine.view.place(measured.points_px[moment.frame])
        zoom = picture.width / report.cine.view.width
        (line,) = (
            x for x in shapes(still, Line, "calliper lvid") if abs(x.points[0][1] - x.points[1][1]) > 40
        )
        np.testing.assert_allclose(line.points, placed[1:3] * zoom + (picture.left, picture.top), atol=1e-6)
        value = measured.lengths["LVID"].mm[moment.frame]
        assert f"LVID {value:.1f} mm" in [label.text for label in shapes(still, Label, "length")]
        ruler = shapes(still, Line, "ruler")[0].points
        assert ruler[2][0] - ruler[1][0] == pytest.approx(10 / measured.clip.spacing_mm[0] * zoom, rel=0.01)


def test_stills_without_used_beats(measured, report):
    rejected = tuple(dict(beat, accepted=False) for beat in measured.beats)
    assert "(rejected)" in moments(replace(measured, beats=rejected))[0].title
    (moment,) = moments(replace(measured, beats=()))
    assert moment.frame == measured.reference_frame
    lost = replace(measured, beats=(), points_px=np.full_like(measured.points_px, np.nan))
    (still,) = draw_stills(lost, report.cine, (moment,))
    assert not shapes(still, Line, "calliper")
