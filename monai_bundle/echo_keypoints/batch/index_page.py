"""``index.html``: every clip of a batch in one table, sortable, to be filtered, with links to the reports."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from echo_keypoints._version import __version__
from echo_keypoints.batch.states import FINISHED, STATES
from echo_keypoints.batch.worklist import Entry
from echo_keypoints.results import utc_now
from echo_keypoints.writers.report.elements import Html, element

INDEX_NAME = "index.html"

_FACTS = (
    ("Quality", "quality_grade", None),
    ("View", "view", None),
    ("HR", "heart_rate_bpm", 0),
    ("Beats", "beats_accepted", 0),
    ("IVSd mm", "IVSd (mm)", 1),
    ("LVIDd mm", "LVIDd (mm)", 1),
    ("LVPWd mm", "LVPWd (mm)", 1),
    ("LVIDs mm", "LVIDs (mm)", 1),
    ("FS %", "FS (%)", 0),
    ("LVM g", "LVM (g)", 0),
)
"""Title of a column, key of the summary, and decimals; None for text."""

_PAGES = ("report.html", "overlay.mp4", "curves.png")
"""What a clip's name links to: the first of them that is there."""


def index_page(entries: Sequence[Entry], output: Path) -> str:
    """Lay out the page; it holds everything and may fetch nothing.

    Args:
        entries: the clips.
        output: folder that the page will lie in.
    """
    tally = Counter(entry.state for entry in entries)
    titles = ("Clip", "State", *(title for title, _, _ in _FACTS), "Note")
    style, script = _resource("index.css"), _resource("index.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    numbers = {title for title, _, decimals in _FACTS if decimals is not None}
    table = element(
        "table",
        element(
            "thead",
            element(
                "tr",
                [
                    element(
                        "th",
                        element("button", title, type="button"),
                        scope="col",
                        class_="number" if title in numbers else None,
                    )
                    for title in titles
                ],
            ),
        ),
        element("tbody", [_row(entry, output) for entry in entries]),
    )
    body = element(
        "body",
        element(
            "header",
            element("h1", "EchoKeypoints batch"),
            element(
                "p", f"{len(entries)} clips · {utc_now().replace('T', ' ').rstrip('Z')} UTC · ", _notice()
            ),
        ),
        element("div", _filters(tally, len(entries)), _search(), class_="tools"),
        element(
            "div",
            table,
            element("p", "No clip fits.", id="empty", class_="empty", hidden=bool(entries)),
            class_="frame",
        ),
        element(
            "footer",
            element("strong", "For research use only."),
            " Not a medical device; not for diagnosis or treatment. Values are means over the accepted beats. ",
            f"EchoKeypoints {__version__}.",
        ),
        element("script", Html(script)),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("title", "EchoKeypoints batch"),
        element("style", Html(style)),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _notice() -> Html:
    return element("span", "research use only")


def _filters(tally: Counter[str], total: int) -> list[Html]:
    """Give a button for all and one for each state that occurs."""
    buttons = [("all", "", total), *((state, state, tally[state]) for state in STATES if tally[state])]
    return [
        element(
            "button",
            title,
            element("b", count),
            type="button",
            class_="filter",
            data_state=state,
            aria_pressed="false" if state else "true",
        )
        for title, state, count in buttons
    ]


def _search() -> Html:
    return element("input", id="search", type="search", placeholder="Search", aria_label="Search the table")


def _row(entry: Entry, output: Path) -> Html:
    page = next((name for name in _PAGES if (output / entry.folder / name).is_file()), None)
    name: str | Html = entry.path
    if page and entry.state in FINISHED:
        name = element("a", entry.path, href=quote(f"{entry.folder}/{page}"))
    return element(
        "tr",
        element("td", name, class_="clip"),
        element("td", element("span", entry.state, class_=f"state {entry.state.replace(' ', '-')}")),
        [_cell(entry.summary.get(key, ""), decimals) for _, key, decimals in _FACTS],
        element("td", element("div", entry.reason), class_="note"),
        data_state=entry.state,
    )


def _cell(value: str, decimals: int | None) -> Html:
    if decimals is None or not value:
        return element("td", value, class_=None if decimals is None else "number")
    return element("td", f"{float(value):.{decimals}f}", class_="number", data_value=value)


def _resource(name: str) -> str:
    return resources.files("echo_keypoints.batch").joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Give the hash by which a content-security policy allows an inline part."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
