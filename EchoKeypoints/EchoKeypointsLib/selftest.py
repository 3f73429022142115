"""The story of a review, driven through the controller: by tests here, and by the self-test inside Slicer."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from EchoKeypointsLib import review
from EchoKeypointsLib.controller import Controller
from EchoKeypointsLib.geometry import px_to_ras

_PATIENCE_S = 120.0


def wait(
    controller: Controller, ready: Callable[[], bool], events: Callable[[], None] = lambda: None
) -> None:
    """Poll until something is so.

    Args:
        controller: to poll.
        ready: what is waited for.
        events: called between, e.g. ``slicer.app.processEvents``.

    Raises:
        AssertionError: the controller told of a failure, or it took too long.
    """
    failures: list[str] = []
    controller.failed.connect(failures.append)
    end = time.monotonic() + _PATIENCE_S
    try:
        while not ready():
            assert time.monotonic() < end, "it took too long"
            assert not failures, failures[0]
            controller.poll()
            events()
            time.sleep(0.005)
    finally:
        controller.failed.disconnect(failures.append)


def run_story(controller: Controller, path: Path, events: Callable[[], None] = lambda: None) -> None:
    """Open a clip, analyse it, step through it, move a landmark, undo.

    Raises:
        AssertionError: something is not as it must be.
    """
    controller.open_file(path)
    wait(controller, lambda: controller.study is not None and controller.task is None, events)
    study = controller.study
    assert study is not None and study.volume.GetImageData() is not None
    controller.analyze()
    wait(controller, lambda: study.result is not None and controller.task is None, events)
    result = study.result
    assert result is not None and np.isfinite(result.points_px).all()
    for frame in range(0, result.clip.frame_count, 7):
        study.go_to(frame)
        assert np.allclose(study.points_px, result.points_px[frame], atol=1e-3)
    review.next_doubtful(study)
    frame = result.clip.frame_count // 2
    study.go_to(frame)
    target = result.points_px[frame, 2] + (0, 6)
    study.points.SetNthControlPointPosition(2, *px_to_ras(target, result.clip.spacing_mm))
    wait(controller, lambda: not controller.editor.busy, events)
    edited = study.result
    assert edited is not None and np.allclose(edited.points_px[frame, 2], target, atol=1e-3)
    assert [anchor.frame for anchor in edited.anchors] == [frame]
    controller.editor.undo()
    assert study.result is not None and not study.result.anchors
    assert np.allclose(study.points_px, result.points_px[frame], atol=1e-3)
    assert len(study.result.audit) == len(result.audit) + 2
