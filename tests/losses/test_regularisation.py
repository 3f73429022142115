import torch

from echo_keypoints.losses.regularisation import (
    AugmentationLoss,
    random_affines,
    transform_pair,
    vary_appearance,
)
from echo_keypoints.networks.flownet import FlowNet
from echo_keypoints.networks.sampling import warp


def blobs(size=64, shift=(0.0, 0.0)):
    """Smooth image whose exact translate is known: a sum of Gaussians."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.rand(60, 2, generator=generator) * size + torch.tensor(shift)
    index = torch.arange(float(size))
    gx = torch.exp(-((index - centres[:, :1]) ** 2) / 18)
    gy = torch.exp(-((index - centres[:, 1:]) ** 2) / 18)
    image = torch.einsum("ky,kx->yx", gy, gx)
    return (image / image.max())[None, None]


def test_transformed_flow_still_aligns_the_transformed_frames():
    reference, target = blobs(), blobs(shift=(3.0, -2.0))
    flow = torch.tensor([3.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 64, 64)
    mask = torch.ones(1, 1, 64, 64)
    first = random_affines(1, torch.Generator().manual_seed(1), turn=15, zoom=0.2, shift=4)
    second = random_affines(1, torch.Generator().manual_seed(2), turn=15, zoom=0.2, shift=4)
    a, b, new_flow, new_mask = transform_pair(reference, target, flow, mask, first, second)
    trusted = new_mask.bool()
    trusted[..., :12, :] = trusted[..., -12:, :] = trusted[..., :12] = trusted[..., -12:] = False
    before = (a - b)[trusted].abs().mean()
    after = (a - warp(b, new_flow))[trusted].abs().mean()
    assert trusted.sum() > 1000 and after < 0.05 * before


def test_identity_changes_nothing():
    reference, target = blobs(), blobs(shift=(1.0, 0.0))
    flow, mask = torch.rand(1, 2, 64, 64), torch.ones(1, 1, 64, 64)
    identity = random_affines(1, torch.Generator().manual_seed(0), turn=0, zoom=0, shift=0)
    got = transform_pair(reference, target, flow, mask, identity, identity)
    for x, y in zip(got, (reference, target, flow, mask), strict=True):
        torch.testing.assert_close(x, y, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        vary_appearance(reference, torch.Generator(), 0.0), reference, atol=1e-5, rtol=0
    )


def test_loss_reaches_only_the_augmented_pass_and_repeats_with_its_seed():
    torch.manual_seed(0)
    network = FlowNet.from_preset("small")
    reference, target = blobs(), blobs(shift=(2.0, 0.0))
    flow = network(reference, target)
    mask = torch.ones(1, 1, 64, 64)

    def loss(seed):
        return AugmentationLoss()(network, reference, target, flow, mask, torch.Generator().manual_seed(seed))

    assert loss(1).item() == loss(1).item() != loss(2).item()
    flow.retain_grad()
    loss(1).backward()
    assert flow.grad is None
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_nothing_trusted_gives_zero():
    frames = blobs()
    flow, mask = torch.zeros(1, 2, 64, 64), torch.zeros(1, 1, 64, 64)
    loss = AugmentationLoss()(lambda a, b: flow, frames, frames, flow, mask, torch.Generator())
    assert loss.item() == 0
