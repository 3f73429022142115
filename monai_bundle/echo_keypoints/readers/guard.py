"""Whatever goes wrong inside a decoder becomes one `ClipError` sentence without paths or patient data."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..clip import ClipHeader, ClipSource
from ..errors import ClipError, EchoKeypointsError

Frame = NDArray[np.uint8]


def display_name(path: Path) -> str:
    """Give the base name of a file on one line: control characters become ``?``."""
    return "".join(letter if letter.isprintable() else "?" for letter in path.name or path.resolve().name)


@contextmanager
def guarded(source: str, part: str = "") -> Iterator[None]:
    """Turn every exception of a decoder into a `ClipError`.

    The decoder's own message is left out: it may quote a path or a patient's name. Its warnings are silenced
    for the same reason, and because the sentences for the user are in the header.

    Args:
        source: base name of the file.
        part: what was being read, e.g. ``"frame 3"``; empty for the file as a whole.

    Raises:
        ClipError: whenever the body raises an `Exception`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except EchoKeypointsError:
        raise
    except FileNotFoundError as error:
        raise ClipError(f"{source} was not found; check its path.") from error
    except PermissionError as error:
        raise ClipError(f"{source} may not be opened; check its permissions.") from error
    except MemoryError as error:
        raise ClipError(f"{source} needs more memory than this machine has; read a shorter clip.") from error
    except Exception as error:
        what = f"{part} of {source}" if part else source
        raise ClipError(
            f"{what} cannot be decoded ({type(error).__name__}): the file is damaged, cut short or of an "
            "unusual kind; export it again."
        ) from error


def guarded_source(header: ClipHeader, decode: Callable[[], Iterator[Frame]]) -> ClipSource:
    """Make a `ClipSource` that gives exactly the frames that its header promises, or a `ClipError`.

    Args:
        header: facts of the clip.
        decode: starts a fresh pass; yields ``(H, W)`` uint8 frames in order.
    """

    def frames() -> Iterator[Frame]:
        iterator: Iterator[Frame] | None = None
        for index in range(header.frame_count):
            with guarded(header.source, f"frame {index + 1}"):
                iterator = iterator or decode()
                frame = next(iterator, None)
            if frame is None:
                raise ClipError(
                    f"{header.source} ends after {index} of {header.frame_count} frames; export it again."
                )
            if frame.shape != (header.height, header.width):
                raise ClipError(
                    f"Frame {index + 1} of {header.source} has {frame.shape[1]} x {frame.shape[0]} pixels "
                    f"and not {header.width} x {header.height}; all frames of a clip must have one size."
                )
            yield frame

    return ClipSource(header, frames)
