"""`FrameSpool`: the frames of a clip in model space, in memory while few, else in a temporary file."""

from __future__ import annotations

import tempfile
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

MEMORY_BYTES = 64 * 1024 * 1024


class FrameSpool:
    """Append frames once, read any run of them as often as needed. Memory is bounded whatever the length.

    Args:
        shape: ``(H, W)`` of a frame.
        memory_bytes: up to this size the frames stay in memory.
    """

    def __init__(self, shape: tuple[int, int], memory_bytes: int = MEMORY_BYTES) -> None:
        self._shape = shape
        self._file = tempfile.SpooledTemporaryFile(max_size=memory_bytes)
        self._repeats: list[bool] = []
        self._last: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self._repeats)

    @property
    def repeats(self) -> NDArray[np.bool_]:
        """``(T,)`` whether a frame is the same as the one before it."""
        return np.array(self._repeats, bool)

    @property
    def shape(self) -> tuple[int, int]:
        """``(H, W)`` of a frame."""
        return self._shape

    def append(self, frame: NDArray[np.uint8]) -> None:
        """Add one ``(H, W)`` uint8 frame at the end.

        Raises:
            ValueError: the frame has another shape or type.
        """
        if frame.shape != self._shape or frame.dtype != np.uint8:
            raise ValueError(f"a frame must be uint8 {self._shape}, not {frame.dtype} {frame.shape}")
        self._file.seek(0, 2)
        self._file.write(frame.tobytes())
        self._repeats.append(self._last is not None and np.array_equal(frame, self._last))
        self._last = frame

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Give frames ``start .. stop - 1`` as ``(stop - start, H, W)``, not to be edited.

        Raises:
            IndexError: the run leaves the clip.
        """
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"frames {start}..{stop - 1} of {len(self)}")
        frame_bytes = self._shape[0] * self._shape[1]
        self._file.seek(start * frame_bytes)
        data = self._file.read((stop - start) * frame_bytes)
        return np.frombuffer(data, np.uint8).reshape(-1, *self._shape)

    def close(self) -> None:
        """Delete the temporary file."""
        self._file.close()

    def __enter__(self) -> FrameSpool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
