import math

import pytest
import torch
from monai.losses import SSIMLoss
from torch.autograd import gradcheck

from echo_keypoints.losses.flow import (
    FlowLoss,
    census_distance,
    consistent,
    interior,
    masked_mean,
    smoothness,
    ssim_distance,
)


def speckle(seed=0, size=48, dtype=torch.float32):
    """A smooth random image in [0, 1]."""
    noise = torch.rand(1, 1, size, size, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    smooth = torch.nn.functional.avg_pool2d(noise, 5, 1, 2)
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


def constant_flow(x, y, size=48, dtype=torch.float32):
    return torch.tensor([x, y], dtype=dtype).view(1, 2, 1, 1).expand(1, 2, size, size).clone()


def test_ssim_agrees_with_monai():
    a, b = speckle(0), (0.7 * speckle(0) + 0.3 * speckle(1))
    distance = ssim_distance(a, b, window=5)
    # MONAI has a uniform window too; it leaves the border out and scales by n / (n - 1) nowhere.
    expected = SSIMLoss(spatial_dims=2, data_range=1.0, kernel_type="uniform", win_size=5)(a, b)
    assert 2 * distance[..., 2:-2, 2:-2].mean().item() == pytest.approx(expected.item(), rel=1e-4)
    assert ssim_distance(a, a).abs().max() < 1e-6


def test_census_by_the_formula():
    a, b = speckle(0, 12, torch.float64), speckle(1, 12, torch.float64)
    distance = census_distance(a, b, window=3)
    y, x, total = 5, 7, 0.0
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            codes = []
            for image in (a, b):
                d = 255 * (image[0, 0, y + i, x + j] - image[0, 0, y, x]).item()
                codes.append(d / math.sqrt(0.81 + d * d))
            squared = (codes[0] - codes[1]) ** 2
            total += squared / (0.1 + squared) / 9
    assert distance[0, 0, y, x].item() == pytest.approx(total)


def test_census_ignores_gain_and_offset():
    a = speckle(0)
    inner = interior(a, 3)
    changed = masked_mean(census_distance(a, 0.2 + 0.6 * a), inner)
    different = masked_mean(census_distance(a, speckle(1)), inner)
    assert changed < 0.15 * different


def test_interior_frame():
    mask = interior(torch.zeros(2, 3, 8, 9), 3)
    assert mask.shape == (2, 1, 8, 9) and mask.sum() == 2 * 2 * 3
    assert interior(torch.zeros(1, 1, 5, 9), 3).sum() == 0


def test_smoothness_orders():
    image = torch.full((1, 1, 16, 16), 0.5)
    ramp = torch.arange(16.0).expand(1, 2, 16, 16)  # slope 1 along x
    assert smoothness(ramp, image, order=1).item() == pytest.approx(0.5)  # mean of 1 along x and 0 along y
    assert smoothness(ramp, image, order=2).item() == pytest.approx(0.0, abs=1e-6)


def test_edges_in_the_image_permit_edges_in_the_flow():
    image = torch.zeros(1, 1, 16, 16)
    image[..., 8:] = 1
    flow = image.expand(1, 2, 16, 16) * 3
    expected = 3 * math.exp(-10) / 15 / 2
    assert smoothness(flow, image, order=1).item() == pytest.approx(expected, rel=1e-4)
    assert smoothness(flow, torch.zeros_like(image), order=1).item() == pytest.approx(3 / 15 / 2)


def test_consistency_check_finds_the_wrong_part():
    forward, backward = constant_flow(2, 1), constant_flow(-2, -1)
    assert consistent(forward, backward).all()
    backward[..., 20:30, 20:30] = 4.0
    visible = consistent(forward, backward)
    assert not visible[..., 19:29, 18:28].any()
    assert visible[..., :18, :].all()


@pytest.mark.parametrize(
    "weights", [{"l1": 1.0, "census": 0.0}, {"ssim": 1.0, "census": 0.0}, {"census": 1.0}]
)
def test_the_true_translation_has_the_least_loss(weights):
    image = speckle()
    target = torch.roll(image, shifts=(1, 2), dims=(2, 3))  # moved by (2, 1)
    loss = FlowLoss(**weights, scales=(1.0,), check_visibility=True)
    values = {}
    for x in range(5):
        for y in range(-1, 4):
            values[x, y] = loss(image, target, [constant_flow(x, y)], [constant_flow(-x, -y)]).item()
    assert min(values, key=values.get) == (2, 1)
    assert values[2, 1] < 0.3 * sorted(values.values())[1]


def test_coarse_levels_count_in_their_own_pixels():
    image = speckle()
    target = torch.roll(image, shifts=(0, 4), dims=(2, 3))
    loss = FlowLoss(l1=1.0, census=0.0, smooth=0.0, scales=(0.0, 1.0))
    fine, back = constant_flow(4, 0), constant_flow(-4, 0)
    right = loss(image, target, [fine, constant_flow(2, 0, 24)], [back])
    wrong = loss(image, target, [fine, constant_flow(4, 0, 24)], [back])
    assert right < 0.1 * wrong


def test_occluded_pixels_do_not_count():
    image = speckle()
    target = image.clone()
    target[..., 20:30, 20:30] = 1.0
    still, back = constant_flow(0, 0), constant_flow(0, 0)
    loss = FlowLoss(l1=1.0, census=0.0, smooth=0.0, scales=(1.0,))
    assert loss(image, target, [still], [back]) > 0
    back[..., 20:30, 20:30] = 9.0
    assert loss(image, target, [still], [back]).item() == pytest.approx(0, abs=1e-7)


def test_gradients():
    a, b = speckle(0, 8, torch.float64), speckle(1, 8, torch.float64)
    generator = torch.Generator().manual_seed(3)
    flow = torch.rand(1, 2, 8, 8, dtype=torch.float64, generator=generator).requires_grad_()
    assert gradcheck(lambda x: ssim_distance(x, b), (a.clone().requires_grad_(),))
    assert gradcheck(lambda x: census_distance(x, b, 3), (a.clone().requires_grad_(),))
    assert gradcheck(lambda f: smoothness(f, a), (flow,))
    loss = FlowLoss(l1=0.15, ssim=0.85, census=1.0, scales=(1.0,), check_visibility=False)
    assert gradcheck(lambda f: loss(a, b, [f], [f]), (flow,))
