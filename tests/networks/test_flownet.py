import pytest
import torch

from echo_keypoints.networks.flownet import PRESETS, FlowNet


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
