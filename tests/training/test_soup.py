import pytest
import torch

from echo_keypoints.errors import ModelError
from echo_keypoints.networks import SKNet, load_weights, save_weights
from echo_keypoints.training.soup import main, soup


def network(seed, **options):
    torch.manual_seed(seed)
    return SKNet.from_preset("small", tissue_classes=8, **options).eval()


def test_every_weight_and_statistic_is_the_mean(tmp_path):
    before, after = network(0), network(1)
    before.trunk.stem[0][1].running_mean.fill_(2.0)
    save_weights(before, tmp_path / "a.pt")
    save_weights(after, tmp_path / "b.pt")
    main([str(tmp_path / "a.pt"), str(tmp_path / "b.pt"), "0.25", "-o", str(tmp_path / "c.pt")])
    mixed = load_weights(tmp_path / "c.pt", SKNet).state_dict()
    old, new = before.state_dict(), after.state_dict()
    for name, value in mixed.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.75 * old[name] + 0.25 * new[name])
    assert mixed["trunk.stem.0.1.running_mean"].eq(1.5).all()


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(ModelError, match="different presets"):
        soup(network(0), network(0, widths=(8, 8, 16, 32, 32)), 0.5)
    with pytest.raises(ValueError, match="from 0 to 1"):
        soup(network(0), network(1), 1.5)


def test_heads_that_only_the_later_training_had_stay():
    before, after = network(0), network(1, valve_points=3)
    valve = after.valve_heads[0].weight.clone()
    mixed = soup(before, after, 0.5)
    torch.testing.assert_close(mixed.valve_heads[0].weight, valve)
    with pytest.raises(ModelError, match="different presets"):
        soup(mixed, before, 0.5)
