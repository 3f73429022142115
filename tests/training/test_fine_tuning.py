"""Fine-tuning keeps statistics and rehearses: on small real networks and data sets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.networks import PlaceNet, load_weights
from echo_keypoints.tracking.backends import models_directory
from echo_keypoints.tracking.steady import SteadyView
from echo_keypoints.training.fine_tuning import Rehearsal, frozen_statistics, taught


def test_statistics_stay_while_weights_learn() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    names = list(network.state_dict())
    frozen_statistics(network).train()
    assert list(network.state_dict()) == names and network.training
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    network(torch.rand(2, 1, 8, 8) + 3).square().mean().backward()
    optimizer.step()
    after = network.state_dict()
    assert torch.equal(after["1.running_mean"], before["1.running_mean"])
    assert torch.equal(after["1.running_var"], before["1.running_var"])
    assert not torch.equal(after["1.weight"], before["1.weight"])


class _Numbers(Dataset[dict[str, Tensor]]):
    def __init__(self, first: int, count: int, *names: str) -> None:
        self.first, self.count, self.names = first, count, names

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {name: torch.tensor(self.first + index) for name in self.names}


def test_every_other_item_is_familiar_and_has_the_same_parts() -> None:
    data = Rehearsal(_Numbers(0, 3, "image"), _Numbers(100, 2, "image", "tissue"))
    assert [int(data[i]["image"]) for i in range(len(data))] == [0, 100, 1, 101, 2, 100]
    assert all(set(data[i]) == {"image"} for i in range(len(data)))


def test_placenet_learns_where_people_measure(tmp_path: Path) -> None:
    """Readers who measure nearer to the apex than the phantom's truth, by 8 % of the line: seen so on a heart that
    nobody labelled."""

    def readers(points: np.ndarray) -> np.ndarray:
        view = SteadyView.of(points)
        return view.to_frames(view.places + np.array([0.08, 0.0]))

    def lower(network: PlaceNet, video: np.ndarray, points: np.ndarray) -> float:
        """How much nearer to the apex than the truth it sees the landmarks, in lengths of the line."""
        view = SteadyView.of(points)
        pictures = torch.from_numpy(view.pictures(video))[None].float() / 255
        heights = torch.from_numpy(view.heights.astype(np.float32))[None]
        with torch.inference_mode():
            found = network.places(network(pictures, heights))[0].numpy()
        return float((found - view.places)[..., 0].mean())

    data = []
    for seed in (7_990_000, 7_990_001, 7_990_002):
        clip = simulate_clip(seed, frame_count=12, fps=12, style="acoustic")
        points = readers(clip.points.astype(float))
        np.savez(tmp_path / f"{seed}.npz", video=clip.video, fps=12.0)
        labels = {"frames": {str(frame): points[frame].tolist() for frame in (0, 4, 8)}}
        (tmp_path / f"{seed}.json").write_text(json.dumps(labels))
        data.append({"image": str(tmp_path / f"{seed}.npz"), "label": str(tmp_path / f"{seed}.json")})
    shipped = load_weights(models_directory() / "placenet.pt", PlaceNet)
    learnt = taught(shipped, data, updates=24, learning_rate=5e-4, seed=0)
    other = simulate_clip(9_990_000, frame_count=12, fps=12, style="acoustic")
    before, after = (lower(network, other.video, other.points.astype(float)) for network in (shipped, learnt))
    assert after - before > 0.02
