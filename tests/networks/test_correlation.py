import torch
from torch.autograd import gradcheck

from echo_keypoints.networks.correlation import cost_volume, patch_correlation, shift_correlation, unit_length


def random(*shape, seed=0):
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_cost_volume_by_explicit_shifts():
    reference, target = random(2, 3, 6, 7), random(2, 3, 6, 7, seed=1)
    costs = cost_volume(reference, target, radius=2)
    assert costs.shape == (2, 25, 6, 7)
    for index, (dy, dx) in enumerate((y, x) for y in range(-2, 3) for x in range(-2, 3)):
        for y, x in ((0, 0), (3, 4), (5, 6)):
            inside = 0 <= y + dy < 6 and 0 <= x + dx < 7
            expected = (
                (reference[:, :, y, x] * target[:, :, y + dy, x + dx]).mean(1) if inside else torch.zeros(2)
            )
            torch.testing.assert_close(costs[:, index, y, x], expected.double())


def test_cost_volume_peaks_at_the_motion():
    reference = unit_length(random(1, 8, 12, 12) - 0.5, dim=1)
    target = torch.roll(reference, shifts=(1, -2), dims=(2, 3))  # moved by x -2, y +1
    best = cost_volume(reference, target, radius=3)[0, :, 5, 6].argmax().item()
    assert divmod(best, 7) == (1 + 3, -2 + 3)


def test_patch_correlation_is_every_pair():
    reference, target = random(2, 4, 5, 3, 3), random(2, 4, 5, 6, 6, seed=1)
    expected = torch.einsum("nkcab,nkcxy->nkabxy", reference, target).reshape(2, 4, 9, 36)
    torch.testing.assert_close(patch_correlation(reference, target), expected)


def test_shift_correlation_pools_the_diagonals_of_every_pair():
    reference, target = random(2, 3, 4, 4), random(2, 3, 6, 6, seed=1)  # r = 1
    pairs = torch.einsum("ncab,ncxy->nabxy", reference, target) / 3
    result = shift_correlation(reference, target, parts=2)
    assert result.shape == (2, 4, 9)
    for part, (top, left) in enumerate((t, x) for t in (0, 2) for x in (0, 2)):
        for shift, (dy, dx) in enumerate((y, x) for y in range(3) for x in range(3)):
            cells = [pairs[:, top + i, left + j, top + i + dy, left + j + dx] for i in (0, 1) for j in (0, 1)]
            torch.testing.assert_close(result[:, part, shift], torch.stack(cells).mean(0))


def test_unit_length_makes_cosines_and_survives_zeros():
    vectors = random(2, 5, 3) + 1
    torch.testing.assert_close(
        unit_length(vectors, 1, 1e-12).norm(dim=1), torch.ones(2, 3, dtype=torch.float64)
    )
    zeros = torch.zeros(1, 3, requires_grad=True)
    unit_length(zeros, 1).sum().backward()
    assert zeros.grad is not None and zeros.grad.isfinite().all()


def test_gradients():
    reference, target = random(1, 2, 4, 4).requires_grad_(), random(1, 2, 6, 6, seed=1).requires_grad_()
    assert gradcheck(lambda a, b: cost_volume(a, b[..., 1:5, 1:5], 1), (reference, target))
    assert gradcheck(patch_correlation, (reference, target))
    assert gradcheck(shift_correlation, (reference, target))
    assert gradcheck(lambda a: unit_length(a, 1), (reference,))
