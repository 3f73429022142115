"""Tracking the four landmarks: scan region, detection, refinement, confidence, anchors, engines."""

from echo_keypoints.tracking.anchors import Anchor
from echo_keypoints.tracking.backends import load_backend
from echo_keypoints.tracking.letterbox import LetterBox
from echo_keypoints.tracking.session import Session
from echo_keypoints.tracking.track import Tracking
from echo_keypoints.tracking.tracker import open_session, track_clip

__all__ = ["Anchor", "LetterBox", "Session", "Tracking", "load_backend", "open_session", "track_clip"]
