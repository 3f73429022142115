"""Handlers, metrics and the frame of a run."""

import math

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from echo_keypoints.errors import ModelError
from echo_keypoints.networks import FlowNet, SKNet, load_weights, save_weights
from echo_keypoints.training.engine import MeanLoss, MeanPointError, every, loss_terms, prepare_batch
from echo_keypoints.training.handlers import KeepBest, SetPhase, StopIfDiverged, running_average
from echo_keypoints.training.runs import find_checkpoint, start_from, trained

# ---- the running average


def test_running_average_by_hand():
    module = nn.BatchNorm1d(1)
    average = running_average(module, decay=0.5)
    for value in (1.0, 2.0, 4.0):
        module.weight.data.fill_(value)
        module.running_mean.fill_(10 * value)
        module.num_batches_tracked.fill_(int(value))
        average.update_parameters(module)
    # The first update copies; then min(0.5, 2/11) and min(0.5, 3/12) of the average are kept.
    second = 2 / 11 * 1 + 9 / 11 * 2
    third = 0.25 * second + 0.75 * 4
    assert average.module.weight.item() == pytest.approx(third, rel=1e-5)
    assert average.module.running_mean.item() == pytest.approx(10 * third, rel=1e-5)
    assert average.module.num_batches_tracked.item() == 4


def test_running_average_goes_on_after_loading():
    module = nn.Linear(2, 2)
    one = running_average(module)
    for _ in range(5):
        one.update_parameters(module)
    two = running_average(nn.Linear(2, 2))
    two.load_state_dict(one.state_dict())
    assert int(two.n_averaged) == 5


# ---- the best weights


def evaluator(values):
    """An engine whose runs end with these metrics, one after the other."""
    engine = Engine(lambda *_: None)
    iterator = iter(values)
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda e: e.state.metrics.update(error=next(iterator)))
    return engine


def test_the_best_weights_are_kept_and_survive_a_resume(tmp_path):
    network = SKNet.from_preset("small", tissue_classes=8)
    path = tmp_path / "run" / "sknet.pt"
    keep = KeepBest(network, path, "error")
    engine = Engine(lambda *_: None)
    written = []

    def run(keep, value):
        engine.state.metrics = {"error": value}
        keep(engine)
        written.append(path.read_bytes() if path.exists() else b"")

    run(keep, math.nan)
    assert written[-1] == b""
    run(keep, 5.0)
    network.heads[0].bias.data.fill_(3.0)
    run(keep, 6.0)
    assert written[-1] == written[-2] != b""
    resumed = KeepBest(network, path, "error")
    resumed.load_state_dict(keep.state_dict())
    run(resumed, 5.5)
    assert written[-1] == written[-2]
    run(resumed, 4.0)
    assert (load_weights(path, SKNet).heads[0].bias == 3.0).all()


def test_keep_best_looks_at_every_evaluation(tmp_path):
    engine = evaluator([2.0, 1.0])
    keep = KeepBest(FlowNet.from_preset("small"), tmp_path / "f.pt", "error")
    keep.attach(engine)
    engine.run([0])
    assert keep.best == 2.0
    engine.run([0])
    assert keep.best == 1.0


def test_a_loss_that_is_no_number_stops_the_run():
    engine = Engine(lambda *_: None)
    engine.state.output = {"loss": torch.tensor(1.0)}
    StopIfDiverged()(engine)
    engine.state.output = {"loss": torch.tensor(math.nan)}
    with pytest.raises(ModelError, match="not finite"):
        StopIfDiverged()(engine)


def test_the_phase_follows_the_epoch():
    objective = nn.Module()
    phases = []
    engine = Engine(lambda *_: phases.append(objective.phase))
    SetPhase(objective, second_epoch=3).attach(engine)
    engine.run([0], max_epochs=4)
    assert phases == [0, 0, 1, 1]


# ---- metrics


def test_mean_point_error_is_in_model_pixels_and_leaves_out_what_is_not_labelled():
    metric = MeanPointError(image_size=112)
    label = torch.zeros(1, 1, 4, 2)
    label[0, 0, 3] = math.nan
    prediction = torch.zeros(1, 1, 4, 2)
    prediction[0, 0, 0] = torch.tensor([3.0, 4.0])
    metric.update(({"points": prediction}, label))
    assert metric.compute() == pytest.approx(2 * 5 / 3)
    metric.reset()
    metric.update(({"loss": torch.tensor(1.0)}, None))
    assert math.isnan(metric.compute())


def test_mean_loss():
    metric = MeanLoss()
    for value in (1.0, 2.0, 6.0):
        metric.update(({"loss": torch.tensor(value, requires_grad=True)}, None))
    assert metric.compute() == 3.0


def test_batches_and_terms():
    batch, label = prepare_batch({"image": torch.ones(1), "points": torch.zeros(1)}, torch.device("cpu"))
    assert label is batch["points"]
    assert prepare_batch({"frames": torch.ones(1)}, torch.device("cpu"))[1] is None
    assert loss_terms({"pred": {"loss": torch.tensor(2.0), "points": torch.zeros(3)}}) == {"loss": 2.0}
    assert [i for i in range(1, 9) if every(4)(None, i)] == [1, 4, 8]


# ---- starting and resuming


def test_checkpoints_are_only_used_on_request_and_damaged_ones_passed_over(tmp_path):
    assert find_checkpoint(str(tmp_path), False) is None
    assert find_checkpoint(str(tmp_path / "new"), True) is None
    for epoch in (2, 10):
        torch.save({"trainer": {"epoch": epoch}}, tmp_path / f"checkpoint_epoch={epoch}.pt")
    (tmp_path / "checkpoint_epoch=11.pt").write_bytes(
        (tmp_path / "checkpoint_epoch=10.pt").read_bytes()[:200]
    )
    assert find_checkpoint(str(tmp_path), True) == str(tmp_path / "checkpoint_epoch=10.pt")
    with pytest.raises(ModelError, match="resume"):
        find_checkpoint(str(tmp_path), False)


def test_fine_tuning_starts_from_weights_without_the_training_heads(tmp_path):
    source = SKNet.from_preset("small")
    save_weights(source, tmp_path / "s.pt")
    network = start_from(SKNet.from_preset("small", tissue_classes=8), str(tmp_path / "s.pt"))
    for name, value in source.state_dict().items():
        assert (network.state_dict()[name] == value).all()
    assert start_from(network, None) is network
    with pytest.raises(ModelError, match="preset"):
        start_from(SKNet.from_preset("small", widths=(8, 8, 16, 32, 32)), str(tmp_path / "s.pt"))


def test_the_first_weights_that_exist_are_used(tmp_path):
    save_weights(FlowNet.from_preset("small"), tmp_path / "b.pt")
    assert isinstance(trained(FlowNet, None, str(tmp_path / "a.pt"), str(tmp_path / "b.pt")), FlowNet)
    with pytest.raises(ModelError, match="run its stage first"):
        trained(FlowNet, None, str(tmp_path / "a.pt"))
    with pytest.raises(ModelError, match=r"a\.pt"):
        trained(FlowNet, str(tmp_path / "a.pt"), str(tmp_path / "b.pt"))
