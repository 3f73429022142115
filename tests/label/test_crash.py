"""Kill -9 in the middle of a save and of a training: nothing that was finished is lost, and it goes on afterwards."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from edits import corrected
from serving import Server

from echo_keypoints.label_client import LabelClient, LabelServerError
from echo_keypoints.results import load_result


@pytest.fixture
def server(studies: Path) -> Iterator[Server]:
    server = Server(studies).start()
    yield server
    server.stop()


def test_kill_in_the_middle_of_saves_and_of_a_training(server: Server, studies: Path) -> None:
    client = server.client()
    confirmed = _save_until_killed(server, client)
    assert confirmed, "no save was confirmed before the kill"
    folder = studies / "labels/versions/two.mp4"
    kept = {int(path.stem) for path in folder.glob("0*.json")}
    assert set(confirmed) <= kept
    for path in folder.glob("0*.json"):
        assert json.loads(path.read_text())["result"]["clip"]["source"] == "two.mp4"
    # A copy that was lost between version and copy is made anew.
    (studies / "labels/final/two.mp4.json").unlink()
    server.start()
    versions = client.clip("two.mp4").versions
    assert [info.version for info in versions] == sorted(kept)
    newest = load_result(studies / "labels/final/two.mp4.json")
    assert len(newest.audit) == len(client.label("two.mp4").result.audit)
    _train_killed(server, client)


def _save_until_killed(server: Server, client: LabelClient) -> list[int]:
    """Save one version after the other while the server is killed; give those that it confirmed."""
    result = corrected(client, "two.mp4", client.infer("trnet", "two.mp4"), 3)
    confirmed: list[int] = []
    killer = threading.Timer(1.0, server.kill)
    killer.start()
    try:
        for _ in range(10_000):
            base = confirmed[-1] if confirmed else 0
            confirmed.append(client.save_label("two.mp4", result, base_version=base).version)
    except LabelServerError:
        pass
    killer.join()
    return confirmed


def _train_killed(server: Server, client: LabelClient) -> None:
    result = corrected(client, "three.npz", client.infer("trnet", "three.npz"), 3)
    client.save_label("three.npz", result, base_version=0)
    client.start_training("sknet", epochs=40, epoch_items=1, batch_size=1, learning_rate=1e-7)
    _until(lambda: client.training().epoch >= 1)
    workers = psutil.Process(server.process.pid).children(recursive=True)  # type: ignore[union-attr]
    server.kill()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert [worker.cmdline() for worker in alive if worker.status() != psutil.STATUS_ZOMBIE] == []
    server.start()
    status = client.training()
    assert status.state == "interrupted" and "resumed" in status.message
    assert client.info()["model_version"] == 0
    client.infer("trnet", "two.mp4")  # serving goes on
    learnt = status.epoch
    resumed = client.start_training("sknet", resume=True)
    assert resumed.run == status.run
    _until(lambda: client.training().epoch > learnt)
    assert client.stop_training().state == "stopped"


def _until(condition, seconds: float = 600) -> None:  # type: ignore[no-untyped-def]
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.5)


def test_a_failed_training_says_why_and_never_breaks_serving(server: Server, studies: Path) -> None:
    client = server.client()
    for clip in ("two.mp4", "three.npz"):
        client.save_label(clip, corrected(client, clip, client.infer("trnet", clip), 3), base_version=0)
    status = client.start_training("sknet", epochs=1, epoch_items=1, batch_size=1, learning_rate=0.1)
    order = studies / ".echo-keypoints/training" / str(status.run) / "order.json"
    client.stop_training()
    document = json.loads(order.read_text())
    document["train"][0]["image"] = str(studies / "broken.dcm")
    order.write_text(json.dumps(document))
    client.start_training("sknet", resume=True)
    _until(lambda: not client.training().running)
    status = client.training()
    assert status.state == "failed" and "broken.dcm" in status.message
    assert client.info()["model_version"] == 0 and len(client.models()) == 1
    client.infer("sknet", "two.mp4")
