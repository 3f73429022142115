"""The networks of EchoNet-LVH and EchoGLAD, as their papers describe them."""

import numpy as np
import pytest
import torch

from echo_keypoints.evaluation.peers.detectors.decode import expected_points, weighted_centroids
from echo_keypoints.evaluation.peers.detectors.deeplab import DeepLab
from echo_keypoints.evaluation.peers.detectors.echoglad import EchoGLAD, grid_sides, hierarchy
from echo_keypoints.evaluation.peers.detectors.objective import DeepLabObjective, EchoGLADObjective
from echo_keypoints.losses import gaussian_heatmaps

POINTS = torch.tensor([[[10.0, 12], [20, 22], [30, 40.5], [50, 52]]])


def parameters(network: torch.nn.Module) -> float:
    return sum(p.numel() for p in network.parameters()) / 1e6


def test_deeplab_has_the_size_and_the_names_of_torchvision() -> None:
    with torch.device("meta"):
        network = DeepLab.from_preset("paper", in_channels=3)
    # torchvision's deeplabv3_resnet50 with four classes: 39,634,368 backbone and head parameters.
    assert parameters(network) == pytest.approx(39.634, abs=0.002)
    names = network.state_dict()
    for name in (
        "backbone.layer4.2.conv3.weight",
        "backbone.layer1.0.downsample.1.running_mean",
        "classifier.0.convs.4.1.weight",
        "classifier.0.project.0.weight",
        "classifier.4.bias",
    ):
        assert name in names, name


def test_echoglad_has_the_size_of_the_authors() -> None:
    with torch.device("meta"):
        assert parameters(EchoGLAD.from_preset("paper")) == pytest.approx(8.07, abs=0.02)
    sides = grid_sides(224, 7)
    assert sides == (2, 4, 8, 16, 32, 64, 128, 224)
    assert sum(side**2 for side in sides) == 72_020  # nodes of their graph
    with pytest.raises(ValueError, match="larger than 128"):
        grid_sides(112, 7)


def test_the_graph_joins_neighbours_and_children() -> None:
    graph = hierarchy((2, 4)).to_dense()
    assert graph.shape == (20, 20) and torch.equal(graph, graph.T)
    linked = graph > 0
    # A cell of the coarse grid: itself, two neighbours, four children.
    assert linked[0].nonzero().flatten().tolist() == [0, 1, 2, 4, 5, 8, 9]
    # A corner of the fine grid: its parent, itself, two neighbours.
    assert linked[4].nonzero().flatten().tolist() == [0, 4, 5, 8]
    # Symmetric normalisation: D^-1/2 (A + I) D^-1/2 has the eigenvector sqrt(degree) at 1.
    degree = linked.sum(1).double().sqrt()
    assert torch.allclose(graph.double() @ degree, degree, atol=1e-6)


def test_decoders_find_gaussians() -> None:
    maps = gaussian_heatmaps(POINTS, 64, 3.0)
    assert torch.allclose(weighted_centroids(maps), POINTS, atol=0.05)
    maps[0, 0, 60, 60] = 0.9  # a second, lower place above the threshold
    assert torch.allclose(weighted_centroids(maps)[0, 0], POINTS[0, 0], atol=0.05)
    assert torch.allclose(weighted_centroids(0.1 * maps)[0, 1], POINTS[0, 1], atol=0.2)
    assert torch.allclose(expected_points(30 * gaussian_heatmaps(POINTS, 64, 3.0)), POINTS, atol=0.05)


@pytest.mark.parametrize("kind", ["deeplab", "echoglad"])
def test_they_learn(kind: str) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    points = rng.uniform(6, 26, (6, 1, 4, 2)).astype(np.float32)
    images = gaussian_heatmaps(torch.from_numpy(points), 32, 1.5)[:, :, 0] * 255  # the first landmark shines
    points[:, :, 1:] = np.nan
    batch = {"image": images.to(torch.uint8)[:, :, None], "points": torch.from_numpy(points)}
    if kind == "deeplab":
        objective = DeepLabObjective(DeepLab(width=4))
    else:
        objective = EchoGLADObjective(EchoGLAD(8, (8, 8, 8), 8, 2, dropout=0.0))
    optimizer = torch.optim.Adam(objective.parameters(), 5e-3)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        loss = objective(batch)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.isfinite(losses).all() and losses[-1] < 0.6 * losses[0]
    objective.eval()
    with torch.no_grad():
        found = objective(batch)["points"]
    assert found.shape == (6, 1, 4, 2) and found.isfinite().all()
