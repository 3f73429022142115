"""The player of ``report.html``: the cine, its controls, and the lengths of the frame that is shown."""

from __future__ import annotations

from echo_keypoints.anatomy import SEGMENTS
from echo_keypoints.writers.report.cine import Cine
from echo_keypoints.writers.report.elements import Html, element

_KEYS = (
    ("Space", "play, pause"),
    ("← →", "one frame"),
    ("Shift ← →", "ten frames"),
    ("Home End", "first, last frame"),
    ("D S", "next end-diastole, end-systole; with Shift the one before"),
    ("L", "landmarks on, off"),
    ("− +", "slower, faster"),
)


def viewer(source: str, cine: Cine, frame_count: int) -> Html:
    """Lay out the player; the script brings it to life.

    Args:
        source: name of the clip.
        cine: the frames that can be shown.
        frame_count: of the whole clip.
    """
    last = len(cine.frames) - 1
    thinned = None
    if len(cine.frames) < frame_count:
        which = f"one in {cine.step}, and more around the beat of the stills"
        text = f"{len(cine.frames)} of {frame_count} frames are shown here to keep this file small: {which}."
        thinned = element("p", f"{text} The measurements use all of them.", class_="note")
    return element(
        "section",
        element("h2", "Cine", class_="quiet"),
        element(
            "div",
            element(
                "canvas",
                f"The clip {source} with its landmarks; this needs JavaScript.",
                id="cine",
                width=cine.view.width,
                height=cine.view.height,
                role="img",
                aria_label="The clip with its landmarks and callipers",
            ),
            element("span", id="event", class_="event"),
            class_="screen",
        ),
        element(
            "div",
            _button("play", "Play"),
            element(
                "input",
                type="range",
                id="scrub",
                min=0,
                max=last,
                value=0,
                step=1,
                aria_label="Frame",
            ),
            element("output", id="where", for_="scrub", aria_live="off"),
            class_="controls",
        ),
        element(
            "div",
            element(
                "div",
                _button("back", "‹", "One frame back"),
                _button("forward", "›", "One frame on"),
                _button("ed", "ED", "ED: next end-diastole"),
                _button("es", "ES", "ES: next end-systole"),
                class_="set",
            ),
            element(
                "div",
                element(
                    "label",
                    "Speed ",
                    element(
                        "select",
                        (
                            element("option", f"{speed}×", value=speed, selected=speed == "1")
                            for speed in ("0.1", "0.25", "0.5", "1", "2")
                        ),
                        id="speed",
                    ),
                ),
                element("button", "Landmarks", type="button", id="marks", aria_pressed="true"),
                class_="set",
            ),
            class_="controls more",
        ),
        element("dl", (_reading(segment.name) for segment in SEGMENTS), class_="readings"),
        element("p", id="status", class_="unseen", role="status"),
        thinned,
        element(
            "details",
            element("summary", "Keys"),
            element("dl", (element("div", element("dt", k), element("dd", v)) for k, v in _KEYS)),
            class_="keys",
        ),
        class_="viewer card",
        aria_label="Cine",
    )


def _button(id_: str, text: str, label: str | None = None) -> Html:
    return element("button", text, type="button", id=id_, aria_label=label, title=label)


def _reading(name: str) -> Html:
    low = name.lower()
    return element(
        "div", element("dt", name), element("dd", "–", id=f"reading-{low}"), class_=f"reading {low}"
    )
