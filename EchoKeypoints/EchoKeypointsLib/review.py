"""Moving through a clip: step, play, next doubtful frame, the beat at a frame."""

from __future__ import annotations

import numpy as np

from echo_keypoints.results import AnalysisResult
from EchoKeypointsLib.study import Study
from EchoKeypointsLib.summary import doubtful_frames


def step(study: Study, frames: int) -> None:
    """Go forward or back; stops playing, and does not run round the ends."""
    study.browser.SetPlaybackActive(False)
    study.go_to(study.frame + frames)


def toggle_play(study: Study) -> bool:
    """Play or pause.

    Returns:
        Whether it plays now.
    """
    study.browser.SetPlaybackActive(not study.browser.GetPlaybackActive())
    return bool(study.browser.GetPlaybackActive())


def next_doubtful(study: Study, direction: int = 1) -> int | None:
    """Go to the next (1) or the previous (-1) frame that is doubtful; round the ends.

    Returns:
        The frame, or None where no frame is doubtful.
    """
    result = study.result
    frames = np.empty(0, int) if result is None else doubtful_frames(result)
    if not frames.size:
        return None
    study.browser.SetPlaybackActive(False)
    if direction > 0:
        later = frames[frames > study.frame]
        target = int(later[0] if later.size else frames[0])
    else:
        earlier = frames[frames < study.frame]
        target = int(earlier[-1] if earlier.size else frames[-1])
    study.go_to(target)
    return target


def beat_at(result: AnalysisResult, frame: int) -> int | None:
    """Give the position in `beats` of the beat whose ED is the last at or before a frame; the first beat before that.

    None where there is no beat.
    """
    if not result.beats:
        return None
    started = [i for i, beat in enumerate(result.beats) if beat["ed_frame"] <= frame]
    return started[-1] if started else 0
