import numpy as np
import pytest
import torch

from echo_keypoints.networks import SKNet, TRNet
from echo_keypoints.training.lessons import Lessons
from echo_keypoints.training.objective import lifted_grey
from echo_keypoints.training.pseudo import DirectFlow
from echo_keypoints.training.trnet import TRNetObjective

LENGTH, SIZE = 26, 64
STEP = torch.tensor([1.0, -0.5])


class Clips(torch.utils.data.Dataset):
    """A clip of noise for each index."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        noise = np.random.default_rng(index).integers(0, 256, (LENGTH, 1, SIZE, SIZE), dtype=np.uint8)
        return {"frames": torch.from_numpy(noise)}


class Counting(torch.nn.Module):
    """A teacher that says where everything goes, and how often it was asked."""

    def __init__(self):
        super().__init__()
        self.asked = 0

    def forward(self, frames, index, points):
        self.asked += 1
        away = torch.arange(frames.shape[1])[None, :, None, None] - index[:, None, None, None]
        return points[:, None] + away * STEP, torch.ones(len(frames), frames.shape[1], points.shape[1])


@pytest.fixture
def lessons(tmp_path):
    torch.manual_seed(0)
    return Lessons(Clips(), 2, SKNet.from_preset("small"), Counting(), tmp_path / "lessons")


def test_the_teacher_is_asked_once_for_each_clip(lessons):
    for index in (0, 1, 2, 3, 10):
        lessons[index]
    assert lessons.teacher.asked == 2
    assert len(list(lessons.folder.iterdir())) == 2


def test_an_item_is_a_pure_function_of_its_index(lessons):
    first, again = lessons[3], lessons[3]
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["queries"], lessons[5]["queries"])  # the same clip in another pass


def test_pseudo_labels_start_at_the_queries_and_follow_the_teacher_either_way_in_time(lessons):
    seen = set()
    for index in range(12):
        item = lessons[index]
        assert item["pseudo"].shape == (3, LENGTH, 4, 2) and item["weight"].shape == (3, LENGTH, 4)
        assert torch.allclose(item["pseudo"][:, item["index"]], item["queries"], atol=1e-4)
        steps = item["pseudo"].diff(dim=1)
        direction = 1 if steps[0, 0, 0, 0] > 0 else -1
        assert torch.allclose(steps, (direction * STEP).expand_as(steps), atol=1e-4)
        seen.add(direction)
    assert seen == {1, -1}


def test_detections_turn_with_the_frames(lessons):
    kept = lessons.lesson(0)
    for index in (0, 2, 4, 6):
        item = lessons[index]
        turned = torch.equal(item["detections"], kept["detections"].flip(0))
        assert turned or torch.equal(item["detections"], kept["detections"])
        order = kept["frames"].flip(0) if turned else kept["frames"]
        # A grey map keeps the order of grey values.
        assert torch.corrcoef(torch.stack((item["frames"].flatten(), order.flatten())).float())[0, 1] > 0.95


def test_a_lesson_asks_what_the_teacher_itself_would(lessons):
    """With the same points and window, a lesson and the teacher inside the objective give the same loss."""
    objective = TRNetObjective(
        TRNet.from_preset("small"), lessons.sknet, DirectFlow(torch.nn.Identity()), iterations=2
    )
    batch = torch.utils.data.default_collate([lessons[0], lessons[1]])
    objective.train()(batch)["loss"].backward()
    assert objective.network.step.weight.grad.abs().sum() > 0
    objective.eval()
    plan = objective._plan_lesson(batch)
    assert plan.frames.shape[0] == 2 * 25  # the windows and the references, nothing else
    flat = batch["frames"].flatten(0, 1).float() / 255
    _, features = lessons.sknet.features(lifted_grey(batch["frames"]), _contexts(batch["frames"]))
    rows = torch.arange(24)
    assert torch.allclose(plan.frames[plan.rows[0]], flat[rows])
    assert torch.allclose(plan.features[2][plan.rows[3]], features[2][LENGTH + rows], atol=1e-4)
    assert torch.allclose(plan.frames[plan.reference_rows[0]], flat[batch["index"][0]])
    assert torch.allclose(plan.pseudo[4], batch["pseudo"][1, 1, :24])


def _contexts(frames):
    beat = lifted_grey(frames).unflatten(0, frames.shape[:2])[:, :, 0]
    each = torch.stack((beat.mean(1), beat.std(1, correction=0)), dim=1)
    return each.repeat_interleave(LENGTH, dim=0)
