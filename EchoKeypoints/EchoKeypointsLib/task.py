"""What is under way, in words."""

from __future__ import annotations

from dataclasses import dataclass

STAGES = {"read": "Reading", "detect": "Finding landmarks", "refine": "Following them", "write": "Writing"}


@dataclass(frozen=True)
class Task:
    """What is under way: words, and how far (0..1, None where unknown)."""

    words: str
    share: float | None = None
