"""Where a clip is tracked: in this process (`tracking.Session`) or on a MONAI Label server (`ServerSession`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from numpy.typing import ArrayLike

from echo_keypoints.clip import ClipHeader
from echo_keypoints.label_client import LabelClient
from echo_keypoints.label_client.errors import TaskFailedError
from echo_keypoints.tracking import Anchor, Tracking

Progress = Callable[[str, int, int], None]


class TrackingSession(Protocol):
    """A clip that can be tracked again and again."""

    header: ClipHeader

    def track(  # noqa: D102
        self, anchors: Sequence[Anchor] = (), *, progress: Progress | None = None
    ) -> Tracking: ...

    def close(self) -> None: ...  # noqa: D102


@dataclass
class ServerModels:
    """What `editing` asks of a session's back end: which weights track.

    Attributes:
        models: file name → sha256, as in the last result of the server; empty before the first.
    """

    models: Mapping[str, str] = field(default_factory=dict)


@dataclass
class ServerSession:
    """A clip on a server, tracked as often as a user asks; stands where a `tracking.Session` stands.

    Attributes:
        header: facts of the clip as this program knows them.
        client: the connection.
        clip_id: the clip on the server.
        backend: the weights of the server.
    """

    header: ClipHeader
    client: LabelClient
    clip_id: str
    backend: ServerModels = field(default_factory=ServerModels)

    def track(
        self,
        anchors: Sequence[Anchor] = (),
        *,
        query: tuple[int, ArrayLike] | None = None,
        reference: str | int = "confidence",
        iterations: int = 5,
        progress: Progress | None = None,
    ) -> Tracking:
        """Let the server track the clip; as `tracking.Session.track`, but `iterations` is the server's own.

        Raises:
            LabelServerError: the server cannot be reached, or its job failed.
        """
        stop: list[BaseException] = []

        def told(stage: str, done: int, total: int) -> None:
            try:
                if progress:
                    progress(stage, done, total)
            except BaseException as error:  # the server is told to stop first, then the caller
                stop.append(error)

        try:
            result = self.client.infer(
                "refine" if anchors else "trnet",
                self.clip_id,
                anchors=anchors,
                query=query,
                reference=reference,
                progress=told,
                cancelled=lambda: bool(stop),
            )
        except TaskFailedError:
            if stop:
                raise stop[0] from None
            raise
        self.backend.models = result.models
        return cast(Tracking, _Tracked(result))

    def close(self) -> None:
        """Nothing is held on the server."""


class _Tracked:
    """A server's result where a `Tracking` is expected: all that a result is made of has the same names."""

    def __init__(self, result: Any) -> None:
        self._result = result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._result, name)
