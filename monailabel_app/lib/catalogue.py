"""Which clips there are: `Catalogue`, and `FolderCatalogue` for a folder of clips in their own formats."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from echo_keypoints.clip import ClipHeader
from echo_keypoints.data.folders import clip_files, may_be_clip
from echo_keypoints.errors import ClipError
from echo_keypoints.readers import open_clip
from echo_keypoints.results import AnalysisResult, file_digest
from lib.refusal import Refusal, not_found

logger = logging.getLogger(__name__)

LABELS, HIDDEN = "labels", ".echo-keypoints"
SETTLE_S = 2.0
"""The folder is looked through at most this often."""

_NAME = re.compile(r"[^\W_](?:[\w .,()+@=-]{0,198}[\w)])?")


@dataclass(frozen=True)
class Entry:
    """A clip of the catalogue.

    Attributes:
        id: its name in all requests.
        source: name of its file.
        header: its facts.
        bytes: size of its file.
        stamp: changes when the file does.
    """

    id: str
    source: str
    header: ClipHeader
    bytes: int
    stamp: str


class Catalogue(Protocol):
    """Where clips come from."""

    def entries(self) -> dict[str, Entry]:
        """All clips by id, looked up anew now and then."""
        ...

    def known(self) -> dict[str, Entry]:
        """What `entries` gave last, at once."""
        ...

    def entry(self, clip_id: str) -> Entry:
        """A clip as its file is now; `Refusal` 404 if there is none."""
        ...

    def patient(self, clip_id: str) -> str:
        """What the clips of one patient have in common, as far as is known: they never validate each other."""
        ...

    def file(self, clip_id: str) -> Path:
        """A file to read the clip from, fetched if it is elsewhere; `Refusal` 404 if there is none."""
        ...

    def add(self, name: str, part: Path) -> Entry:
        """Take a file into the catalogue; `Refusal` if the name or the file will not do."""
        ...

    def accept(self, clip_id: str, result: AnalysisResult) -> None:
        """Take note of a final label, which the store has kept already."""
        ...

    @property
    def incoming(self) -> Path:
        """Hidden folder for files on their way in."""
        ...

    @property
    def labels(self) -> Path:
        """Folder of the labels."""
        ...

    @property
    def state(self) -> Path:
        """Folder of all else that the server keeps."""
        ...


class FolderCatalogue:
    """The clips of a folder, at any depth. Files that are no clips are passed over, and counted in the log.

    An id is the path inside the folder, with slashes. Hidden files, labels and results are never clips, nor is what a
    symbolic link shows outside of the folder.

    Args:
        root: the folder.
        state: where the server keeps its things; ``.echo-keypoints`` inside by default.
    """

    def __init__(self, root: Path, state: Path | None = None) -> None:
        self.root = root.resolve()
        self.labels = self.root / LABELS
        self.state = state or self.root / HIDDEN
        self.incoming = self.root / HIDDEN / "incoming"  # on the disk of the clips, wherever the state is
        self._entries: dict[str, Entry] = {}
        self._refused: dict[str, str] = {}  # id → stamp of a file that is no clip
        self._lock = threading.Lock()
        self._looked = -float("inf")

    def entries(self) -> dict[str, Entry]:
        """See `Catalogue.entries`."""
        with self._lock:
            if time.monotonic() - self._looked > SETTLE_S:
                self._look()
                self._looked = time.monotonic()
            return dict(self._entries)

    def known(self) -> dict[str, Entry]:
        """See `Catalogue.known`."""
        return dict(self._entries)

    def entry(self, clip_id: str) -> Entry:
        """See `Catalogue.entry`."""
        entry = self._entries.get(clip_id) or self.entries().get(clip_id)
        if entry and entry.stamp != _stamp(self.root / clip_id):  # replaced or deleted since the last look
            with self._lock:
                self._look()
            entry = self._entries.get(clip_id)
        if entry is None:
            raise not_found("clip")
        return entry

    def patient(self, clip_id: str) -> str:
        """See `Catalogue.patient`: the first folder, else the clip itself."""
        return PurePosixPath(clip_id).parts[0]

    def file(self, clip_id: str) -> Path:
        """See `Catalogue.file`. Only what was found inside the folder has a path at all."""
        return self.root / PurePosixPath(self.entry(clip_id).id)

    def add(self, name: str, part: Path) -> Entry:
        """See `Catalogue.add`."""
        check_name(name)
        target = self.root / name
        try:
            header = open_clip(part).header
        except ClipError as error:
            raise Refusal(422, str(error).replace(part.name, name)) from None
        if header.frame_count < 2:
            raise Refusal(422, f"{name} has a single frame; a clip needs more.")
        with self._lock:
            if target.exists():
                raise Refusal(409, f"There is a clip named {name} already; choose another name.")
            os.replace(part, target)
            self._look()
            return self._entries[name]

    def accept(self, clip_id: str, result: AnalysisResult) -> None:
        """See `Catalogue.accept`: a folder needs nothing more."""

    def _look(self) -> None:
        found: dict[str, Entry] = {}
        refused: dict[str, str] = {}
        for path in clip_files(self.root):
            if not path.is_file() or not path.resolve().is_relative_to(self.root):
                continue
            clip_id = path.relative_to(self.root).as_posix()
            stamp = _stamp(path)
            old = self._entries.get(clip_id)
            if old and old.stamp == stamp:
                found[clip_id] = old
            elif self._refused.get(clip_id) == stamp or (entry := read_entry(clip_id, path)) is None:
                refused[clip_id] = stamp
            else:
                found[clip_id] = entry
        if len(refused) > len(self._refused):
            logger.info("%d clips; %d other files were passed over", len(found), len(refused))
        self._entries, self._refused = found, refused


def read_entry(clip_id: str, path: Path) -> Entry | None:
    """Open a file as a clip; None if it is none, or a still."""
    stamp = _stamp(path)  # first: a change while it is read is found out later
    try:
        header, size = open_clip(path).header, path.stat().st_size
    except (ClipError, OSError):
        return None
    return Entry(clip_id, path.name, header, size, stamp) if header.frame_count > 1 else None


def check_name(name: str) -> None:
    """Refuse a file name that could leave its folder, hide, or trouble any system.

    Raises:
        Refusal: 422.
    """
    if not _NAME.fullmatch(name) or "." not in name or ".." in name:
        raise Refusal(422, "The name must be a plain file name with an ending, such as heart 1.dcm.")
    if not may_be_clip(name):  # it would lie among the clips and never be one
        raise Refusal(
            422, f"{name} has an ending that clips do not have; name it after its format, such as .dcm."
        )


class Digests:
    """SHA-256 of files, computed once for each state of a file."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def of(self, path: Path) -> str:
        """Give the digest of a clip's file, hexadecimal.

        Raises:
            Refusal: 404, it was deleted.
        """
        key = (str(path), _stamp(path))
        if key not in self._known:
            digest = file_digest(path)
            if digest is None:
                raise not_found("clip")
            self._known[key] = digest
        return self._known[key]


@contextmanager
def incoming(folder: Path, name: str) -> Iterator[Path]:
    """Give a hidden path in a folder, with the ending of `name`, for a file on its way in; it is gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".part-{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}{Path(name).suffix}"
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _stamp(path: Path) -> str:
    """The state of a file; that of one which is gone is no other's."""
    try:
        facts = path.stat()
    except OSError:
        return "gone"
    return f"{facts.st_size}-{facts.st_mtime_ns}"
