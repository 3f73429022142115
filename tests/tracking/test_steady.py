"""Steady pictures: places and points are each other's inverse, and the walls stand still."""

import numpy as np
import pytest
from oracle import true_points

from echo_keypoints.tracking.steady import HEIGHT, LEFT, STEP, TOP, WIDTH, SteadyView


def pixel(places):
    """Places → (column, row) of a steady picture, centres at integers."""
    return (places - [LEFT, TOP]) / STEP - 0.5


def beating(length, seed=0):
    """A beating track whose line also turns and drifts."""
    angle = np.linspace(-0.3, 0.5, length)
    turn = np.stack([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
    drift = np.random.default_rng(seed).normal(0, 3, (length, 1, 2))
    return (true_points(length) - 110) @ turn.transpose(0, 2, 1) + 110 + drift


def test_the_track_stands_still():
    view = SteadyView.of(beating(30))
    places = view.to_steady(view.points)
    np.testing.assert_allclose(places, np.broadcast_to(view.places, places.shape), atol=1e-12)
    np.testing.assert_allclose(view.to_frames(view.places), view.points, atol=1e-9)
    assert view.heights[0] == -0.5 and view.heights[3] == pytest.approx(0.5, abs=1e-9)


def test_any_point_finds_its_way_there_and_back():
    view = SteadyView.of(beating(30))
    points = view.points[:, :, None] + np.random.default_rng(1).normal(0, 15, (30, 4, 5, 2))
    points = points.reshape(30, 20, 2)
    np.testing.assert_allclose(view.to_frames(view.to_steady(points)), points, atol=1e-9)
    some = np.array([3, 20])
    np.testing.assert_allclose(view.at(some).to_frames(view.places), view.points[some], atol=1e-9)


def test_directions_are_those_of_a_plax_view():
    view = SteadyView.of(np.array([[[50.0, 20], [50, 40], [50, 100], [50, 120]]]))
    assert view.length_px == 100
    base = view.to_steady(np.array([[[60.0, 70]]]))  # the base lies to the right of a line that points down
    np.testing.assert_allclose(base, [[[0.1, 0.0]]], atol=1e-12)
    np.testing.assert_allclose(view.heights, [-0.5, -0.3, 0.3, 0.5])
    beyond = view.to_frames(np.array([[0.0, 0.7], [0.0, -0.6]]))
    np.testing.assert_allclose(beyond, [[[50, 140], [50, 10]]], atol=1e-9)


def test_what_moves_with_the_walls_stands_still_in_the_pictures():
    points = beating(20)
    view = SteadyView.of(points)
    marked = view.to_frames(np.array([[0.2, 0.1], [-0.1, -0.4], [0.3, 0.45]]))
    y, x = np.mgrid[:224, :224]
    frames = np.zeros((20, 224, 224))
    for k in range(3):
        away = (x - marked[:, k, 0, None, None]) ** 2 + (y - marked[:, k, 1, None, None]) ** 2
        frames += 250 * np.exp(-away / (2 * 2.0**2))
    pictures = view.pictures(frames.clip(0, 255).astype(np.uint8))
    assert pictures.shape == (20, HEIGHT, WIDTH) and pictures.dtype == np.uint8
    steady = pictures.mean(axis=0)
    for place in np.array([[0.2, 0.1], [-0.1, -0.4], [0.3, 0.45]]):
        column, row = np.round(pixel(place)).astype(int)
        assert steady[row, column] > 200
        assert (pictures[:, row, column] > 180).all()
    blurred = frames.mean(axis=0)
    assert blurred.max() < 160  # in the frames themselves they do not


def test_points_that_have_crossed_still_give_a_picture():
    points = beating(5)
    points[2, 1], points[2, 2] = points[2, 2].copy(), points[2, 1].copy()
    points[3] = points[3, :1]  # all four on one spot
    view = SteadyView.of(points)
    assert (np.diff(view.heights) > 0).all()
    assert np.isfinite(view.to_steady(points)).all()
    assert view.pictures(np.full((5, 64, 64), 7, np.uint8)).max() == 7
