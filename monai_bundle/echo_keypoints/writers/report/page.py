"""``report.html``: one file that holds everything, and may fetch nothing."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from string import Template
from typing import Any

import numpy as np

from echo_keypoints.anatomy import LANDMARKS, SEGMENTS
from echo_keypoints.results import AnalysisResult, plain
from echo_keypoints.writers.plot import time_axis
from echo_keypoints.writers.report.cine import Cine
from echo_keypoints.writers.report.content import Content
from echo_keypoints.writers.report.curves import (
    best_curves,
    draw_curves,
    event_frames,
)
from echo_keypoints.writers.report.elements import Html, join, script_json
from echo_keypoints.writers.report.figure import Figure
from echo_keypoints.writers.report.sections import body
from echo_keypoints.writers.report.svg import data_uri
from echo_keypoints.writers.style import LOW_CONFIDENCE

_WIDE, _NARROW = (1060.0, 430.0), (372.0, 430.0)


def render_page(result: AnalysisResult, content: Content, cine: Cine, stills: tuple[Figure, ...]) -> str:
    """Lay out the page.

    A content-security policy lets the browser run only the script that is in the page and load nothing from
    anywhere, whatever the clip's file may have smuggled in.

    Args:
        result: of the clip.
        content: its words.
        cine: its frames.
        stills: drawings of the frames that were measured.
    """
    curves = (draw_curves(result, *_WIDE), draw_curves(result, *_NARROW))
    style, script = Html(_palette() + _resource("report.css")), Html(_resource("report.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return Template(_resource("template.html")).substitute(
        policy=policy,
        title=join(f"{content.source} – EchoKeypoints report"),
        style=style,
        body=body(content, cine, curves, stills, result.clip.frame_count),
        data=script_json(_player_data(result, cine, curves)),
        script=script,
    )


def _player_data(result: AnalysisResult, cine: Cine, curves: tuple[Figure, ...]) -> dict[str, Any]:
    """Give what the script needs: per frame shown, and where the curves lie in their figures."""
    clip = result.clip
    shown = list(cine.frames)
    events = {str(cine.nearest(index)): kind for index, kind in event_frames(result).items()}
    moments, best = time_axis(result), best_curves(result)
    return {
        "size": [cine.view.width, cine.view.height],
        "frames": shown,
        "frameCount": clip.frame_count,
        "images": [data_uri(jpeg) for jpeg in cine.frames.values()],
        "times": plain(clip.frame_times_s[shown]),
        "timesKnown": result.clip.times_known,
        "moments": plain(moments[shown]),
        "range": plain(moments[[0, -1]]),
        "points": plain(np.round(cine.view.place(result.points_px[shown]), 2)),
        "confidence": plain(np.round(result.confidence[shown], 3)),
        "lowConfidence": LOW_CONFIDENCE,
        "unit": "px" if clip.spacing_mm is None else "mm",
        "segments": [
            {
                "name": segment.name,
                "ends": [segment.start, segment.end],
                "colour": _hex(segment.colour),
                "values": plain(np.round(_raw(result, segment.name)[shown], 2)),
                "curve": plain(np.round(best[segment.name][shown], 2)),
            }
            for segment in SEGMENTS
        ],
        "landmarks": [{"name": mark.name, "colour": _hex(mark.colour)} for mark in LANDMARKS],
        "events": events,
        "reference": cine.nearest(result.reference_frame),
        "panels": [[vars(panel) for panel in figure.panels] for figure in curves],
    }


def _raw(result: AnalysisResult, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    length = result.lengths[name]
    return length.px if length.mm is None else length.mm


def _palette() -> str:
    """Give the colours of the anatomy to the style sheet."""
    marks = (*SEGMENTS, *LANDMARKS)
    return ":root{" + "".join(f"--{mark.name.lower()}:{_hex(mark.colour)};" for mark in marks) + "}\n"


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
