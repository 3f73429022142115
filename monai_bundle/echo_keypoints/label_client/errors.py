"""What can go wrong between a client and the Label server: one class for each thing that a caller can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from echo_keypoints.errors import EchoKeypointsError


class LabelServerError(EchoKeypointsError):
    """Base of all of them. Raised itself when the server has a fault of its own.

    Attributes:
        facts: what the server said beside its sentence, plain JSON data.
    """

    def __init__(self, message: str, facts: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.facts = dict(facts or {})


class UnreachableError(LabelServerError):
    """No server answers there, or not in time, or it is another kind of server. Try again, or mend the address."""


class NotAllowedError(LabelServerError):
    """The token is missing or wrong, or it is another annotator's."""


class NotFoundError(LabelServerError):
    """There is no such clip, label, job or model version."""


class RefusedError(LabelServerError):
    """What was sent does not fit: points outside of the image, no such strategy, a file too large …"""


class ConflictError(LabelServerError):
    """Somebody saved a newer version meanwhile; nothing was overwritten. Load it, and decide.

    ``facts["version"]`` is the newest version.
    """


class LockedError(LabelServerError):
    """Another annotator holds the clip; ``facts["annotator"]`` and ``facts["until_utc"]`` say who and how long."""


class TaskFailedError(LabelServerError):
    """A job on the server ended without a result, or was cancelled."""


OF_STATUS: dict[int, type[LabelServerError]] = {
    400: RefusedError,
    401: NotAllowedError,
    403: NotAllowedError,
    404: NotFoundError,
    405: RefusedError,
    409: ConflictError,
    411: RefusedError,
    413: RefusedError,
    415: RefusedError,
    422: RefusedError,
    423: LockedError,
    429: RefusedError,
}
"""HTTP status → error; every other one above 399 is a `LabelServerError`."""
