"""From a clip to tracks: `track_clip` in one go, `open_session` to track interactively."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, islice

import numpy as np
from numpy.typing import ArrayLike, NDArray

from echo_keypoints.clip import Clip, ClipHeader, ClipSource
from echo_keypoints.errors import ClipError
from echo_keypoints.tracking.anchors import Anchor
from echo_keypoints.tracking.backends.base import Backend, Detections
from echo_keypoints.tracking.closer import closer_look
from echo_keypoints.tracking.context import ClipContext
from echo_keypoints.tracking.ecg_trace import ECG_IN_PICTURE, EcgTrace
from echo_keypoints.tracking.letterbox import LetterBox
from echo_keypoints.tracking.printed import Print
from echo_keypoints.tracking.refinement import ITERATIONS
from echo_keypoints.tracking.region import REGION_FRAMES, scan_region
from echo_keypoints.tracking.session import Progress, Session
from echo_keypoints.tracking.spool import FrameSpool
from echo_keypoints.tracking.surroundings import tissue_frames
from echo_keypoints.tracking.tone import lifted
from echo_keypoints.tracking.track import Tracking

MAPS_BYTES = 288 * 1024 * 1024
"""Maps of a clip are kept up to this size (about 280 frames), else computed again when needed."""

_HEAD_BYTES = 64 * 1024 * 1024
_DETECT_BLOCK = 32
_MANY_REPEATS = 0.1
_FORESEEN = 4  # times as long as its head; later the probe may show the heart elsewhere


def track_clip(
    source: ClipSource | Clip,
    backend: Backend,
    *,
    query: tuple[int, ArrayLike] | None = None,
    anchors: Sequence[Anchor] = (),
    reference: str | int = "confidence",
    iterations: int = ITERATIONS,
    consensus: bool = True,
    motion: bool = True,
    placement: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
) -> Tracking:
    """Track the four landmarks through a clip of any length in bounded memory.

    Args:
        source: the clip.
        backend: the networks (`backends.load_backend`).
        query: (frame, points ``(4, 2)`` in original pixels) to start from in place of the detector's
            reference.
        anchors: frames whose landmarks, all or some, a person set.
        reference: how to choose the reference frame (`tracking.reference`), or its index.
        iterations: M of the paper.
        consensus: let the detections of all frames correct the reference points; False is the paper.
        motion: let the motion between near frames shape the track; False is the paper.
        placement: let the beat as a whole show where the track lies; False is the paper.
        seed: of ``reference="random"``.
        progress: told how far it is.

    Raises:
        ClipError: the clip cannot be tracked, or its file is damaged.
        QueryError: frames or points do not fit the clip.
    """
    with open_session(source, backend, progress=progress) as session:
        return session.track(
            anchors,
            query=query,
            reference=reference,
            iterations=iterations,
            consensus=consensus,
            motion=motion,
            placement=placement,
            seed=seed,
            progress=progress,
        )


def open_session(
    source: ClipSource | Clip,
    backend: Backend,
    *,
    progress: Progress | None = None,
    maps_bytes: int = MAPS_BYTES,
) -> Session:
    """Read a clip and detect in all of its frames, once.

    Args:
        source: the clip.
        backend: the networks.
        progress: told how far it is.
        maps_bytes: memory for the maps of all frames; with less, every later track has to detect again.

    Raises:
        ClipError: the clip has a single frame, or its file is damaged.
    """
    source = source.as_source() if isinstance(source, Clip) else source
    header, letterbox, spool = _read(source, backend, progress)
    try:
        keep = len(spool) * backend.map_bytes <= maps_bytes
        contexts = ClipContext(lambda start, stop: lifted(spool.read(start, stop)), header.frame_times_s)
        detections = _detect(backend, spool, contexts, keep, progress)
        tissue = _tissue(backend, spool, ClipContext(spool.read, header.frame_times_s))
    except BaseException:
        spool.close()
        raise
    chunk = len(spool) if keep else maps_bytes // backend.map_bytes
    return Session(header, backend, letterbox, spool, contexts, detections, tissue, chunk)


def _read(
    source: ClipSource, backend: Backend, progress: Progress | None
) -> tuple[ClipHeader, LetterBox, FrameSpool]:
    """Decode every frame once and keep it in model space only; the header tells what was found in the picture."""
    header = source.header
    if header.frame_count < 2:
        raise ClipError(f"{header.source} has a single frame; tracking needs a moving clip.")
    frames = source.frames()
    head_frames = max(2, min(REGION_FRAMES, _HEAD_BYTES // (header.height * header.width)))
    head = list(islice(frames, head_frames))
    if not head:
        raise ClipError(f"{header.source} has no frame that can be read; export it again.")
    region = scan_region(header, head)
    if header.frame_count <= _FORESEEN * len(head):
        region = closer_look(region, header.spacing_mm, head, backend)
    letterbox = LetterBox.fit(region, header.spacing_mm)
    shown = [letterbox.apply(frame) for frame in head]
    printed = Print.find(shown)
    spool = FrameSpool((letterbox.size, letterbox.size))
    known = "r_wave_times_s" in header.metadata or not header.times_known
    trace = EcgTrace(() if known else head)
    try:
        for index, frame in enumerate(chain(head, frames)):
            picture = shown[index] if index < len(shown) else letterbox.apply(frame)
            spool.append(printed.painted_over(picture))
            trace.add(frame)
            if progress:
                progress("read", len(spool), header.frame_count)
    except BaseException:
        spool.close()
        raise
    if len(spool) != header.frame_count:
        spool.close()
        raise ClipError(
            f"{header.source} announces {header.frame_count} frames but holds {len(spool)}; export it again."
        )
    return _with_repeats(_with_r_waves(header, trace), spool), letterbox, spool


def _with_r_waves(header: ClipHeader, trace: EcgTrace) -> ClipHeader:
    """Add the R waves of an ECG in the picture, if there are any."""
    if not (found := trace.r_waves_s(header.frame_times_s)):
        return header
    facts = {"r_wave_times_s": list(found), "r_wave_source": ECG_IN_PICTURE}
    return replace(header, metadata={**header.metadata, **facts})


def _with_repeats(header: ClipHeader, spool: FrameSpool) -> ClipHeader:
    """Add how many frames repeat the one before them, if any do: they are no moments of their own."""
    if not (count := int(spool.repeats.sum())):
        return header
    warnings = header.warnings
    if count >= _MANY_REPEATS * header.frame_count:
        warnings += (
            f"{count} of {header.frame_count} frames repeat the one before them: the clip was written at a higher rate "
            "than it was acquired.",
        )
    return replace(header, metadata={**header.metadata, "repeated_frames": count}, warnings=warnings)


def _detect(
    backend: Backend,
    spool: FrameSpool,
    contexts: ClipContext,
    keep_maps: bool,
    progress: Progress | None,
) -> Detections:
    """Detect in all frames; a clip whose maps are not kept goes through in blocks."""
    total, done = len(spool), 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress("detect", done, total)

    if keep_maps:
        return backend.detect(spool.read(0, total), contexts.of(0, total), advance)
    starts = range(0, total, _DETECT_BLOCK)
    blocks = []
    for start in starts:
        stop = min(start + _DETECT_BLOCK, total)
        seen = backend.detect(spool.read(start, stop), contexts.of(start, stop), advance)
        blocks.append((seen.points, seen.peak, seen.spread_px))
    points, peak, spread_px = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return Detections(points, peak, spread_px, ())


def _tissue(backend: Backend, spool: FrameSpool, contexts: ClipContext) -> NDArray[np.uint8]:
    """Label the tissue in frames as they are: where dark greys are lifted, other views look like long axes."""
    chosen = [int(frame) for frame in tissue_frames(len(spool))]
    frames = np.concatenate([spool.read(frame, frame + 1) for frame in chosen])
    return backend.label(frames, [contexts.of(frame, frame + 1)[0] for frame in chosen])
