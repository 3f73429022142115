"""The real server in a process of its own, for tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from echo_keypoints.label_client import LabelClient, LabelServerError

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "monailabel_app"
SAMPLE = ROOT / "docs/sample/plax_phantom.dcm"
CLIPS = ["one.v1 b.DCM", "patient 4/one.v1.dcm", "three.npz", "two.mp4"]
"""Ids of the clips that `conftest.clip_files` makes."""


class Server:
    """A server process that can be asked, killed and started again."""

    python = sys.executable
    command: tuple[str, ...] = (str(APP / "start.py"),)

    def __init__(self, studies: Path | str, *options: str, **environment: str) -> None:
        self.studies, self.options, self.environment = studies, options, environment
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.log = Path(os.environ.get("TMPDIR", "/tmp")) / f"label-server-{self.port}.log"

    def start(self, token: str | None = None) -> Server:
        command = [self.python, *self.command, "--studies", str(self.studies)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port), *self.options],
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        client = LabelClient(self.url, token=token, timeout_s=5)
        until = time.monotonic() + 600
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
