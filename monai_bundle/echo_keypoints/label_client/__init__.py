"""Client of the MONAI Label server of EchoKeypoints: standard library only, for scripts and for Slicer."""

from echo_keypoints.label_client.client import LabelClient
from echo_keypoints.label_client.errors import (
    ConflictError,
    LabelServerError,
    LockedError,
    NotAllowedError,
    NotFoundError,
    RefusedError,
    TaskFailedError,
    UnreachableError,
)
from echo_keypoints.label_client.records import (
    ClipRecord,
    FrameHint,
    LabelVersion,
    Lock,
    ModelVersion,
    NextSample,
    SavedLabel,
    TrainingStatus,
)
from echo_keypoints.label_client.remote import RemoteSession

__all__ = [
    "ClipRecord",
    "ConflictError",
    "FrameHint",
    "LabelClient",
    "LabelServerError",
    "LabelVersion",
    "Lock",
    "LockedError",
    "ModelVersion",
    "NextSample",
    "NotAllowedError",
    "NotFoundError",
    "RefusedError",
    "RemoteSession",
    "SavedLabel",
    "TaskFailedError",
    "TrainingStatus",
    "UnreachableError",
]
