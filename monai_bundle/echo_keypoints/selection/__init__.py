"""Active learning: which clip a person should look at next, and which of its frames."""

from echo_keypoints.selection.rank import STRATEGIES, Choice, FrameHint, frame_hints, rank
from echo_keypoints.selection.signals import ClipSignals, clip_signals

__all__ = ["STRATEGIES", "Choice", "ClipSignals", "FrameHint", "clip_signals", "frame_hints", "rank"]
