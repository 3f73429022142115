import pytest
import torch

from echo_keypoints.errors import ModelError
from echo_keypoints.networks import SKNet, TRNet, load_weights, save_weights
from echo_keypoints.training.growth import grown, main, widened

WIDTHS, BLOCKS = (8, 12, 20, 40, 64), (1, 2, 3, 3)


@pytest.fixture
def small():
    torch.manual_seed(1)
    network = SKNet.from_preset("small", tissue_classes=3, valve_points=2).train()
    with torch.no_grad():  # running statistics that are not those of a new network
        network(torch.rand(2, 1, 64, 64), torch.rand(2, 2, 64, 64))
    return network.eval()


def test_a_grown_detector_sees_what_the_small_one_saw(small):
    large = grown(small, WIDTHS, BLOCKS).eval()
    assert large.widths == WIDTHS[:4]
    image, context = torch.rand(2, 1, 64, 64), torch.rand(2, 2, 64, 64)
    with torch.no_grad():
        for before, after in zip(
            small.forward_with_aids(image, context), large.forward_with_aids(image, context), strict=True
        ):
            torch.testing.assert_close(after, before)
        for before, after in zip(small.features(image)[1], large.features(image)[1], strict=True):
            torch.testing.assert_close(after[:, : before.shape[1]], before)


def test_what_is_new_learns(small):
    large = grown(small, WIDTHS, BLOCKS).train()
    image = torch.rand(2, 1, 64, 64)
    optimizer = torch.optim.SGD(large.parameters(), 0.1)
    for _ in range(2):  # the first step opens the way to the new channels, the second goes through
        optimizer.zero_grad()
        large(image).square().mean().backward()
        optimizer.step()
    still = [name for name, value in large.named_parameters() if value.grad is None or not value.grad.any()]
    assert [name for name in still if "heads" not in name or name.startswith("heads")] == []


def test_a_refiner_of_the_grown_detector_moves_points_as_before(small):
    torch.manual_seed(2)
    refiner = TRNet.from_preset("small").eval()
    torch.nn.init.normal_(refiner.step.weight)
    large, wide = grown(small, WIDTHS, BLOCKS).eval(), widened(refiner, WIDTHS[:4]).eval()
    frames, points = torch.rand(24, 1, 64, 64), 32 + torch.rand(1, 24, 4, 2)
    found = []
    with torch.no_grad():
        for detector, network in ((small, refiner), (large, wide)):
            maps = network.encode(frames, detector.features(frames)[1])
            descriptors = network.describe(tuple(level[:1] for level in maps), points[:, 0])
            found.append(network(maps, points, points[:, 0], descriptors))
    assert (found[0] - points).abs().max() > 0.1
    torch.testing.assert_close(found[1], found[0], atol=1e-4, rtol=0)


def test_nothing_shrinks(small):
    with pytest.raises(ModelError, match="at least as wide"):
        grown(small, (8, 8, 8, 32, 64), (1, 1, 2, 3))
    with pytest.raises(ModelError, match="at least as wide"):
        grown(small, (8, 8, 16, 32, 64), (1, 1, 2, 1))


def test_from_files(small, tmp_path):
    save_weights(small, tmp_path / "small.pt")
    shape = ["--widths", *map(str, WIDTHS), "--blocks", *map(str, BLOCKS)]
    main([str(tmp_path / "small.pt"), "-o", str(tmp_path / "large.pt"), *shape])
    assert load_weights(tmp_path / "large.pt", SKNet).widths == WIDTHS[:4]
    save_weights(TRNet.from_preset("small"), tmp_path / "trnet.pt")
    main([str(tmp_path / "trnet.pt"), "-o", str(tmp_path / "wide.pt"), "--features", *map(str, WIDTHS[:4])])
    assert load_weights(tmp_path / "wide.pt", TRNet).projections[0].in_channels == WIDTHS[1]
