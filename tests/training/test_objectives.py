"""What the stages minimise, against hand-computed values and known motion."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from echo_keypoints.losses import gaussian_heatmaps
from echo_keypoints.networks import FlowNet, PlaceNet, SKNet, TRNet
from echo_keypoints.networks.placenet import SHARPNESS
from echo_keypoints.tracking.context import temporal_context
from echo_keypoints.tracking.decode import decode_heatmaps
from echo_keypoints.tracking.steady import HEIGHT, WIDTH
from echo_keypoints.tracking.tone import lifted
from echo_keypoints.training.flow import FlowObjective
from echo_keypoints.training.objective import lifted_grey
from echo_keypoints.training.placenet import PlaceNetObjective
from echo_keypoints.training.pseudo import ChainedFlow, DirectFlow
from echo_keypoints.training.sknet import SKNetObjective, distance_loss, position_loss
from echo_keypoints.training.starts import StartVariety, most_confident
from echo_keypoints.training.trnet import TRNetObjective

SIZE = 32
VELOCITY = torch.tensor([1.5, -0.5])


class SteadyFlow(nn.Module):
    """The exact flow of clips that move steadily, whose frame t has the grey t / 100."""

    def pyramid_both_ways(self, reference, target):
        steps = (target.mean((1, 2, 3)) - reference.mean((1, 2, 3))) * 100
        flow = steps[:, None, None, None] * VELOCITY[:, None, None] * torch.ones(1, 2, *reference.shape[-2:])
        return [flow], [-flow]


def steady_clips(lengths=(7, 7)):
    frames = [torch.arange(n)[:, None, None, None] / 100 * torch.ones(n, 1, SIZE, SIZE) for n in lengths]
    return torch.stack(frames)


@pytest.fixture
def labelled_batch():
    torch.manual_seed(0)
    return {
        "image": torch.randint(0, 256, (2, 1, 1, SIZE, SIZE), dtype=torch.uint8),
        "points": torch.rand(2, 1, 4, 2) * 20 + 6,
        "tissue": torch.randint(0, 8, (2, 1, SIZE // 2, SIZE // 2), dtype=torch.uint8),
    }


def sknet_objective(valve_points=0, **options):
    torch.manual_seed(1)
    network = SKNet.from_preset("small", tissue_classes=8, valve_points=valve_points)
    return SKNetObjective(network, precision="float32", **options)


# ---- SK-net


def test_position_loss_by_hand():
    targets = torch.zeros(1, 1, 2, 2)
    targets[..., 0, 1] = 3.0  # normalised to a single one
    logits = torch.tensor([[[[0.0, math.log(2.0)], [0.0, 0.0]]]])
    assert position_loss(logits, targets, torch.ones(1, 1)).item() == pytest.approx(-math.log(2 / 5))
    assert position_loss(logits, targets, torch.zeros(1, 1)).item() == 0


def test_the_loss_is_the_weighted_sum_of_its_terms(labelled_batch):
    terms = sknet_objective(heatmap=3.0, position=0.25, distance=0.5, tissue=2.0)(labelled_batch)
    expected = 3 * terms["heatmap"] + 0.25 * terms["position"] + 0.5 * terms["distance"] + 2 * terms["tissue"]
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_landmark_without_label_does_not_count(labelled_batch):
    labelled_batch["points"][0, 0, 2] = float("nan")
    objective = sknet_objective()
    objective(labelled_batch)["loss"].backward()
    head = objective.network.heads[0].weight.grad
    assert torch.isfinite(head).all() and head[2].abs().sum() > 0
    labelled_batch["points"][1, 0, 2] = float("nan")
    objective.zero_grad()
    objective(labelled_batch)["loss"].backward()
    assert objective.network.heads[0].weight.grad[2].abs().sum() == 0


def test_users_frames_need_no_tissue(labelled_batch):
    del labelled_batch["tissue"]
    assert set(sknet_objective()(labelled_batch)) == {"loss", "heatmap", "position", "distance"}


def test_valve_points_are_asked_for_where_they_lie_in_the_picture(labelled_batch):
    inside = torch.rand(2, 1, 3, 2) * 20 + 6
    objective = sknet_objective(valve_points=3, valves=0.5)
    terms = objective({**labelled_batch, "valves": inside})
    others = objective(labelled_batch)
    assert "valves" not in others
    assert terms["loss"].item() == pytest.approx((others["loss"] + 0.5 * terms["valves"]).item(), rel=1e-4)
    assert "valves" not in sknet_objective()({**labelled_batch, "valves": inside})
    beyond = inside.clone()
    beyond[:, :, 1] = SIZE + 3.0
    objective.zero_grad()
    objective({**labelled_batch, "valves": beyond})["loss"].backward()
    head = objective.network.valve_heads[0].weight.grad
    assert head[1].abs().sum() == 0 < head[0].abs().sum()


def test_the_valve_loss_is_least_for_the_right_place():
    objective = sknet_objective(valve_points=3)
    points = torch.tensor([[[10.0, 20.0], [17.5, 5.0], [1.5, 29.0]]])
    cells = (points - 1.5) / 4  # a cell of stride 4 is the middle of its pixels
    logits = {shift: torch.log(gaussian_heatmaps(cells + shift, 8, 1.0) + 1e-6) for shift in (0.0, 1.0, -1.0)}
    losses = {shift: objective._valve_loss(value, points, 32).item() for shift, value in logits.items()}
    assert losses[0.0] == min(losses.values())


def test_evaluation_decodes_points(labelled_batch):
    objective = sknet_objective().eval()
    perfect = gaussian_heatmaps(labelled_batch["points"].flatten(0, 1), SIZE, 3.0)
    objective.network.forward_with_aids = lambda *_: (perfect, torch.zeros(2, 8, 8, 8), None)
    terms = objective(labelled_batch)
    torch.testing.assert_close(terms["points"], labelled_batch["points"], atol=0.02, rtol=0)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="bfloat16"):
        SKNetObjective(SKNet.from_preset("small", tissue_classes=8), precision="half")


def test_distance_loss_by_hand():
    logits = torch.full((1, 2, 5, 5), -1e4)
    logits[0, 0, 1, 1] = logits[0, 0, 1, 3] = 0.0  # half here, half there: the mean lies at x = 2, y = 1
    logits[0, 1, 4, 0] = 0.0
    points = torch.tensor([[[2.0, 4.0], [4.0, 4.0]]])
    loss = distance_loss(logits, points, torch.ones(1, 2))
    torch.testing.assert_close(loss, torch.tensor((10**0.5 + 17**0.5) / 2))
    torch.testing.assert_close(
        distance_loss(logits, points, torch.tensor([[1.0, 0.0]])), torch.tensor(10**0.5)
    )
    small = torch.randn(1, 1, 4, 5, dtype=torch.float64, requires_grad=True)
    at = torch.tensor([[[1.3, 2.1]]], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: distance_loss(x, at, torch.ones(1, 1, dtype=torch.float64)), (small,)
    )


def test_the_context_reaches_the_network(labelled_batch):
    seen = []
    objective = sknet_objective(without_context=0.0)
    inner = objective.network.forward_with_aids
    objective.network.forward_with_aids = lambda x, context: (seen.append(context), inner(x, context))[1]
    hearts, frames = labelled_batch["image"].shape[:2]
    given = torch.rand(hearts, 2, SIZE, SIZE)
    objective({**labelled_batch, "context": given})
    assert torch.equal(seen[0].unflatten(0, (hearts, frames))[:, -1], given)
    objective.without_context = 1.0
    objective({**labelled_batch, "context": given})
    objective.without_context = 0.0
    objective(labelled_batch)
    assert seen[1] is None and seen[2] is None


# ---- flow


def flow_batch():
    torch.manual_seed(0)
    frames = torch.randint(0, 256, (2, 1, 2, 1, 64, 64), dtype=torch.uint8)
    return {"reference": frames[0], "target": frames[1]}


def test_flow_does_not_read_labels():
    objective = FlowObjective(FlowNet.from_preset("small"))
    batch = flow_batch()
    points = {"points": torch.rand(1, 2, 4, 2), "reference_points": torch.rand(1, 2, 4, 2)}
    for phase in (0, 1):
        objective.phase = phase
        torch.manual_seed(3)
        plain = objective(batch)
        torch.manual_seed(3)
        tempted = objective({**batch, **points})
        assert "points" not in tempted
        assert plain["loss"].item() == tempted["loss"].item()


def test_phases_of_the_flow():
    objective = FlowObjective(FlowNet.from_preset("small"), augmentation_weight=0.5)
    batch = flow_batch()
    assert set(objective(batch)) == {"loss", "photometric"}
    objective.phase = 1
    terms = objective(batch)
    expected = terms["photometric"] + 0.5 * terms["augmentation"]
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_yardstick_of_the_flow_does_not_depend_on_the_phase():
    objective = FlowObjective(FlowNet.from_preset("small")).eval()
    batch = {**flow_batch(), "reference_points": torch.full((1, 2, 4, 2), 20.0)}
    losses = []
    for objective.phase in (0, 1):
        terms = objective(batch)
        losses.append(terms["loss"].item())
        assert terms["points"].shape == (1, 2, 4, 2)
    assert losses[0] == losses[1] > 0


# ---- pseudo-labels


@pytest.mark.parametrize(
    "teacher", [DirectFlow(SteadyFlow()), ChainedFlow(SteadyFlow()), ChainedFlow(SteadyFlow(), (1,))]
)
def test_pseudo_labels_follow_a_steady_motion(teacher):
    frames, index = steady_clips(), torch.tensor([2, 6])
    points = torch.rand(2, 5, 2) * 8 + 12
    followed, weight = teacher(frames, index, points)
    time = torch.arange(7)[None, :, None, None] - index[:, None, None, None]
    torch.testing.assert_close(followed, points[:, None] + time * VELOCITY, atol=1e-3, rtol=0)
    assert weight.shape == (2, 7, 5) and (weight == 1).all()


def test_a_flow_that_disagrees_with_its_way_back_has_no_weight():
    class OneWay(SteadyFlow):
        def pyramid_both_ways(self, reference, target):
            forward, _ = super().pyramid_both_ways(reference, target)
            return forward, forward

    frames, points = steady_clips(), torch.full((2, 4, 2), 15.0)
    for teacher in (DirectFlow(OneWay()), ChainedFlow(OneWay())):
        _, weight = teacher(frames, torch.tensor([0, 3]), points)
        assert weight[0, 0].all() and weight[1, 3].all()
        assert not weight[0, 1:].any() and not weight[1, :3].any() and not weight[1, 4:].any()


# ---- first estimates


def test_the_most_confident_frame_is_the_reference():
    peaks = torch.zeros(2, 5, 4)
    peaks[0, 3], peaks[1, 1] = 0.5, 0.1
    assert most_confident(peaks).tolist() == [3, 1]
    torch.testing.assert_close(StartVariety(random_reference=0.0).references(peaks), torch.tensor([3, 1]))
    drawn = StartVariety(random_reference=1.0).references(torch.zeros(400, 5, 4))
    assert set(drawn.tolist()) == set(range(5))


def test_the_detectors_points_are_always_among_the_sets():
    torch.manual_seed(0)
    detected = torch.rand(300, 4, 2) * 224
    sets = StartVariety(queries=3, anywhere=0.0).points(detected, 224)
    assert sets.shape == (300, 3, 4, 2)
    assert (sets[:, 0] == detected).all()
    spread = (sets[:, 1:] - detected[:, None]).std().item()
    assert spread == pytest.approx(math.hypot(5, 3), rel=0.1)
    half = StartVariety(queries=2, anywhere=0.0).points(detected, 112)
    assert (half[:, 1] - detected).std().item() == pytest.approx(math.hypot(5, 3) / 2, rel=0.15)


def test_shares_of_the_first_estimates():
    torch.manual_seed(0)
    points, moved = torch.zeros(2000, 4, 2), torch.full((2000, 6, 4, 2), 10.0)
    pseudo = torch.full((2000, 6, 4, 2), 200.0)
    first = StartVariety(still=0.25, near=0.2, near_px=1.0).estimates(points, moved, pseudo, 224)
    kinds = first.mean((1, 2, 3))
    assert (kinds == 0).float().mean().item() == pytest.approx(0.25, abs=0.04)
    assert (kinds == 10).float().mean().item() == pytest.approx(0.55, abs=0.04)
    assert (kinds > 150).float().mean().item() == pytest.approx(0.2, abs=0.04)


# ---- TR-net


@pytest.fixture
def trnet_objective():
    torch.manual_seed(0)
    teacher = DirectFlow(SteadyFlow())
    return TRNetObjective(TRNet.from_preset("small"), SKNet.from_preset("small"), teacher, iterations=2)


def clip_batch(length=26):
    torch.manual_seed(5)
    return {"frames": torch.randint(0, 256, (1, length, 1, 64, 64), dtype=torch.uint8)}


def test_only_trnet_learns_and_the_others_stay_as_they_are(trnet_objective):
    trnet_objective.train()
    assert not trnet_objective.sknet.training
    before = {k: v.clone() for k, v in trnet_objective.sknet.state_dict().items()}
    trnet_objective(clip_batch())["loss"].backward()
    assert trnet_objective.network.step.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in trnet_objective.sknet.parameters())
    assert all((before[k] == v).all() for k, v in trnet_objective.sknet.state_dict().items())


def test_trnet_does_not_read_labels(trnet_objective):
    losses = []
    for extra in ({}, {"points": torch.rand(1, 26, 4, 2)}):
        torch.manual_seed(7)
        losses.append(trnet_objective.train()({**clip_batch(), **extra})["loss"].item())
    assert losses[0] == losses[1]


def test_untrained_trnet_starts_from_the_detection_in_the_most_confident_frame(trnet_objective):
    # Its last layer starts at zero, so the trajectory is the one that refinement starts from.
    batch = {**clip_batch(24), "points": torch.zeros(1, 24, 4, 2)}
    with torch.no_grad():
        points = trnet_objective.eval()(batch)["points"]
        frames = lifted_grey(batch["frames"])
        context = torch.from_numpy(temporal_context(lifted(batch["frames"][0, :, 0].numpy())))
        heatmaps = trnet_objective.sknet(frames, context.expand(24, -1, -1, -1))
    assert points.shape == (1, 24, 4, 2) and torch.isfinite(points).all()
    reference = int(heatmaps.amax((2, 3)).sum(1).argmax())
    expected, _, _ = decode_heatmaps(heatmaps[reference : reference + 1].numpy())
    np.testing.assert_allclose(points[0, reference], expected[0], atol=0.05)


def test_a_clip_shorter_than_the_window_is_refused(trnet_objective):
    with pytest.raises(ValueError, match="24"):
        trnet_objective(clip_batch(20))


# ---- PlaceNet


@pytest.fixture
def looks_batch():
    torch.manual_seed(0)
    places = torch.randn(1, 2, 3, 4, 2) * 0.02 + torch.tensor([[0, -0.5], [0, -0.3], [0, 0.3], [0, 0.5]])
    return {
        "pictures": torch.randint(0, 256, (1, 2, 3, HEIGHT, WIDTH), dtype=torch.uint8),
        "heights": torch.tensor([[[-0.5, -0.3, 0.3, 0.5]] * 2]),
        "length_px": torch.tensor([[80.0, 120.0]]),
        "points": places * torch.tensor([80.0, 120.0])[None, :, None, None, None],
    }


def test_votes_for_the_right_place_cost_least(looks_batch):
    objective = PlaceNetObjective(PlaceNet.from_preset("small"), precision="float32").eval()
    places = looks_batch["points"] / looks_batch["length_px"][..., None, None, None]
    losses = {}
    for shift in (0.0, 0.05, -0.05):
        targets = objective._targets(places.flatten(0, 2) + shift)
        votes = torch.log(targets + 1e-20) / SHARPNESS
        objective.network.forward = lambda *_, votes=votes: votes.unflatten(0, (2, 3))
        losses[shift] = objective(looks_batch)
    assert min(losses, key=lambda shift: losses[shift]["loss"].item()) == 0.0
    torch.testing.assert_close(losses[0.0]["points"], looks_batch["points"], atol=0.1, rtol=0)
    assert losses[0.0]["distance"].item() == pytest.approx(1.0, abs=0.01)
    miss = 0.05 * 2**0.5 * torch.tensor([80.0, 120.0])
    assert losses[0.05]["distance"].item() == pytest.approx((miss**2 + 1).sqrt().mean().item(), rel=0.02)


def test_distances_are_told_at_224_px(looks_batch):
    torch.manual_seed(0)
    network = PlaceNet.from_preset("small")
    small, full = (
        PlaceNetObjective(network, image_size=size, precision="float32").eval() for size in (112, 224)
    )
    halved = {**looks_batch, "points": looks_batch["points"] / 2, "length_px": looks_batch["length_px"] / 2}
    assert small(halved)["distance"].item() == pytest.approx(full(looks_batch)["distance"].item(), rel=1e-4)
