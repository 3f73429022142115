"""`Refusal`: the server says no, in one sentence and with the HTTP status that fits."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """An answer other than the one that was asked for.

    Attributes:
        status: of HTTP.
        sentence: what is wrong and what to do; no paths, no patient data.
        facts: plain JSON data for programs.
    """

    def __init__(self, status: int, sentence: str, **facts: Any) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.facts = status, sentence, facts


def not_found(what: str) -> Refusal:
    """Make the refusal for a thing that is not there."""
    return Refusal(404, f"There is no such {what}.")
