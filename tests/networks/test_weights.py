import pickle

import pytest
import torch

from echo_keypoints.errors import ModelError
from echo_keypoints.networks import FlowNet, SKNet, TRNet, load_weights, save_weights


@pytest.mark.parametrize("architecture", [SKNet, FlowNet, TRNet])
def test_round_trip(architecture, tmp_path):
    network = architecture.from_preset("small")
    save_weights(network, tmp_path / "net.pt")
    loaded = load_weights(tmp_path / "net.pt", architecture)
    assert loaded.preset == "small" and not loaded.training
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_overrides_travel_with_the_weights(tmp_path):
    save_weights(TRNet.from_preset("small", use_context=False, depth=1), tmp_path / "net.pt")
    loaded = load_weights(tmp_path / "net.pt", TRNet)
    assert not loaded.use_context and len(loaded.blocks) == 2


def test_training_only_parts_stay_behind(tmp_path):
    network = SKNet.from_preset("small", tissue_classes=3)
    save_weights(network, tmp_path / "net.pt", exclude=("tissue_heads",))
    stored = torch.load(tmp_path / "net.pt", weights_only=True)
    assert "tissue_heads" not in {name.split(".")[0] for name in stored["weights"]}


def test_only_presets_can_be_saved(tmp_path):
    with pytest.raises(ValueError, match="from_preset"):
        save_weights(FlowNet(), tmp_path / "net.pt")


class Touch:
    """A pickle that would run code when read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_bad_files_are_refused_in_a_sentence(tmp_path):
    path = tmp_path / "net.pt"
    with pytest.raises(ModelError, match=r"^net\.pt was not found"):
        load_weights(path, TRNet)
    save_weights(FlowNet.from_preset("small"), path)
    with pytest.raises(ModelError, match="FlowNet, not of TRNet"):
        load_weights(path, TRNet)

    whole = path.read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"^net\.pt is damaged"):
            load_weights(path, FlowNet)

    torch.save(torch.zeros(3), path)
    with pytest.raises(ModelError, match="does not say"):
        load_weights(path, FlowNet)

    wrong = {"architecture": "FlowNet", "preset": "small", "weights": {"a": torch.zeros(3)}}
    for change in ({}, {"preset": "huge"}, {"overrides": {"colour": 1}}, {"weights": 3}, {"overrides": 3}):
        torch.save({**wrong, **change}, path)
        with pytest.raises(ModelError, match="does not fit this version"):
            load_weights(path, FlowNet)


def test_no_code_in_a_file_is_run(tmp_path):
    path, trace = tmp_path / "net.pt", tmp_path / "trace"
    path.write_bytes(pickle.dumps(Touch(str(trace)), protocol=2))
    with pytest.raises(ModelError):
        load_weights(path, TRNet)
    torch.save({"architecture": "TRNet", "preset": Touch(str(trace))}, path)
    with pytest.raises(ModelError):
        load_weights(path, TRNet)
    assert not trace.exists()
