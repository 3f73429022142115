"""`Run`: the folder of one training, which tells all about it, also after a crash."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from echo_keypoints.results import atomic_path

LOG_LINES = 20


class Run:
    """What is known of a training; each document is written whole or not at all.

    ``order.json`` says what is to be done, ``status.json`` how far it is, ``verdict.json`` what came of it,
    ``end.json`` how it ended, and ``log.txt`` the rest.

    Args:
        folder: of this training; its name is that of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log.txt"
        self.candidate = folder / "candidate"
        self.work = folder / "run"

    @property
    def name(self) -> str:
        """Number and network, e.g. ``0003-sknet``."""
        return self.folder.name

    @property
    def number(self) -> int:
        """Number, from 1."""
        return int(self.name.split("-")[0])

    def read(self, name: str) -> dict[str, Any]:
        """Read a document by its name without ending; empty without one."""
        try:
            return dict(json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def write(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a document."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(self.folder / f"{name}.json") as part:
            part.write_text(json.dumps(document, indent=1), encoding="utf-8")

    def reopen(self) -> None:
        """Forget how it ended: it goes on."""
        (self.folder / "end.json").unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove what only a training that goes on needs: gigabytes, after many lessons."""
        for folder in (self.candidate, self.work / "lessons"):
            shutil.rmtree(folder, ignore_errors=True)
        for checkpoint in self.work.glob("checkpoint_*.pt"):
            checkpoint.unlink()

    def log_tail(self) -> list[str]:
        """Read the last lines of the log."""
        try:
            with self.log.open("rb") as stream:
                stream.seek(max(0, self.log.stat().st_size - 16384))
                return stream.read().decode(errors="replace").splitlines()[-LOG_LINES:]
        except OSError:
            return []


def list_runs(folder: Path) -> list[Run]:
    """List the trainings of a folder, oldest first."""
    return [Run(path.parent) for path in sorted(folder.glob("[0-9]*-*/order.json"))]
