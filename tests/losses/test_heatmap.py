import math

import pytest
import torch
from monai.transforms import GenerateHeatmapd

from echo_keypoints.losses import HeatmapLoss, gaussian_heatmaps


def test_gaussians_agree_with_monai_at_integer_points():
    points = torch.tensor([[30.0, 20.0], [15.0, 32.0], [40.0, 31.0], [33.0, 15.0]])
    generate = GenerateHeatmapd(
        keys="points", heatmap_keys="maps", sigma=3.0, spatial_shape=(48, 64), truncated=5.0
    )
    expected = torch.as_tensor(generate({"points": points.flip(-1).numpy()})["maps"])
    # MONAI integrates the Gaussian over each pixel, which adds the variance 1/12 of a pixel's box.
    assert torch.allclose(gaussian_heatmaps(points, (48, 64), math.sqrt(9 + 1 / 12)), expected, atol=2e-4)


def test_gaussians_are_exact_between_pixels():
    maps = gaussian_heatmaps(torch.tensor([[[10.25, 7.5]]], dtype=torch.float64), 24, 2.0)
    assert maps.shape == (1, 1, 24, 24)
    assert maps[0, 0, 7, 10].item() == pytest.approx(math.exp(-(0.25**2 + 0.5**2) / 8))
    # The centroid of an uncut Gaussian is the point itself.
    mass = maps[0, 0] / maps[0, 0].sum()
    index = torch.arange(24, dtype=torch.float64)
    assert (mass.sum(0) @ index).item() == pytest.approx(10.25, abs=2e-4)
    assert (mass.sum(1) @ index).item() == pytest.approx(7.5, abs=2e-3)


def test_point_outside_leaves_a_tail_inside():
    maps = gaussian_heatmaps(torch.tensor([-1.0, 4.0]), 8, 2.0)
    assert maps.max() == maps[4, 0] == pytest.approx(math.exp(-1 / 8))


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        # target (1, 0), prediction (0.5, 0.2), mean of two pixels
        ("foreground", (0.25 * 1.01 + 0.04 * 0.01) / 2),
        ("mse", (0.25 + 0.04) / 2),
        ("eight_bit", (0.25 * 3.55 + 0.04) / 2),
        ("literal", 0.5 * 1.01 / 2),
    ],
)
def test_readings_by_hand(reading, expected):
    target = torch.tensor([[[[1.0, 0.0]]]])
    prediction = torch.tensor([[[[0.5, 0.2]]]])
    assert HeatmapLoss(reading)(prediction, target).item() == pytest.approx(expected)


def test_only_the_literal_reading_is_unbounded():
    target = gaussian_heatmaps(torch.tensor([[[8.0, 8.0]]]), 16, 2.0)
    assert HeatmapLoss("literal")(1000 * target, target) < 0
    for reading in ("foreground", "mse", "eight_bit"):
        assert HeatmapLoss(reading)(target, target) == 0


def test_unlabelled_keypoints_do_not_count():
    points = torch.tensor([[[4.0, 4.0], [math.nan, math.nan]]])
    target = gaussian_heatmaps(points, 8, 2.0)
    prediction = torch.zeros(1, 2, 8, 8, requires_grad=True)
    loss = HeatmapLoss()(prediction, target, weight=torch.tensor([[1.0, 0.0]]))
    loss.backward()
    assert loss.item() == pytest.approx(HeatmapLoss()(prediction[:, :1], target[:, :1]).item())
    assert prediction.grad is not None and prediction.grad.isfinite().all()


def test_gradient():
    torch.manual_seed(0)
    target = gaussian_heatmaps(torch.rand(2, 4, 2, dtype=torch.float64) * 8, 8, 2.0)
    prediction = torch.rand(2, 4, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(HeatmapLoss(), (prediction, target))


def test_unknown_reading_is_refused():
    with pytest.raises(ValueError, match="foreground"):
        HeatmapLoss("huber")
