from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.errors import EchoKeypointsError, ModelError
from echo_keypoints.evaluation.datasets import TEST_SEED
from echo_keypoints.evaluation.peers.engine import Engine, as_clip
from echo_keypoints.evaluation.peers.external.checkout import PEERS, PEERS_VARIABLE, find_peer
from echo_keypoints.evaluation.peers.protocol import ClipTracker
from echo_keypoints.evaluation.peers.registry import TRACKERS, choose
from echo_keypoints.evaluation.peers.stepping import chain, direct, patch_likeness

INSTALLED = [name for name, entry in TRACKERS.items() if not entry.external]
CLASSICAL = [name for name in INSTALLED if not TRACKERS[name].ours]
QUERY_FRAME = 2


@pytest.fixture(params=TRACKERS)
def name(request: pytest.FixtureRequest) -> str:
    """Every tracker; those that a user installs, where ECHO_KEYPOINTS_PEERS has them."""
    if TRACKERS[request.param].external:
        try:
            find_peer(request.param)
        except ModelError as error:
            pytest.skip(str(error))
    return request.param


def test_contract(name: str, engine: Engine, moving_texture) -> None:
    video, query = moving_texture.video.copy(), moving_texture.tracks[QUERY_FRAME].copy()
    tracker = TRACKERS[name].make(engine)
    found = tracker.track(video, QUERY_FRAME, query)
    assert found.points.shape == (7, 4, 2) and found.points.dtype == np.float64
    assert found.confidence.shape == (7, 4)
    assert np.isfinite(found.points).all()
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()
    if TRACKERS[name].from_query:
        assert np.allclose(found.points[QUERY_FRAME], query, atol=1e-6)
    assert np.array_equal(video, moving_texture.video), "the video was edited"
    assert np.array_equal(query, moving_texture.tracks[QUERY_FRAME]), "the query was edited"
    again = tracker.track(video, QUERY_FRAME, query)
    rounding = 1e-3 if TRACKERS[name].external else 0.0  # how others add up floats is theirs
    assert np.abs(found.points - again.points).max() <= rounding, "not deterministic"


@pytest.mark.parametrize("name", CLASSICAL)
def test_follows_a_known_motion_both_ways(name: str, engine: Engine, moving_texture) -> None:
    video, truth = moving_texture
    found = TRACKERS[name].make(engine).track(video, QUERY_FRAME, truth[QUERY_FRAME])
    # The parabola of block matching and PyMUST's smooth field are a little biased, which adds up over four steps.
    assert np.abs(found.points - truth).max() < (0.6 if name == "speckle" else 0.3)
    assert found.confidence.min() > 0.9


@pytest.mark.parametrize("name", CLASSICAL)
def test_survives_points_outside_and_flat_frames(name: str, engine: Engine) -> None:
    query = np.array([[-5.0, 3], [0, 0], [223, 223], [230, 100]])
    found = TRACKERS[name].make(engine).track(np.full((3, 224, 224), 7, np.uint8), 0, query)
    assert np.isfinite(found.points).all()
    assert (found.confidence[1:] == 0).all()


@pytest.mark.parametrize("name", ["sknet", "trnet"])
def test_ours_work_end_to_end(name: str, engine: Engine, moving_texture) -> None:
    tracker = TRACKERS[name].make(engine)
    assert isinstance(tracker, ClipTracker)
    clip = as_clip(moving_texture.video)
    found = tracker.track_clip(clip, None)
    reference = engine.reference(clip)
    assert found.points.shape == (7, 4, 2)
    if name == "trnet":  # the peers are started from just where it starts
        assert np.allclose(found.points[reference.frame], reference.points)


def test_chain_and_direct_start_steps_where_they_should() -> None:
    video = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((1, 32, 32), np.uint8)
    seen = []

    def step(source: NDArray[np.uint8], target: NDArray[np.uint8], points: NDArray) -> NDArray:
        seen.append((int(source[0, 0]), int(target[0, 0])))
        return points + 1

    query = np.zeros((4, 2))
    chained = chain(video, 2, query, step).points
    assert seen == [(2, 3), (3, 4), (2, 1), (1, 0)]
    assert chained[:, 0, 0].tolist() == [2, 1, 0, 1, 2]
    seen.clear()
    straight = direct(video, 2, query, step).points
    assert seen == [(2, 0), (2, 1), (2, 3), (2, 4)]
    assert straight[:, 0, 0].tolist() == [1, 1, 0, 1, 1]


def test_patch_likeness_falls_when_a_point_leaves_its_tissue(moving_texture) -> None:
    video, followed = moving_texture
    stayed = np.repeat(followed[:1], 7, axis=0)
    assert patch_likeness(video, 0, followed).min() > 0.95
    assert patch_likeness(video, 0, stayed)[-1].mean() < 0.5


def test_choice_by_name() -> None:
    assert "dis" in choose(None) and "flownet" not in choose(None)
    assert list(choose(["klt", "flownet"])) == ["klt", "flownet"]
    with pytest.raises(EchoKeypointsError, match="no tracker 'raft'"):
        choose(["raft"])


def test_missing_weights_are_one_sentence(tmp_path) -> None:
    with pytest.raises(ModelError, match=r"flownet\.pt"):
        TRACKERS["flownet"].make(Engine("torch", tmp_path))


def test_every_peer_says_how_to_get_it(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv(PEERS_VARIABLE, raising=False)
    external = [name for name, entry in TRACKERS.items() if entry.external]
    assert sorted(external) == sorted(PEERS)
    for name in external:
        with pytest.raises(ModelError, match=PEERS_VARIABLE):
            TRACKERS[name].make(Engine("torch", tmp_path))
        peer, root = PEERS[name], tmp_path / name
        root.mkdir()
        with monkeypatch.context() as scope:
            scope.setenv(PEERS_VARIABLE, str(root))
            with pytest.raises(ModelError, match=f"github.com/{peer.repository}"):
                find_peer(name)
            (root / peer.folder).mkdir()
            with pytest.raises(ModelError, match=peer.weights):
                find_peer(name)


def test_the_shipped_flow_follows_phantoms_that_it_never_saw() -> None:
    tracker = TRACKERS["flownet"].make(Engine())
    still, followed = [], []
    for seed in range(TEST_SEED + 40, TEST_SEED + 44):
        clip = simulate_clip(seed, frame_count=8, fps=25)
        found = tracker.track(clip.video, 0, clip.points[0]).points
        followed.append(np.linalg.norm(found - clip.points, axis=-1).mean())
        still.append(np.linalg.norm(clip.points[:1] - clip.points, axis=-1).mean())
    assert np.mean(followed) < 0.6 * np.mean(still)
