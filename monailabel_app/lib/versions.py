"""Whether the installed packages fit each other, told in one sentence. Standard library only."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"
"""The one place that pins."""


def problem(requirements: Path = REQUIREMENTS) -> str | None:
    """Compare the installed versions with the pins.

    Args:
        requirements: a file of pip; only its ``name==version`` and ``name<version`` lines count.

    Returns:
        A sentence on the first package that is missing or does not fit, or None.
    """
    for name, rule, wanted in pins(requirements.read_text(encoding="utf-8")):
        try:
            found = version(name)
        except PackageNotFoundError:
            found = None
        if found is None or not _fits(found, rule, wanted):
            state = f"{name} {found} is installed" if found else f"{name} is missing"
            return (
                f"{state}, but the Label server needs {name}{rule}{wanted}: in an environment of its own, run "
                "pip install -r monailabel_app/requirements.txt from the folder of the project."
            )
    return None


def pins(text: str) -> list[tuple[str, str, str]]:
    """Read ``(name, "==" or "<", version)`` of each pin in a requirements file."""
    return re.findall(r"^([A-Za-z0-9_.-]+)(==|<)([0-9][0-9.]*)\s*(?:#.*)?$", text, re.MULTILINE)


def _fits(found: str, rule: str, wanted: str) -> bool:
    have, want = _numbers(found), _numbers(wanted)
    if rule == "<":
        return have < want
    return have[: len(want)] == want


def _numbers(text: str) -> tuple[int, ...]:
    """Read the leading numbers of a version: ``2.13.0+cpu`` is (2, 13, 0)."""
    return tuple(int(part) for part in re.findall(r"\d+", text.split("+")[0].split("rc")[0]))
