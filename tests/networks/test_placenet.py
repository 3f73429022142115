"""PlaceNet: shapes, what it may depend on, and how votes become places."""

import pytest
import torch

from echo_keypoints.networks import PlaceNet
from echo_keypoints.networks.placenet import PRESETS, SHARPNESS, SIGMA
from echo_keypoints.tracking.steady import HEIGHT, WIDTH

HEIGHTS = torch.tensor([[-0.5, -0.3, 0.3, 0.5], [-0.5, -0.2, 0.2, 0.5]])


@pytest.fixture
def network():
    torch.manual_seed(0)
    return PlaceNet.from_preset("small").eval()


@pytest.mark.parametrize("preset", PRESETS)
def test_every_picture_gets_a_map_for_each_landmark(preset):
    network = PlaceNet.from_preset(preset).eval()
    with torch.no_grad():
        votes = network(torch.rand(2, 3, HEIGHT, WIDTH), HEIGHTS)
        assert votes.shape == (2, 3, 4, HEIGHT // 2, WIDTH // 2)
        assert network.places(votes).shape == (2, 3, 4, 2)


@torch.no_grad()
def test_hearts_do_not_see_each_other_and_frames_have_no_order(network):
    pictures = torch.rand(2, 5, HEIGHT, WIDTH)
    votes = network(pictures, HEIGHTS)
    torch.testing.assert_close(network(pictures[1:], HEIGHTS[1:]), votes[1:], atol=1e-4, rtol=1e-4)
    order = torch.tensor([3, 0, 4, 2, 1])
    torch.testing.assert_close(network(pictures[:, order], HEIGHTS), votes[:, order], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_picture_outside_the_beat_is_judged_in_its_light(network):
    pictures = torch.rand(1, 4, HEIGHT, WIDTH)
    beat = network.beat(*network.describe(pictures[0]), HEIGHTS[:1])
    alone = network.vote(*network.describe(pictures[0, 2:3]), beat)
    torch.testing.assert_close(alone, network(pictures, HEIGHTS[:1])[0, 2:3], atol=1e-4, rtol=1e-4)
    other = network.beat(*network.describe(pictures[0, :2]), HEIGHTS[:1])
    assert (network.vote(*network.describe(pictures[0, 2:3]), other) - alone).abs().max() > 1e-3


@torch.no_grad()
def test_a_single_vote_is_its_cell(network):
    votes = torch.full((1, 4, HEIGHT // 2, WIDTH // 2), -100.0 / SHARPNESS)
    votes[0, :, 10, 30] = 100.0
    place = network.places(votes)[0, 0]
    torch.testing.assert_close(place, torch.stack((network.columns[30], network.rows[10])))
    assert network.doubts(votes).abs().max() == 0


@torch.no_grad()
def test_doubts_are_what_votes_spread_by_beyond_what_they_are_taught(network):
    basal, height = 0.08, 0.04
    away = (network.columns - 0.1).square() / (SIGMA**2 + basal**2)
    away = away + (network.rows[:, None] - 0.05).square() / (SIGMA**2 + height**2)
    votes = (-away / (2 * SHARPNESS)).expand(1, 4, -1, -1)
    torch.testing.assert_close(network.places(votes)[0, 0], torch.tensor([0.1, 0.05]), atol=1e-3, rtol=0)
    torch.testing.assert_close(network.doubts(votes)[0, 0], torch.tensor([basal, height]), atol=1e-3, rtol=0)


@torch.no_grad()
def test_some_frames_can_be_voted_in_in_the_light_of_all(network):
    pictures = torch.rand(2, 5, HEIGHT, WIDTH)
    some = network(pictures, HEIGHTS, torch.tensor([1, 4]))
    torch.testing.assert_close(some, network(pictures, HEIGHTS)[:, [1, 4]], atol=1e-4, rtol=1e-4)


def test_gradients_reach_every_parameter(network):
    network.train()
    network(torch.rand(2, 3, HEIGHT, WIDTH), HEIGHTS).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
