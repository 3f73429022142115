"""HTML that cannot be broken into: every text is escaped unless it was made here."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any

_VOID = frozenset({"br", "hr", "img", "input", "meta"})


class Html(str):
    """Text that is HTML already and is taken as it is."""


Child = str | int | Iterable["Child"] | None
"""What an element may hold: text (escaped), `Html` (as it is), lists of either, or None (nothing)."""


def element(name: str, *children: Child, **attributes: str | int | float | bool | None) -> Html:
    """Make an element, e.g. ``element("td", "a < b", class_="num")``.

    Args:
        name: of the element.
        *children: what it holds.
        **attributes: a trailing underscore is dropped, other underscores become hyphens; None and False leave
            the attribute out, True gives it no value.
    """
    text = "".join(_attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    return Html(f"<{name}{text}>" if name in _VOID else f"<{name}{text}>{join(children)}</{name}>")


def join(children: Child) -> Html:
    """Put children one after another, text escaped."""
    if children is None:
        return Html()
    if isinstance(children, Html):
        return children
    if isinstance(children, (str, int)):
        return Html(html.escape(str(children)))
    return Html("".join(join(child) for child in children))


def script_json(value: Any) -> Html:
    """Write plain data for a ``<script type="application/json">``: nothing in it can end the element.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Html(text)


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    return f" {key}" if value is True else f' {key}="{html.escape(str(value))}"'
