"""The sections of ``report.html``, from top to bottom."""

from __future__ import annotations

from collections.abc import Iterable

from echo_keypoints.anatomy import LANDMARKS
from echo_keypoints.writers.report.cine import Cine
from echo_keypoints.writers.report.content import (
    BEAT_INDICES,
    COUNTING,
    NOTICE,
    Content,
    Flag,
    Row,
    remarks,
    telling,
)
from echo_keypoints.writers.report.elements import Child, Html, element, join
from echo_keypoints.writers.report.figure import Figure
from echo_keypoints.writers.report.svg import svg
from echo_keypoints.writers.report.viewer import viewer

_LEVELS = {"ok": ("✓", "passed"), "warn": ("!", "warning"), "fail": ("✕", "failed")}


def body(
    content: Content, cine: Cine, curves: tuple[Figure, Figure], stills: tuple[Figure, ...], frame_count: int
) -> Html:
    """Lay out the page's body."""
    return join(
        [
            element("a", "Skip to the measurements", href="#measurements", class_="skip"),
            _header(content),
            element(
                "main",
                _alert(content),
                element("div", viewer(content.source, cine, frame_count), _summary(content), class_="front"),
                _curves(curves),
                _stills(stills),
                _measurements(content),
                _beats(content),
                _quality(content),
                _provenance(content),
            ),
            element("footer", element("p", NOTICE), element("p", COUNTING)),
        ]
    )


def _header(content: Content) -> Html:
    return element(
        "header",
        element(
            "div",
            element("span", "Echo", element("b", "Keypoints"), class_="brand"),
            element("span", "Research use only", class_="tag"),
            element("button", "Dark", type="button", id="theme", class_="plain", hidden=True),
            class_="bar",
        ),
        element("h1", content.source),
        element(
            "p",
            content.subtitle,
            element("span", f"Quality: {content.grade}", class_=f"grade {_slug(content.grade)}"),
            class_="subtitle",
        ),
    )


def _alert(content: Content) -> Html | None:
    """Say at the top what the reader must know before any number."""
    items: list[Child] = []
    if not content.measurable:
        items.append(element("strong", "Not measurable. "))
    sentences = remarks(content)
    if not items and not sentences:
        return None
    lines = element("ul", (element("li", sentence) for sentence in sentences)) if sentences else None
    return element("aside", *items, lines, class_="alert", aria_label="Remarks")


def _summary(content: Content) -> Html:
    tiles = [_tile(row) for row in content.highlights]
    tiles.append(
        element("div", element("dt", "Heart rate"), element("dd", _figure(content.heart_rate)), class_="tile")
    )
    missing = None
    if not content.highlights:
        missing = _nothing(content)
    return element(
        "section",
        element("h2", "Summary"),
        element("dl", tiles, class_="tiles"),
        missing,
        class_="summary card",
    )


def _nothing(content: Content) -> Html:
    """Say in place of measurements why there are none."""
    beats = [
        element(
            "div", element("dt", f"Beat {beat.number}, {beat.use}"), element("dd", " ".join(beat.remarks))
        )
        for beat in content.beats
    ]
    reasons = [element("div", element("dt", "No value"), element("dd", why)) for why, _ in content.missing]
    return element("dl", reasons, beats, class_="why-not")


def _tile(row: Row) -> Html:
    return element(
        "div",
        element("dt", row.name, element("small", row.label) if row.label != row.name else None),
        element(
            "dd",
            _figure(row.value),
            element("small", row.basis, class_="spread"),
            (_flag(flag) for flag in telling(row.flags)),
        ),
        class_="tile",
    )


def _figure(quantity: str) -> Html:
    """Set the number larger than its unit."""
    value, _, unit = quantity.partition(" ")
    if not value[:1].isdigit() and value[:1] not in "−–":
        return element("span", quantity, class_="word")
    return join([element("span", value, class_="number"), element("span", unit, class_="unit")])


def _flag(flag: Flag) -> Html:
    return element(
        "span",
        element("b", flag.grade),
        f" {flag.table} ",
        element("span", flag.limits, class_="limits") if flag.limits else None,
        class_="flag" if flag.normal else f"flag beyond {flag.direction}".strip(),
    )


def _curves(curves: tuple[Figure, Figure]) -> Html:
    return element(
        "section",
        element("h2", "Curves"),
        element(
            "figure",
            element("div", svg(curves[0], "curves wide"), svg(curves[1], "curves narrow"), id="plots"),
            element(
                "figcaption",
                element("span", "systole (ED to ES)", class_="key systole"),
                element("span", "rejected beat", class_="key rejected"),
                element("span", "low confidence", class_="key doubt"),
                "Bold: smoothed; thin: frame by frame. Lanes: the stronger the colour, the surer.",
                element("span", " Drag to scrub.", class_="screen-only"),
            ),
        ),
        class_="card",
    )


def _stills(stills: tuple[Figure, ...]) -> Html:
    return element(
        "section",
        element("h2", "Stills"),
        element(
            "div",
            (element("figure", svg(still, "still"), element("figcaption", still.title)) for still in stills),
            class_="stills",
        ),
        element(
            "p",
            "Landmarks: " + "; ".join(f"{mark.name} {mark.title}" for mark in LANDMARKS) + ".",
            class_="note",
        ),
        class_="card",
    )


def _measurements(content: Content) -> Html:
    head = ("Measurement", "Value", "Reference", "Note and source")
    groups = [
        element(
            "tbody",
            element("tr", element("th", group.title, colspan=len(head), scope="rowgroup", class_="group")),
            (_measurement(row) for row in group.rows),
        )
        for group in content.groups
    ]
    table = _table("Measurements, each per beat and then averaged", head, groups, "measures")
    missing = element(
        "div",
        element("h3", "Not given, and why"),
        element(
            "dl",
            (element("div", element("dt", why), element("dd", names)) for why, names in content.missing),
            class_="missing",
        ),
    )
    return element(
        "section",
        element("h2", "Measurements"),
        table if groups else element("p", "None.", class_="note"),
        element("p", content.flags_note, class_="note") if content.flags_note and groups else None,
        missing if content.missing else None,
        class_="card",
        id="measurements",
    )


def _measurement(row: Row) -> Html:
    interval = element("small", row.interval) if row.interval else None
    source = element("small", row.source) if row.source else None
    return element(
        "tr",
        element("th", row.name, element("small", row.label) if row.label != row.name else None, scope="row"),
        element("td", row.value, element("small", row.basis), interval, class_="value"),
        element("td", (_flag(flag) for flag in row.flags), class_="flags"),
        element("td", row.note, source, class_="why"),
    )


def _beats(content: Content) -> Html:
    head = ("Beat", "ED", "ES", "Next ED", "RR", *BEAT_INDICES, "Confidence", "Use")
    rows = [
        element(
            "tr",
            element("th", beat.number, scope="row"),
            *(element("td", cell, class_="num") for cell in (beat.ed, beat.es, beat.next_ed, beat.rr)),
            *(element("td", value, class_="num") for value in (*beat.values, beat.confidence)),
            element(
                "td",
                element("b", beat.use),
                (element("small", remark) for remark in beat.remarks),
                class_="why",
            ),
            class_=None if beat.accepted else "off",
        )
        for beat in content.beats
    ]
    used = sum(beat.accepted for beat in content.beats)
    caption = f"{used} of {len(content.beats)} beats are used"
    if content.times_known:
        caption += "; times are from the first frame"
    table = _table(caption, head, [element("tbody", rows)], "beats")
    return element(
        "section",
        element("h2", "Beats"),
        table if rows else element("p", "No beat was found in this clip.", class_="note"),
        class_="card",
    )


def _quality(content: Content) -> Html:
    rows = []
    for check in content.checks:
        mark, word = _LEVELS.get(check.level, ("·", check.level))
        rows.append(
            element(
                "tr",
                element(
                    "td", element("span", mark, aria_hidden="true"), element("span", word), class_="verdict"
                ),
                element("th", check.name, scope="row"),
                element("td", check.value, class_="num", data_label="value" if check.value else None),
                element("td", check.limit, class_="num", data_label="limit" if check.limit else None),
                element("td", check.text, class_="why"),
                class_=f"level {check.level}" if check.level in _LEVELS else None,
            )
        )
    head = ("Result", "Check", "Value", "Limit", "Meaning")
    reasons = element("ul", (element("li", reason) for reason in content.reasons))
    return element(
        "section",
        element("h2", "Quality"),
        element(
            "p",
            "Overall: ",
            element("span", content.grade, class_=f"grade {_slug(content.grade)}"),
        ),
        reasons if content.reasons and not rows else None,
        _table("Checks of the clip and its tracks", head, [element("tbody", rows)], "checks")
        if rows
        else None,
        class_="card",
    )


def _provenance(content: Content) -> Html:
    blocks = [
        element("div", element("h3", title), element("dl", (_pair(pair) for pair in pairs)))
        for title, pairs in content.facts
    ]
    models = element("dl", (_pair(pair) for pair in content.models), class_="hashes")
    blocks.append(element("div", element("h3", "Models, SHA-256"), models, class_="full"))
    trail = None
    if content.audit:
        rows = [
            element("tr", (element("td", cell, class_="why") for cell in entry)) for entry in content.audit
        ]
        head = ("When (UTC)", "Who", "What", "Change", "Reason")
        trail = _table("Changes, oldest first; originals are kept", head, [element("tbody", rows)], "audit")
    return element(
        "section",
        element("h2", "Provenance"),
        element("div", blocks, class_="facts"),
        element("h3", "Audit trail"),
        trail or element("p", "No change was made to the automatic result.", class_="note"),
        class_="card",
    )


def _pair(pair: tuple[str, str]) -> Html:
    return element("div", element("dt", pair[0]), element("dd", pair[1]))


def _table(caption: str, head: Iterable[str], bodies: list[Html], class_: str) -> Html:
    table = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", (element("th", title, scope="col") for title in head))),
        bodies,
        class_=class_,
    )
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label=caption)


def _slug(text: str) -> str:
    return "-".join(text.lower().split())
