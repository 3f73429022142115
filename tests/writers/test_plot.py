import numpy as np
import pytest
from PIL import Image

from echo_keypoints.anatomy import SEGMENTS
from echo_keypoints.writers.axes import Axes, label, nice_step, padded, ticks
from echo_keypoints.writers.plot import (
    _LEFT,
    _PANELS,
    _RIGHT,
    draw_plot,
    segment_confidence,
    time_axis,
    write_plot,
)
from example_results import make_header, make_result


@pytest.mark.parametrize(
    ("low", "high", "wanted", "expected"),
    [
        (0, 10, 5, [0, 2, 4, 6, 8, 10]),
        (0.03, 2.1, 10, [0.5, 1.0, 1.5, 2.0]),
        (31, 52, 5, [35, 40, 45, 50]),
        (-1, 1, 2, [-1, 0, 1]),
        (5, 5, 3, [5]),
    ],
)
def test_ticks_are_round(low, high, wanted, expected):
    np.testing.assert_allclose(ticks(low, high, wanted), expected, atol=1e-12)


def test_labels_have_the_decimals_of_their_step():
    assert [label(v, s) for v, s in ((5.0, 5.0), (0.5, 0.5), (1.25, 0.05), (2000.0, 100.0))] == [
        "5",
        "0.5",
        "1.25",
        "2000",
    ]
    assert [nice_step(s) for s in (0.0, 0.3, 2.0, 7.0)] == [1.0, 0.5, 2, 10]


def test_ranges_hold_their_values():
    for low, high in ((10.2, 10.2), (0.1, 0.3), (22, 49), (0, 0)):
        bottom, top = padded(low, high, 5)
        assert 0 <= bottom <= low and top >= high and top > bottom


def test_axes_map_corners():
    axes = Axes((10, 20, 110, 220), (0, 2), (30, 50))
    assert (axes.x(0), axes.x(2), axes.y(30), axes.y(50)) == (10, 110, 220, 20)


def test_a_length_is_as_sure_as_its_worse_end():
    confidence = np.array([[0.9, 0.4, 0.8, np.nan]])
    assert [segment_confidence(confidence, s)[0] for s in SEGMENTS] == [0.4, 0.4, 0.0]


def test_the_curve_runs_through_its_values():
    """A constant cavity of 20 mm is a level line half-way between the ticks at 15 and 25 … at its row."""
    points = np.tile([[60.0, 30], [60, 40], [60, 80], [60, 89]], (5, 1, 1))
    picture = np.asarray(draw_plot(make_result(points_px=points, confidence=np.ones((5, 4))))).astype(int)
    top, bottom = _PANELS[0]
    low, high = padded(20, 20, 5)
    row = round(Axes((0, top, 1, bottom), (0, 1), (low, high)).y(20))
    bright = (picture[top:bottom, (_LEFT + _RIGHT) // 2 + 40] > 200).all(axis=1)
    assert abs(float(np.flatnonzero(bright).mean()) + top - row) <= 1.5


@pytest.mark.parametrize("count", [1, 2, 2000])
def test_clips_of_any_length_can_be_drawn(tmp_path, count):
    header = make_header(frame_count=count, frame_times_s=np.arange(count) / 50, spacing_mm=None)
    write_plot(make_result(clip=header, reference_frame=0), tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        assert image.format == "PNG" and image.size == (1280, 800)


def test_nothing_measurable_is_an_empty_plot():
    picture = draw_plot(make_result(points_px=np.full((5, 4, 2), np.nan)))
    assert picture.size == (1280, 800)


def test_without_times_the_axis_counts_frames():
    known, unknown = (
        make_result(clip=make_header(metadata={"times_known": known})) for known in (True, False)
    )
    assert list(time_axis(unknown)) == [1, 2, 3, 4, 5] and list(time_axis(known)) == list(
        known.clip.frame_times_s
    )
    assert draw_plot(known).tobytes() != draw_plot(unknown).tobytes()
