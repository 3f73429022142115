"""Waiting for the panel, which never waits itself."""

import time

import slicer

PATIENCE_S = 120


def until(panel, ready):
    """Let the panel work until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < end, panel.ui.statusLabel.text
        slicer.app.processEvents()
        time.sleep(0.005)


def settled(panel):
    """Let the panel work until nothing is under way."""
    until(panel, lambda: not panel.logic.controller.editor.busy and panel.logic.controller.task is None)
