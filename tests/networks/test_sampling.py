import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torch.autograd import gradcheck

from echo_keypoints.networks.sampling import (
    inside,
    sample_patches,
    sample_points,
    to_map_pixels,
    warp,
)


@pytest.fixture
def maps():
    return torch.rand(2, 3, 13, 17, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_points_agree_with_scipy(maps):
    rng = np.random.default_rng(0)
    points = rng.uniform((-3, -3), (20, 16), size=(2, 40, 2))  # some of them outside
    sampled = sample_points(maps, torch.as_tensor(points)).numpy()
    for n in range(2):
        for c in range(3):
            # scipy's "nearest" continues the border, as the docstring promises.
            expected = map_coordinates(maps[n, c].numpy(), points[n, :, ::-1].T, order=1, mode="nearest")
            np.testing.assert_allclose(sampled[n, :, c], expected, atol=1e-12)


def test_pixel_centres_are_integers(maps):
    sampled = sample_points(maps, torch.tensor([[[5.0, 7.0]]] * 2, dtype=torch.float64))
    torch.testing.assert_close(sampled[1, 0], maps[1, :, 7, 5])


def test_strides_follow_the_convention():
    # Average pooling by s puts sample i at (i + 0.5) * s - 0.5, so a ramp keeps its values there.
    ramp = torch.arange(32.0).expand(1, 1, 32, 32)
    for stride in (1, 2, 4, 8):
        pooled = torch.nn.functional.avg_pool2d(ramp, stride)
        point = torch.tensor([[[13.3, 16.0]]])
        assert sample_points(pooled, to_map_pixels(point, stride)).item() == pytest.approx(13.3, abs=1e-4)


def test_patch_is_a_crop_at_integer_points(maps):
    patches = sample_patches(maps, torch.tensor([[[6.0, 5.0]], [[8.0, 7.0]]], dtype=torch.float64), size=5)
    assert patches.shape == (2, 1, 3, 5, 5)
    torch.testing.assert_close(patches[0, 0], maps[0, :, 3:8, 4:9])
    torch.testing.assert_close(patches[1, 0], maps[1, :, 5:10, 6:11])


def test_even_patch_lies_between_pixels(maps):
    patches = sample_patches(maps, torch.tensor([[[6.5, 5.5]]] * 2, dtype=torch.float64), size=4)
    torch.testing.assert_close(patches[0, 0], maps[0, :, 4:8, 5:9])


def test_cells_of_a_crop_can_be_filtered_beforehand():
    """A 3×3 filter on the map, then 8×8 samples 3 apart, is the 24×24 crop filtered cell by cell."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(1, 2, 64, 64, dtype=torch.float64, generator=generator)
    kernel = torch.rand(4, 2, 3, 3, dtype=torch.float64, generator=generator)
    points = torch.tensor([[[30.27, 33.81]]], dtype=torch.float64)
    crop = sample_patches(maps, points, size=24)[0]
    filtered = torch.nn.functional.conv2d(maps, kernel, padding=1)
    torch.testing.assert_close(
        sample_patches(filtered, points, size=8, spacing=3)[0],
        torch.nn.functional.conv2d(crop, kernel, stride=3),
    )


def test_warp_undoes_a_translation():
    image = torch.rand(1, 1, 20, 20)
    target = torch.roll(image, shifts=(2, 3), dims=(2, 3))  # target(p + (3, 2)) = image(p)
    flow = torch.tensor([3.0, 2.0]).view(1, 2, 1, 1).expand(1, 2, 20, 20)
    visible = inside(flow)
    assert visible.sum() == 18 * 17 and visible[0, 0, :18, :17].all()
    torch.testing.assert_close(warp(target, flow)[visible], image[visible], atol=1e-5, rtol=0)


def test_gradients(maps):
    generator = torch.Generator().manual_seed(2)
    points = (torch.rand(2, 2, 2, dtype=torch.float64, generator=generator) * 8 + 2).requires_grad_()
    maps = maps[:, :, :12, :12].clone().requires_grad_()
    assert gradcheck(sample_points, (maps, points))
    assert gradcheck(lambda m, p: sample_patches(m, p, 3, stride=2), (maps, points))
    flow = (torch.rand(2, 2, 12, 12, dtype=torch.float64, generator=generator) - 0.5).requires_grad_()
    assert gradcheck(lambda f: warp(maps.detach()[:, :1], f), (flow,))
