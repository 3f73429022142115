import itertools

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from echo_keypoints.losses import PatchLoss, PseudoLoss, TrajectoryLoss, pseudo_points
from echo_keypoints.losses.trajectory import pair_weights


def random(*shape, seed=0):
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_pseudo_points_follow_the_flow():
    # An affine flow is read exactly between pixels: F(x, y) = (0.1 x, 2 - 0.05 y).
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(24.0), indexing="ij")
    flow = torch.stack((0.1 * x, 2 - 0.05 * y))[None]
    points = torch.tensor([[[10.5, 4.25], [3.0, 7.0]]])
    expected = torch.tensor([[[11.55, 6.0375], [3.3, 8.65]]])
    torch.testing.assert_close(pseudo_points(flow, points), expected, atol=1e-4, rtol=0)


def test_pseudo_loss_by_hand():
    points = torch.zeros(1, 2, 2, 2)
    pseudo = torch.tensor([[[[3.0, 4.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 2.0]]]])  # distances 5, 1, 0, 2
    assert PseudoLoss()(points, pseudo).item() == pytest.approx((25 + 1 + 0 + 4) / 4)
    assert PseudoLoss(huber_px=2)(points, pseudo).item() == pytest.approx((2 * 2 * 5 - 4 + 1 + 0 + 4) / 4)
    mask = torch.tensor([[[0.0, 1.0], [1.0, 0.5]]])
    assert PseudoLoss()(points, pseudo, mask).item() == pytest.approx((1 + 0 + 2) / 2.5)
    assert PseudoLoss()(points, pseudo, torch.zeros(1, 2, 2)).item() == 0


def test_huber_has_a_gradient_at_zero_distance():
    points = torch.zeros(1, 1, 1, 2, requires_grad=True)
    PseudoLoss(huber_px=2)(points, torch.zeros(1, 1, 1, 2)).backward()
    assert points.grad is not None and (points.grad == 0).all()


@pytest.mark.parametrize("zero_mean", [True, False])
def test_patch_loss_by_pairs(zero_mean):
    patches = random(2, 3, 5, 16)
    loss = PatchLoss(decay=0.9, zero_mean=zero_mean, eps=0.0).compare(patches)
    total = []
    for b, k in itertools.product(range(2), range(3)):
        numerator = denominator = 0.0
        for i, j in itertools.permutations(range(5), 2):
            p, q = patches[b, k, i].numpy(), patches[b, k, j].numpy()
            cosine = np.corrcoef(p, q)[0, 1] if zero_mean else p @ q / np.linalg.norm(p) / np.linalg.norm(q)
            numerator += 0.9 ** abs(i - j) * (1 - cosine)
            denominator += 0.9 ** abs(i - j)
        total.append(numerator / denominator)
    assert loss.item() == pytest.approx(np.mean(total))


def test_pair_weights_by_hand():
    expected = np.array([[0, 0.9, 0.81], [0.9, 0, 0.9], [0.81, 0.9, 0]]) / (4 * 0.9 + 2 * 0.81)
    np.testing.assert_allclose(pair_weights(3, 0.9).numpy(), expected)


def test_following_the_texture_is_the_optimum():
    torch.manual_seed(0)
    texture = torch.nn.functional.avg_pool2d(torch.rand(1, 1, 96, 96), 5, 1, 2)
    frames = torch.stack([torch.roll(texture[0], shifts=(t, 2 * t), dims=(1, 2)) for t in range(4)])[None]
    start = torch.tensor([[40.0, 44.0], [50.0, 40.0]])
    true = torch.stack([start + torch.tensor([2.0 * t, 1.0 * t]) for t in range(4)])[None]
    loss = PatchLoss()
    follow, stay = loss(frames, true), loss(frames, true[:, :1].expand_as(true))
    assert follow < 0.05 and stay > 0.3

    # The gradient leads back to the truth from half a pixel off.
    points = (
        true + torch.tensor([0.5, -0.5]) * torch.tensor([0.0, 1.0, -1.0, 0.0])[:, None, None]
    ).requires_grad_()
    loss(frames, points).backward()
    assert ((points.detach() - true) * points.grad).sum() > 0


def test_flat_patches_give_finite_values_and_gradients():
    points = torch.full((1, 3, 1, 2), 20.0, requires_grad=True)
    loss = PatchLoss()(torch.zeros(1, 3, 1, 40, 40), points)
    loss.backward()
    assert loss.item() == pytest.approx(1.0)
    assert points.grad is not None and points.grad.isfinite().all()


def test_total_weights_by_hand():
    frames, pseudo = random(1, 3, 1, 32, 32).float(), torch.full((1, 3, 2, 2), 16.0)
    iterations = [pseudo + d for d in (3.0, 2.0, 1.0)]
    patch = PatchLoss(size=8)
    total, log = TrajectoryLoss(patch=patch, patch_scale=10.0)(iterations, pseudo, frames)
    expected = 0.0
    for i, d in enumerate((3.0, 2.0, 1.0), start=1):
        expected += 0.8 ** (3 - i) * (2 * d * d + 0.8 ** (3 - i) * 10 * patch(frames, pseudo + d).item()) / 3
    assert total.item() == pytest.approx(expected, rel=1e-5)
    assert log["pseudo"].item() == pytest.approx(2.0)
    assert log["patch"].item() == pytest.approx(patch(frames, pseudo + 1).item())


def test_gradients():
    frames = random(1, 3, 1, 16, 16)
    points = (random(1, 3, 2, 2, seed=1) * 6 + 5).requires_grad_()
    pseudo = points.detach() + random(1, 3, 2, 2, seed=2)
    assert gradcheck(lambda p: PseudoLoss()(p, pseudo), (points,))
    assert gradcheck(lambda p: PseudoLoss(huber_px=0.5)(p, pseudo), (points,))
    for zero_mean in (True, False):
        assert gradcheck(lambda p, z=zero_mean: PatchLoss(size=4, zero_mean=z)(frames, p), (points,))
    loss = TrajectoryLoss(patch=PatchLoss(size=4))
    assert gradcheck(lambda p: loss([p, p * 1.01], pseudo, frames)[0], (points,))
    flow = random(1, 2, 8, 8).requires_grad_()
    assert gradcheck(pseudo_points, (flow, random(1, 2, 2) * 5))


def test_velocity_term_sees_trembling_and_no_constant_error():
    pseudo = torch.zeros(1, 5, 1, 2)
    shifted, trembling = pseudo + 1.0, pseudo.clone()
    trembling[0, ::2, 0, 0] = 1.0
    plain, steady = PseudoLoss(), PseudoLoss(velocity=4.0)
    assert steady(shifted, pseudo) == plain(shifted, pseudo)
    assert steady(trembling, pseudo).item() == pytest.approx(plain(trembling, pseudo).item() + 4.0)
    mask = torch.ones(1, 5, 1)
    mask[0, 2] = 0  # two steps remain, of four
    assert steady(trembling, pseudo, mask).item() == pytest.approx(
        plain(trembling, pseudo, mask).item() + 4.0
    )
