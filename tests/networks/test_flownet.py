import pytest
import torch

from echo_keypoints.networks.flownet import PRESETS, FlowNet
from echo_keypoints.networks.matching import Matching, local_mean


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("size", [(64, 96), (70, 57)])
def test_shapes(preset, size):
    network = FlowNet.from_preset(preset).eval()
    frames = torch.rand(2, 2, 1, *size)
    with torch.no_grad():
        flows = network.pyramid(frames[0], frames[1])
        flow = network(frames[0], frames[1])
    assert network.preset == preset
    assert flow.shape == (2, 2, *size)
    torch.testing.assert_close(flow, flows[0])
    for level, f in enumerate(flows):
        assert f.shape[-2:] == tuple(-(-s // 2**level) for s in size)


def test_both_ways_is_two_calls():
    torch.manual_seed(0)
    network = FlowNet.from_preset("small").eval()
    a, b = torch.rand(2, 3, 1, 64, 64)
    with torch.no_grad():
        forward, backward = network.pyramid_both_ways(a, b)
        for got, expected in zip(
            forward + backward, network.pyramid(a, b) + network.pyramid(b, a), strict=True
        ):
            torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_gain_and_offset_do_not_matter():
    torch.manual_seed(0)
    network = FlowNet.from_preset("small").eval()
    a, b = torch.rand(2, 1, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(network(0.1 + 0.8 * a, b), network(a, b), atol=0.05, rtol=0.05)


def test_small_is_small():
    count = sum(p.numel() for p in FlowNet.from_preset("small").parameters())
    assert 1e5 < count < 6e5


def moved(shift: tuple[int, int], size: int = 96) -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth texture, and the same moved by (x, y) whole px."""
    noise = torch.rand(1, 1, size, size, generator=torch.Generator().manual_seed(0))
    texture = torch.nn.functional.avg_pool2d(noise, 5, 1, 2)
    texture = (texture - texture.min()) / (texture.max() - texture.min())
    return texture, torch.roll(texture, shifts=shift[::-1], dims=(2, 3))


def test_before_any_training_it_sees_most_of_a_motion():
    torch.manual_seed(0)
    network = FlowNet.from_preset("small").eval()
    for shift in ((2, 1), (-3, 0)):
        with torch.no_grad():
            flow = network(*moved(shift))[..., 16:-16, 16:-16].mean((0, 2, 3))
        truth = torch.tensor(shift, dtype=torch.float32)
        assert (flow - truth).norm() < 0.5 * truth.norm()


def test_matching_reads_a_displacement_off_the_costs():
    match = Matching(radius=2, stride=4, gather=1)
    costs = torch.zeros(1, 25, 6, 6)
    costs[:, 2 * 5 + 3] = 1.0  # dy = 0, dx = 1
    with torch.no_grad():
        torch.testing.assert_close(
            match.displacement(costs), torch.tensor([1.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 6, 6)
        )
        assert match.displacement(torch.zeros(1, 25, 6, 6)).abs().max() < 1e-6, "no evidence, no motion"
        # The prior: between equal costs the smaller displacement has the say.
        costs[:, 2 * 5 + 4] = 1.0
        assert 1.0 < match.displacement(costs)[0, 0, 0, 0] < 1.5


def test_windows_do_not_count_what_is_beyond_the_border():
    maps = torch.ones(1, 1, 5, 5)
    torch.testing.assert_close(local_mean(maps, 3), maps)
    assert local_mean(torch.eye(5)[None, None], 3)[0, 0, 0, 0] == 0.5
