"""Tracks that were computed before: a comparison that was stopped goes on, and one that is repeated only scores."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import echo_keypoints
from echo_keypoints.evaluation.cases import Case
from echo_keypoints.results.files import atomic_path, file_digest

ROOMS = ("evaluation/peers", "networks", "tracking", "readers")
"""Folders of the package whose code makes tracks: where it changes, nothing is believed any more."""


@dataclass(frozen=True, eq=False)
class Kept:
    """One tracker on one clip: the frame it started from, and its points ``(T, 4, 2)`` in model pixels."""

    query_frame: int
    points: NDArray[np.float64]


class TrackStore:
    """A folder of tracks, ``TRACKER/CASE.npz``.

    A file counts only if clip, weights and code are those that it was made of; else it is made anew.

    Args:
        folder: is made when first needed.
        models: file → SHA-256 of our networks, from which every tracker has its start.
    """

    def __init__(self, folder: Path, models: Mapping[str, str]) -> None:
        self._folder = folder
        self._origin = repr(sorted(models.items())) + code_digest()

    def find(self, tracker: str, case: Case, weights: Sequence[Path] = ()) -> Kept | None:
        """Give what was kept, or None.

        Args:
            tracker: its name.
            case: the clip.
            weights: files of weights that the tracker reads besides our networks.
        """
        try:
            with np.load(self._path(tracker, case), allow_pickle=False) as data:
                if str(data["made_of"]) != self._made_of(case, weights):
                    return None
                return Kept(int(data["query_frame"]), data["points"].astype(np.float64))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def keep(self, tracker: str, case: Case, tracks: Kept, weights: Sequence[Path] = ()) -> None:
        """Keep tracks for next time.

        Raises:
            OSError: the folder cannot be written to.
        """
        path = self._path(tracker, case)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part, part.open("wb") as stream:
            made_of = self._made_of(case, weights)
            np.savez(stream, points=tracks.points, query_frame=tracks.query_frame, made_of=made_of)

    def _path(self, tracker: str, case: Case) -> Path:
        return self._folder / tracker / f"{case.name}.npz"

    def _made_of(self, case: Case, weights: Sequence[Path]) -> str:
        digest = hashlib.sha256(self._origin.encode())
        facts = (case.clip.pixels.shape, case.box, [file_digest(path) for path in weights])
        digest.update(repr(facts).encode())
        digest.update(case.clip.pixels.tobytes())
        return digest.hexdigest()


@cache
def code_digest() -> str:
    """SHA-256 of the code that makes tracks (`ROOMS`)."""
    package = Path(echo_keypoints.__file__).parent
    digest = hashlib.sha256()
    for room in ROOMS:
        for path in sorted((package / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
