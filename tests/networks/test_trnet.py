import numpy as np
import pytest
import torch

from echo_keypoints.networks import SKNet, TRNet
from echo_keypoints.networks.evidence import normalise_locally, position_code
from echo_keypoints.tracking.windows import neighbour_pairs, window_indices, window_starts

SIZE = 64


def features(count, widths, size=SIZE, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        torch.rand(count, width, size // s, size // s, generator=generator)
        for width, s in zip(widths, (1, 2, 4, 8), strict=True)
    )


def window(network, batch=1, seed=0):
    """Inputs of `forward` on random frames: maps, points, reference points, descriptors."""
    generator = torch.Generator().manual_seed(seed)
    count = batch * network.window
    frames = torch.rand(count, 1, SIZE, SIZE, generator=generator)
    maps = network.encode(frames, features(count, (8, 8, 16, 32), seed=seed))
    points = torch.rand(batch, network.window, 4, 2, generator=generator) * 30 + 17
    reference = tuple(m[:: network.window] for m in maps)
    return maps, points, points[:, 0], network.describe(reference, points[:, 0])


@pytest.fixture
def network():
    torch.manual_seed(0)
    return TRNet.from_preset("small").eval()


@pytest.fixture
def moved(network):
    """A network past its identity start."""
    torch.nn.init.normal_(network.step.weight, std=0.1)
    return network


@pytest.mark.parametrize("preset", ["small", "paper"])
def test_shapes_and_identity_at_the_start(preset):
    network = TRNet.from_preset(preset, feature_widths=(8, 8, 16, 32)).eval()
    with torch.no_grad():
        maps, points, reference, descriptors = window(network, batch=2)
        refined = network(maps, points, reference, descriptors)
    assert [m.shape[-1] for m in maps] == [64, *(64 // 2**level for level in network.levels)]
    assert descriptors[0].shape == (2, 4, 1, 16, 16)
    assert all(d.shape[:2] == (2, 4) and d.shape[3:] == (8, 8) for d in descriptors[1:])
    torch.testing.assert_close(refined, points, atol=0, rtol=0)


@pytest.mark.parametrize("use_context", [True, False])
@pytest.mark.parametrize("use_correlation", [True, False])
def test_ablations(use_context, use_correlation):
    network = TRNet.from_preset("small", use_context=use_context, use_correlation=use_correlation)
    maps, points, reference, descriptors = window(network)
    assert len(maps) == (4 if use_context else 1)
    results = network.refine(maps, points, reference, descriptors, iterations=2)
    (results[-1] - 1).square().mean().backward()
    assert len(results) == 2 and network.step.weight.grad.abs().sum() > 0


def test_it_fits_the_widths_of_sknet():
    detector = SKNet.from_preset("small").eval()
    network = TRNet.from_preset("small", feature_widths=detector.widths)
    with torch.no_grad():
        frames = torch.rand(1, 1, SIZE, SIZE)
        maps = network.encode(frames, detector.features(frames)[1])
    assert [m.shape[1] for m in maps] == [1, 12, 16, 16]


def test_windows_do_not_see_each_other(moved):
    with torch.no_grad():
        first, second = window(moved, seed=1), window(moved, seed=2)
        both = [
            tuple(map(torch.cat, zip(a, b, strict=True))) if isinstance(a, tuple) else torch.cat((a, b))
            for a, b in zip(first, second, strict=True)
        ]
        expected = torch.cat((moved(*first), moved(*second)))
        torch.testing.assert_close(moved(*both), expected, atol=1e-4, rtol=0)
        assert (expected - both[1]).abs().max() > 0.1


@pytest.mark.parametrize("length", [60, 24, 10])
def test_overlapping_windows_move_as_each_alone_would(moved, length):
    """What a frame alone tells is shared by the windows that see it; the numbers are the same."""
    torch.nn.init.normal_(moved.rate.weight, std=0.1)
    windows = np.stack([window_indices(start, 24, length) for start in window_starts(length, 24)])
    pairs, rows = map(torch.from_numpy, neighbour_pairs(windows))
    frames = torch.rand(length, 1, SIZE, SIZE)
    with torch.no_grad():
        maps = moved.encode(frames, features(length, (8, 8, 16, 32)))
        points = torch.rand(length, 4, 2) * 30 + 17
        descriptors = moved.describe(tuple(m[3:4] for m in maps), points[3:4])
        together = moved.step_windows(maps, points, points[3:4], descriptors, pairs, rows)
        alone = [
            moved(tuple(m[w] for m in maps), points[w][None], points[3:4], descriptors)[0] for w in windows
        ]
    torch.testing.assert_close(together, torch.stack(alone), atol=1e-4, rtol=0)
    assert (together - points[torch.from_numpy(windows)]).abs().max() > 0.1


def test_time_and_landmarks_are_mixed(moved):
    with torch.no_grad():
        maps, points, reference, descriptors = window(moved)
        before = moved(maps, points, reference, descriptors)
        changed = points.clone()
        changed[0, 5, 2] += 3
        difference = (moved(maps, changed, reference, descriptors) - before).abs().sum(-1)[0]
    assert (difference > 0).all()  # every frame and every key-point hears of it


def test_gain_and_offset_of_the_image_do_not_matter():
    frames = torch.rand(1, 1, SIZE, SIZE)
    torch.testing.assert_close(
        normalise_locally(0.2 + 0.7 * frames), normalise_locally(frames), atol=0.02, rtol=0
    )
    assert normalise_locally(torch.full((1, 1, 16, 16), 0.4)).abs().max() < 1e-4
    textured = normalise_locally(frames)
    assert textured.mean().abs() < 0.05 and 0.9 < textured.std() < 1.1


def test_correlation_of_the_image_peaks_at_the_displacement(network):
    frames = torch.rand(1, 1, SIZE, SIZE)
    target = torch.roll(frames, shifts=(1, -3), dims=(2, 3))  # moved by x -3, y +1
    point = torch.tensor([[[30.0, 31.0]]])
    streams = features(1, (8, 8, 16, 32))
    with torch.no_grad():
        descriptors = network.describe(network.encode(frames, streams), point)
        patches = network._patches(network.encode(target, streams), point)
        image, *contexts = network._correlate(patches, descriptors, 1)
    for part in image[0, 0].unflatten(0, (4, 81)):
        assert divmod(part.argmax().item(), 9) == (1 + 4, -3 + 4)
    for context in contexts:  # the same features: every cell matches itself
        torch.testing.assert_close(context[0, 0].view(64, 64).diagonal(), torch.ones(64), atol=1e-3, rtol=0)
        assert context.max() < 1.001


def test_coordinates_are_detached_between_iterations(moved):
    maps, points, reference, descriptors = window(moved)
    results = moved.refine(maps, points, reference, descriptors, iterations=2)
    results[0].retain_grad()
    results[1].sum().backward()
    assert results[0].grad is None


def test_position_code_tells_a_pixel_apart():
    code = position_code(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    assert code.shape == (3, 34)
    assert torch.cdist(code, code).fill_diagonal_(9).min() > 0.5


def test_gradient_reaches_the_encoder(moved):
    maps, points, reference, descriptors = window(moved)
    moved(maps, points, reference, descriptors).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in moved.parameters())


def test_refine_gives_the_maps_the_gradient_of_the_last_iteration(moved):
    maps, points, reference, descriptors = window(moved)
    maps = tuple(m.detach().requires_grad_() for m in maps)
    descriptors = tuple(d.detach() for d in descriptors)
    first, last = moved.refine(maps, points, reference, descriptors, iterations=2)
    assert all(
        g is None for g in torch.autograd.grad(first.sum(), maps, allow_unused=True, retain_graph=True)
    )
    assert all(g.abs().sum() > 0 for g in torch.autograd.grad(last.sum(), maps))


def test_what_patches_look_like_can_be_withheld_in_training_alone(moved):
    moved.appearance_dropout = 1.0
    inputs = window(moved)
    with torch.no_grad():
        blind, seeing = moved.train()(*inputs), moved.eval()(*inputs)
        for embed in moved.patch_embeddings:
            torch.nn.init.normal_(embed[1].weight)
        torch.testing.assert_close(moved.train()(*inputs), blind)
        assert not torch.allclose(moved.eval()(*inputs), seeing)
