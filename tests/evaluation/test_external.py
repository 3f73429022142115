"""What the adapters to other people's trackers share, on stand-ins for their checkouts."""

import pickle
import sys

import numpy as np
import pytest
import torch

from echo_keypoints.errors import ModelError
from echo_keypoints.evaluation.peers.detectors.echoglad import grid_edges
from echo_keypoints.evaluation.peers.external.checkout import import_from, load_into, state_dict
from echo_keypoints.evaluation.peers.external.echoglad import _graph, _stand_ins
from echo_keypoints.evaluation.peers.external.frames import both_ways, padded, resized, scaled
from echo_keypoints.evaluation.peers.external.myotracker import MyoTracker
from echo_keypoints.evaluation.peers.external.pips2 import _cuda_where_there_is_one


def test_both_ways_starts_at_the_query_and_keeps_it() -> None:
    video = np.arange(6, dtype=np.uint8)[:, None, None] * np.ones((1, 40, 40), np.uint8)
    seen = []

    def forward(frames, start):
        seen.append(frames[:, 0, 0].tolist())
        return start + np.arange(len(frames))[:, None, None]

    found = both_ways(video, 2, np.full((4, 2), 10.0), forward)
    assert seen == [[2, 3, 4, 5], [2, 1, 0]]
    assert found.points[:, 0, 0].tolist() == [12, 11, 10, 11, 12, 13]
    seen.clear()
    both_ways(video, 5, np.full((4, 2), 10.0), forward)
    assert seen == [[5, 4, 3, 2, 1, 0]]


def test_points_follow_the_resizing() -> None:
    frame = np.zeros((1, 60, 80), np.uint8)
    frame[0, 29:31, 39:41] = 255  # centre (39.5, 29.5)
    small = resized(frame, 40)
    rows, columns = np.nonzero(small[0] > 60)
    x, y = scaled(np.array([39.5, 29.5]), (60, 80), (40, 40))
    assert x == pytest.approx(columns.mean(), abs=0.26) and y == pytest.approx(rows.mean(), abs=0.26)
    back = scaled(scaled(np.array([[3.0, 4.0]]), (60, 80), (40, 40)), (40, 40), (60, 80))
    assert np.allclose(back, [[3, 4]])


def test_padding_in_time() -> None:
    video = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)
    assert padded(video, 8)[:, 0, 0].tolist() == [0, 1, 2, 3, 4, 4, 4, 4]
    assert len(padded(video, 1)) == 5 and len(padded(video, 4, 16)) == 16


def test_two_peers_with_packages_of_the_same_name(tmp_path) -> None:
    for peer in ("one", "two"):
        (tmp_path / peer / "utils").mkdir(parents=True)
        (tmp_path / peer / "utils" / "__init__.py").write_text(f"NAME = {peer!r}\n")
        (tmp_path / peer / "model.py").write_text("import utils\n\ndef name():\n    return utils.NAME\n")
    before, path = dict(sys.modules), list(sys.path)
    modules = [import_from(tmp_path / peer, "model") for peer in ("one", "two")]
    assert [module.name() for module in modules] == ["one", "two"]
    assert sys.path == path and not {"utils", "model"} & (set(sys.modules) - set(before))


def test_missing_packages_are_named(tmp_path) -> None:
    (tmp_path / "model.py").write_text("import surely_not_installed\n")
    with pytest.raises(ModelError, match=r"surely_not_installed.*pip install einshape dm-tree"):
        import_from(tmp_path, "model", ("einshape", "dm-tree"))


def test_weights_are_tensors_only(tmp_path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"model": {"weight": torch.ones(1, 1), "bias": torch.ones(1)}}, path)
    assert set(state_dict(path, "model")) == {"weight", "bias"}
    assert not load_into(torch.nn.Linear(1, 1), path, "model").training
    with pytest.raises(ModelError, match="does not fit"):
        load_into(torch.nn.Linear(2, 1), path, "model")

    class Code:
        def __reduce__(self):
            return print, ("run",)

    path.write_bytes(pickle.dumps(Code()))
    with pytest.raises(ModelError, match="more than tensors"):
        state_dict(path)


def test_myotracker_speaks_y_x_with_corners_at_zero(tmp_path) -> None:
    class Still(torch.nn.Module):
        def forward(self, frames: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
            moved = points.clone()
            moved[..., 0] += 4.0  # down
            return moved.unsqueeze(1).repeat(1, frames.shape[1], 1, 1)

    path = tmp_path / "scripted.pt"
    torch.jit.script(Still()).save(str(path))
    query = np.array([[10.0, 20], [30, 40], [50, 60], [70, 80]])
    found = MyoTracker(tmp_path, path).track(np.zeros((3, 128, 128), np.uint8), 1, query)
    assert np.allclose(found.points[0] - query, [0, 2], atol=1e-4)  # 4 px at 256 are 2 px at 128
    assert np.array_equal(found.points[1], query)
    (tmp_path / "x.pt").write_bytes(b"no")
    with pytest.raises(ModelError, match=r"x\.pt is not a scripted network"):
        MyoTracker(tmp_path, tmp_path / "x.pt")


def test_cuda_is_restored() -> None:
    original = torch.Tensor.cuda
    with _cuda_where_there_is_one():
        assert torch.zeros(1).cuda().device.type == "cpu"
    assert torch.Tensor.cuda is original


def test_echoglad_graph_is_as_large_as_theirs() -> None:
    edges, nodes = _graph()
    assert nodes == 72_020 and edges.shape == (2, 430_200)
    one, other = grid_edges((4, 6), two_by_two=True)
    parents = {int(b): int(a) for a, b in zip(other, one, strict=True) if a < 16 <= b}
    assert [parents[16 + k] for k in range(6)] == [0, 0, 1, 1, 2, 2], "two by two, from (4 - 3) // 2 on"


def test_stand_ins_are_gone_afterwards() -> None:
    before = dict(sys.modules)
    with _stand_ins():
        from torchsummary import summary  # type: ignore[import-not-found]

        assert summary is None
    assert "torchsummary" not in sys.modules or "torchsummary" in before
