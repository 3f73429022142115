"""`RemoteSession`: a clip that the server holds ready, tracked as often as an editor asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from echo_keypoints.clip import ClipHeader
from echo_keypoints.label_client.errors import ConflictError
from echo_keypoints.results import AnalysisResult
from echo_keypoints.tracking.anchors import Anchor
from echo_keypoints.tracking.refinement import ITERATIONS

if TYPE_CHECKING:
    from echo_keypoints.label_client.client import LabelClient


@dataclass(frozen=True)
class RemoteBackend:
    """The server's networks: name of the engine, and file name → SHA-256 of the weights."""

    name: str
    models: Mapping[str, str]


class RemoteSession:
    """What `echo_keypoints.editing` asks of a session, answered by the server.

    Args:
        client: of the server.
        clip_id: the clip.
        result: what the server found in it: says which clip and which weights it is about.
    """

    def __init__(self, client: LabelClient, clip_id: str, result: AnalysisResult) -> None:
        self._client, self._clip_id = client, clip_id
        self.header: ClipHeader = result.clip
        self.backend = RemoteBackend(result.backend, dict(result.models))

    def track(
        self,
        anchors: Sequence[Anchor] = (),
        *,
        query: tuple[int, ArrayLike] | None = None,
        reference: str | int = "confidence",
        iterations: int = ITERATIONS,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> AnalysisResult:
        """Track the landmarks: a result, with the points, confidence and anchors of `Tracking`.

        Args:
            anchors, query, reference: see `Session.track`.
            iterations: the server does its own number.
            progress: told how far it is.

        Raises:
            LabelServerError: see `errors`; also when other weights serve by now.
        """
        result = self._client.infer(
            "refine" if anchors else "trnet",
            self._clip_id,
            anchors=anchors,
            query=query,
            reference=reference,
            progress=progress,
        )
        if dict(result.models) != dict(self.backend.models):
            raise ConflictError(
                "Another model version serves by now; analyse the clip again before you correct it."
            )
        return result
