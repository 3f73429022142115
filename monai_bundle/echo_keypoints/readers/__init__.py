"""Read clips: `open_clip` for frame-by-frame decoding, `read_clip` for a clip in memory."""

from .dispatch import open_clip, read_clip

__all__ = ["open_clip", "read_clip"]
