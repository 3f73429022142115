"""`Session`: one clip, read and encoded once, tracked as often as a user asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from echo_keypoints.clip import ClipHeader
from echo_keypoints.tracking.agreement import TRUST_DETECTED, TRUST_KNOWN, agreed
from echo_keypoints.tracking.anchors import (
    Anchor,
    anchor_weights,
    checked_anchor,
    corrected_start,
    merged,
    pin_array,
    pinned,
)
from echo_keypoints.tracking.backends.base import Backend, Detections, Maps
from echo_keypoints.tracking.borders import border_track
from echo_keypoints.tracking.confidence import confidence_features, confidence_model
from echo_keypoints.tracking.consensus import consensus_offset
from echo_keypoints.tracking.context import ClipContext
from echo_keypoints.tracking.corroboration import corroborated
from echo_keypoints.tracking.initial import robust_detections, start_from
from echo_keypoints.tracking.letterbox import LetterBox
from echo_keypoints.tracking.motion import Motion
from echo_keypoints.tracking.pace import Pace
from echo_keypoints.tracking.placement import Placement, placed
from echo_keypoints.tracking.reference import choose_reference
from echo_keypoints.tracking.refinement import CORRECTION_ITERATIONS, ITERATIONS, Reference, refine
from echo_keypoints.tracking.spool import MEMORY_BYTES, FrameSpool
from echo_keypoints.tracking.surroundings import surroundings
from echo_keypoints.tracking.track import Tracking

Progress = Callable[[str, int, int], None]
"""Called as ``progress(stage, done, total)``, stages ``"read"``, ``"detect"``, ``"refine"``, in frames."""


@dataclass(frozen=True, eq=False)
class _Automatic:
    """A track without anchors, and the request that it answers."""

    request: tuple[Any, ...]
    reference: int
    track: Placement


@dataclass(eq=False)
class Session:
    """A clip in model space with its detections; made by `open_session`, to be closed after use.

    Attributes:
        header: facts of the clip.
        backend: the networks.
        letterbox: original pixels ↔ model space.
        spool: the frames in model space.
        contexts: what the beats around them look like, with lifted dark greys (`tone`).
        detections: of all frames; without maps where these are too large to keep.
        tissue: `Backend.label` of the frames of `surroundings.tissue_frames`.
        chunk: frames whose maps are in memory at once.
    """

    header: ClipHeader
    backend: Backend
    letterbox: LetterBox
    spool: FrameSpool
    contexts: ClipContext
    detections: Detections
    tissue: NDArray[np.uint8]
    chunk: int
    _cleaned: NDArray[np.float64] = field(init=False, repr=False)
    _motion: Motion = field(init=False, repr=False)
    _pace: Pace = field(init=False, repr=False)
    _last: _Automatic | None = field(default=None, init=False, repr=False)
    _runs: dict[tuple[Any, ...], NDArray[np.float64]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        seen = self.detections
        self._cleaned = robust_detections(seen.points, seen.peak)
        self._motion = Motion(self.backend, self.spool, self._cleaned)
        self._pace = Pace(self.header.frame_times_s, self.spool.repeats)

    def track(
        self,
        anchors: Sequence[Anchor] = (),
        *,
        query: tuple[int, ArrayLike] | None = None,
        reference: str | int = "confidence",
        iterations: int = ITERATIONS,
        consensus: bool = True,
        motion: bool = True,
        placement: bool = True,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Tracking:
        """Track the landmarks. What a new anchor does not change is remembered: the track without anchors, and
        that from each anchor up to the next one on either side.

        Args:
            anchors: frames whose landmarks, all or some, a person set.
            query: (frame, points ``(4, 2)`` in original pixels) to start from in place of the detector's
                reference.
            reference: how to choose the reference frame (`tracking.reference`), or its index; a query
                overrules it.
            iterations: M of the paper; between anchors at most `CORRECTION_ITERATIONS`.
            consensus: let the detections of all frames correct the reference points (`consensus`); False is
                the paper. A query is never corrected.
            motion: let the motion between near frames shape the track (`agreement`); False is the paper.
            placement: let the beat as a whole show where the track lies (`placement`, `corroboration`); False is
                the paper. Points that a person set are never moved.
            seed: of ``reference="random"``.
            progress: told how far it is.

        Raises:
            QueryError: frames or points do not fit the clip.
        """
        given = merged([checked_anchor(self.header, a.frame, a.points_px) for a in anchors])
        start = checked_anchor(self.header, *query, partial=False) if query else None
        automatic = self._automatic(
            start, reference, iterations, consensus, motion, placement, seed, progress
        )
        track, compared = automatic.track, np.full((len(self.spool), 4), automatic.reference)
        set_by_user = merged([*([start] if start else []), *given])
        if given:
            few = min(iterations, CORRECTION_ITERATIONS)
            track, compared = self._through_anchors(automatic, set_by_user, few, motion, placement, progress)
        tracking = self._described(
            track,
            compared,
            reference_frame=automatic.reference,
            reference_mode="query" if query else reference if isinstance(reference, str) else "frame",
            iterations=iterations,
            anchors=given,
            automatic_px=self.letterbox.to_original(automatic.track.points),
        )
        for anchor in set_by_user:  # as given, not as rounded on the way to model space and back
            known = ~np.isnan(anchor.points_px[:, 0])
            tracking.points_px[anchor.frame, known] = anchor.points_px[known]
            tracking.confidence[anchor.frame, known] = 1.0
        return tracking

    def detect(self) -> Tracking:
        """Give what the detector sees in each frame on its own: no tracking, nothing carried over.

        The reference frame is the most confident one, whose patches the confidence compares with.
        """
        seen = self.detections
        frame = choose_reference("confidence", seen.points, seen.peak)
        return self._described(
            Placement.without(seen.points, seen.points),
            np.full((len(self.spool), 4), frame),
            reference_frame=frame,
            reference_mode="confidence",
            iterations=0,
            anchors=(),
            automatic_px=self.letterbox.to_original(seen.points),
        )

    def appearance(self, frames: Sequence[int]) -> NDArray[np.float64]:
        """Describe what some frames look like: mean and deviation of each channel of TR-net's maps.

        Args:
            frames: their indices.

        Returns:
            ``(N, D)``, comparable between clips that the same networks have seen.
        """
        rows = []
        for frame in frames:
            levels = [
                np.asarray(level.cpu() if hasattr(level, "cpu") else level, np.float64)
                for level in self._maps(frame, frame + 1)
            ]
            rows.append(
                np.concatenate(
                    [np.concatenate((level[0].mean((1, 2)), level[0].std((1, 2)))) for level in levels]
                )
            )
        return np.stack(rows)

    @property
    def memory_bytes(self) -> int:
        """Memory that the kept maps and frames take."""
        kept = self.backend.map_bytes * len(self.spool) if self.detections.maps else 0
        return kept + min(len(self.spool) * self.letterbox.size**2, MEMORY_BYTES)

    def close(self) -> None:
        """Free the frames."""
        self.spool.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _described(self, track: Placement, compared: NDArray[np.intp], **facts: Any) -> Tracking:
        """A track with its confidence; `compared` ``(T, 4)`` are the reference frames."""
        seen, points = self.detections, track.points
        features = confidence_features(self.spool.read, track, compared, seen)
        return Tracking(
            points_px=self.letterbox.to_original(points),
            confidence=confidence_model()(features),
            detections_px=self.letterbox.to_original(seen.points),
            placements_px=self.letterbox.to_original(track.seen),
            features=features,
            surroundings=surroundings(self.tissue, points),
            letterbox=self.letterbox,
            backend=self.backend.name,
            models=dict(self.backend.models),
            **facts,
        )

    def _automatic(
        self,
        start: Anchor | None,
        reference: str | int,
        iterations: int,
        consensus: bool,
        motion: bool,
        placement: bool,
        seed: int,
        progress: Progress | None,
    ) -> _Automatic:
        """The track from one reference frame: the detector's, or the user's query."""
        asked = start and (start.frame, start.points_px.tobytes())
        request = (asked, reference, iterations, consensus, motion, placement, seed)
        if self._last is None or self._last.request != request:
            seen = self.detections
            detected = self._cleaned
            if start:
                frame, known = start.frame, self.letterbox.to_model(start.points_px)
            else:
                frame = choose_reference(reference, seen.points, seen.peak, seed)
                known = detected[frame]
            pins = pin_array(len(detected), [frame], known[None])
            points = self._refined(
                start_from(detected, frame, known),
                frame,
                known,
                pins,
                slice(0, len(pins)),
                iterations,
                progress,
            )
            if motion:
                points = border_track(points, known)
                points = self._agreed(points, pins, TRUST_KNOWN if start else TRUST_DETECTED)
            if consensus and not start:
                points = points + consensus_offset(seen.points, seen.peak, points)
                if motion:  # once more: tissue moves otherwise where the points are now
                    points = self._agreed(points, np.full_like(pins, np.nan), TRUST_DETECTED)
                    points = points + consensus_offset(seen.points, seen.peak, points)
            track = self._placed(points, pins if start else np.full_like(pins, np.nan), placement)
            self._last = _Automatic(request, frame, track)
        return self._last

    def _through_anchors(
        self,
        automatic: _Automatic,
        anchors: Sequence[Anchor],
        iterations: int,
        motion: bool,
        placement: bool,
        progress: Progress | None,
    ) -> tuple[Placement, NDArray[np.intp]]:
        """The track through all anchors, and the frame ``(T, 4)`` with which each point is compared."""
        points = automatic.track.points
        frames = [anchor.frame for anchor in anchors]
        pins = pin_array(
            len(self.spool), frames, np.stack([self.letterbox.to_model(a.points_px) for a in anchors])
        )
        weights = anchor_weights(pins, frames)  # (A, T, 4)
        set_nowhere = np.logical_not(weights.any(axis=(0, 1)))  # (4,)
        start = corrected_start(points, pins)
        blended = np.where(set_nowhere[:, None], points, 0.0)
        known, self._runs = self._runs, {}
        for weight, frame in zip(weights, frames, strict=True):
            used = np.flatnonzero(weight.any(axis=1))
            run = slice(int(used[0]), int(used[-1]) + 1)
            held = np.where(set_nowhere[:, None], points, pins)
            held[frame] = start[frame]
            # All that the run depends on.
            key = (
                frame,
                run.start,
                start[run].tobytes(),
                start[frame].tobytes(),
                held[run].tobytes(),
                iterations,
            )
            if key not in known:
                known[key] = self._refined(start, frame, start[frame], held, run, iterations, progress)
            self._runs[key] = known[key]
            moved = border_track(known[key], start[frame]) if motion else known[key]
            blended[run] += weight[run, :, None] * moved
        compared = np.where(set_nowhere, automatic.reference, np.asarray(frames)[weights.argmax(axis=0)])
        if motion:
            held = np.where(set_nowhere[:, None], points, pins)
            blended = self._agreed(blended, held, TRUST_KNOWN)
        track = self._placed(blended, pins, placement)
        left = set_nowhere[:, None]
        return Placement(
            pinned(np.where(left, points, track.points), pins),
            np.where(left, automatic.track.seen, track.seen),
            np.where(set_nowhere, automatic.track.doubt_px, track.doubt_px),
        ), compared

    def _refined(
        self,
        points: NDArray[np.float64],
        frame: int,
        known: NDArray[np.float64],
        pins: NDArray[np.float64],
        run: slice,
        iterations: int,
        progress: Progress | None,
    ) -> NDArray[np.float64]:
        """Refine the frames of a run, compared with one frame whose points are known."""
        descriptors = self.backend.describe(self._maps(frame, frame + 1), 0, known)
        total, done = run.stop - run.start, 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            if progress:
                progress("refine", done, total)

        return refine(
            self.backend,
            self._maps,
            points,
            Reference(frame, known, descriptors),
            pins,
            iterations,
            run,
            self.chunk,
            advance,
        )

    def _agreed(
        self, points: NDArray[np.float64], pins: NDArray[np.float64], trust: float
    ) -> NDArray[np.float64]:
        return agreed(self._motion, points, pins, trust, self._pace)

    def _placed(self, points: NDArray[np.float64], pins: NDArray[np.float64], placement: bool) -> Placement:
        """The track after the second look, if there is one; else the detector's points stand for what is seen."""
        if not (placement and self.backend.can_place):
            return Placement.without(points, self.detections.points)
        known, times_s, seen = ~np.isnan(pins[..., 0]), self.header.frame_times_s, self.detections
        track = placed(self.backend, self.spool.read, points, known, times_s)
        track = corroborated(track, seen.points, seen.peak, known, times_s)
        return replace(track, points=pinned(track.points, pins))

    def _maps(self, start: int, stop: int) -> Maps:
        if self.detections.maps:
            return tuple(level[start:stop] for level in self.detections.maps)
        return self.backend.detect(self.spool.read(start, stop), self.contexts.of(start, stop)).maps
