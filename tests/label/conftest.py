"""The real server on a loopback port, on phantom clips; these tests need the Label server's own environment."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "monailabel_app"
SAMPLE = ROOT / "docs/sample/plax_phantom.dcm"

HERE = find_spec("monailabel") is not None
collect_ignore_glob = [] if HERE else ["test_*.py"]


def pytest_report_header() -> str:
    return "" if HERE else "tests/label are left out: they run where monailabel is installed (nox -s label)"


sys.path.insert(0, str(APP))

from echo_keypoints.label_client import LabelClient, LabelServerError  # noqa: E402


class Server:
    """A server process that can be asked, killed and started again."""

    def __init__(self, studies: Path | str, *options: str, **environment: str) -> None:
        self.studies, self.options, self.environment = studies, options, environment
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.log = Path(os.environ.get("TMPDIR", "/tmp")) / f"label-server-{self.port}.log"

    def start(self, token: str | None = None) -> Server:
        command = [sys.executable, str(APP / "start.py"), "--studies", str(self.studies)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port), *self.options],
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        client = LabelClient(self.url, token=token, timeout_s=5)
        until = time.monotonic() + 240
        while True:
            try:
                client.info()
                return self
            except LabelServerError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(self.log.read_text()[-4000:]) from None
                time.sleep(0.3)

    def kill(self) -> None:
        """Kill -9."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        self.log.unlink(missing_ok=True)

    def client(self, annotator: str = "anna", **options: str) -> LabelClient:
        return LabelClient(self.url, annotator=annotator, timeout_s=120, **options)  # type: ignore[arg-type]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def clip_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phantom clips: dots, spaces and capitals in their names, a sub-folder, several formats, and no clips at all."""
    from echo_keypoints.cli.simulate import write_clip
    from echo_keypoints.data.simulation import simulate_clip

    folder = tmp_path_factory.mktemp("clips")
    clips = [simulate_clip(seed, frame_count=16, fps=24) for seed in range(4)]
    (folder / "patient 4").mkdir()
    write_clip(clips[0], folder / "one.v1.dcm")
    (folder / "one.v1.dcm").rename(folder / "one.v1 b.DCM")
    write_clip(clips[1], folder / "two.mp4")
    write_clip(clips[2], folder / "three.npz")
    write_clip(clips[3], folder / "patient 4" / "one.v1.dcm")
    (folder / "notes.txt").write_text("no clip")
    (folder / "broken.dcm").write_bytes(b"DICM" * 50)
    (folder / "datastore_v2.json").write_text("{}")
    return folder


CLIPS = ["one.v1 b.DCM", "patient 4/one.v1.dcm", "three.npz", "two.mp4"]


@pytest.fixture
def studies(clip_files: Path, tmp_path: Path) -> Path:
    """A fresh copy of the clips."""
    return Path(shutil.copytree(clip_files, tmp_path / "studies"))


@pytest.fixture(scope="module")
def server(clip_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for a module, on clips of its own."""
    folder = tmp_path_factory.mktemp("served") / "studies"
    server = Server(shutil.copytree(clip_files, folder)).start()
    yield server
    server.stop()
