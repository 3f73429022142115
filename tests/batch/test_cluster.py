"""The same work on a Dask cluster: a local one of two workers, reached by its address as any other."""

import pytest

distributed = pytest.importorskip("distributed")

from echo_keypoints.batch.run import run_batch  # noqa: E402
from echo_keypoints.batch.schedulers import DaskScheduler  # noqa: E402
from echo_keypoints.batch.states import FAILED, NEEDS_REVIEW  # noqa: E402
from echo_keypoints.batch.worklist import Worklist  # noqa: E402
from echo_keypoints.cli import main  # noqa: E402
from echo_keypoints.errors import EchoKeypointsError  # noqa: E402


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


def test_a_cluster_gives_what_processes_give(cluster, clips, tmp_path, options):
    told = []
    scheduler = DaskScheduler(cluster.scheduler_address)
    tally = run_batch(clips, tmp_path / "out", scheduler, options, progress=lambda *a: told.append(a[:2]))
    assert tally.states == {NEEDS_REVIEW: 3, FAILED: 1} and told[-1] == (4, 4)
    with Worklist(tmp_path / "out") as worklist:
        assert not any("cluster lost" in entry.reason for entry in worklist.entries())
    assert (tmp_path / "out" / "study" / "IM2" / "result.json").is_file()


def test_the_command_line_takes_an_address(cluster, clips, tmp_path, capsys):
    arguments = ["batch", str(clips), "-o", str(tmp_path / "out"), "--no-video", "--no-report"]
    assert main([*arguments, "--scheduler", cluster.scheduler_address]) == 2
    assert "3 needs review, 1 failed" in capsys.readouterr().out


def test_nobody_at_the_address_is_one_sentence(monkeypatch):
    monkeypatch.setattr("echo_keypoints.batch.schedulers._CONNECT_S", 0.5)
    with pytest.raises(EchoKeypointsError, match="No Dask scheduler answers"):
        DaskScheduler("tcp://127.0.0.1:9")
    with pytest.raises(EchoKeypointsError, match="No Dask scheduler answers"):
        DaskScheduler("nonsense")
