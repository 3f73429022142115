"""Files that are either whole or absent, and their digests."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from echo_keypoints.readers.stills import stills


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends well.

    Readers never see half a file, and a failure leaves what was there. The temporary file keeps the ending of
    `path`, from which writers guess the format.

    Raises:
        OSError: the folder cannot be written to.
    """
    part = path.with_name(f".part-{uuid4().hex}{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    finally:  # also when interrupted: the file is made within the block, never before it
        part.unlink(missing_ok=True)


def file_digest(path: Path) -> str | None:
    """Give the SHA-256 of a file in hexadecimal, or None for a folder."""
    if not path.is_file():
        return None
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def clip_digest(path: Path) -> str | None:
    """Give what tells a clip from others: the digest of its file, or of the names and contents of a folder's frames.

    Returns:
        SHA-256 in hexadecimal; None where there is neither.

    Raises:
        OSError: a file cannot be read.
    """
    if not path.is_dir():
        return file_digest(path)
    digest = hashlib.sha256()
    for frame in stills(path):
        digest.update(f"{frame.name}\0{file_digest(frame)}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
