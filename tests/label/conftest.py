"""Phantom clips and the real server on a loopback port; these tests need the Label server's own environment."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from serving import Server

HERE = find_spec("monailabel") is not None
collect_ignore_glob = [] if HERE else ["test_*.py"]


def pytest_report_header() -> str:
    return "" if HERE else "tests/label are left out: they run where monailabel is installed (nox -s label)"


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
