"""SK-net: shapes, presets, and the parts that training alone uses."""

import pytest
import torch

from echo_keypoints.networks.sknet import PRESETS, STRIDES, SKNet


@pytest.mark.parametrize("preset", PRESETS)
def test_heatmaps_and_context_features_have_the_papers_resolutions(preset):
    overrides = {"blocks": (1, 1, 1, 1), "modules": (1, 1, 1)} if preset == "paper" else {}
    network = SKNet.from_preset(preset, **overrides).eval()
    with torch.no_grad():
        heatmaps, features = network.features(torch.rand(2, 1, 64, 96))
    assert heatmaps.shape == (2, 4, 64, 96)
    assert [tuple(f.shape) for f in features] == [
        (2, width, 64 // stride, 96 // stride) for width, stride in zip(network.widths, STRIDES, strict=True)
    ]


def test_the_heads_that_help_training_change_no_heatmap():
    torch.manual_seed(0)
    network = SKNet.from_preset("small", tissue_classes=8, valve_points=3).eval()
    frames = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        heatmaps, tissue, valves = network.forward_with_aids(frames)
        torch.testing.assert_close(heatmaps, network(frames))
    assert (tissue.shape, valves.shape) == ((1, 8, 16, 16), (1, 3, 16, 16))


def test_the_tissue_head_must_have_been_asked_for():
    with pytest.raises(ValueError, match="tissue_classes"):
        SKNet.from_preset("small").forward_with_aids(torch.rand(1, 1, 64, 64))


def test_gradients_reach_every_parameter():
    torch.manual_seed(0)
    network = SKNet.from_preset("small", tissue_classes=8, valve_points=3)
    outputs = network.forward_with_aids(torch.rand(2, 1, 64, 64))
    sum(output.square().mean() for output in outputs).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
