"""No clip on both sides: checks that parts of the data have no patient and no file in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from pathlib import Path

from echo_keypoints.errors import ClipError
from echo_keypoints.results.files import file_digest


class LeakError(ClipError):
    """The same patient or the same clip is in two parts of the data."""


def check_apart(parts: Mapping[str, Iterable[Path]], patient: Callable[[Path], str]) -> None:
    """Make sure that parts share no patient, and no file under another name.

    Files are compared by content, though only those of equal size are read.

    Args:
        parts: name of the part → its clips.
        patient: clip → who it is of.

    Raises:
        LeakError: they do.
    """
    clips = {name: sorted(set(paths)) for name, paths in parts.items()}
    for one, other in combinations(clips, 2):
        shared = {patient(path) for path in clips[one]} & {patient(path) for path in clips[other]}
        if shared:
            raise LeakError(f"{min(shared)} is in {one} and in {other}; a patient may be in one part only.")
    twins = _twins([(name, path) for name, paths in clips.items() for path in paths])
    for group in twins:
        names = {name for name, _ in group}
        if len(names) > 1:
            files = " and ".join(sorted({path.name for _, path in group}))
            raise LeakError(f"The same clip is in {' and in '.join(sorted(names))} ({files}); remove one.")


def _twins(clips: list[tuple[str, Path]]) -> list[list[tuple[str, Path]]]:
    """Groups of files with the same content."""
    sizes: dict[int, list[tuple[str, Path]]] = defaultdict(list)
    for name, path in clips:
        if path.is_file():
            sizes[path.stat().st_size].append((name, path))
    digests: dict[str | None, list[tuple[str, Path]]] = defaultdict(list)
    for group in sizes.values():
        if len({name for name, _ in group}) > 1:
            for name, path in group:
                digests[file_digest(path)].append((name, path))
    return [group for group in digests.values() if len(group) > 1]
