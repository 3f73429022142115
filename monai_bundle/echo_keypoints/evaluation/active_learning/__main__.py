"""Command line: repeats that can be stopped and go on, and the report."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from functools import cache, partial
from pathlib import Path
from typing import Any

from echo_keypoints.errors import QueryError
from echo_keypoints.evaluation.active_learning.clips import Item, make_clips
from echo_keypoints.evaluation.active_learning.comparison import compare, plot
from echo_keypoints.evaluation.active_learning.curves import (
    FIRST_SEED,
    Protocol,
    first_choices,
    learning_curve,
)
from echo_keypoints.results import atomic_path, file_digest
from echo_keypoints.tracking.backends import models_directory
from echo_keypoints.tracking.backends.torch_backend import SKNET, TRNET


def run(output: Path, protocol: Protocol, strategies: Sequence[str]) -> dict[str, Any]:
    """Measure what the folder does not hold yet, and write ``active_learning.json`` and ``.png`` after each repeat.

    Raises:
        QueryError: the folder holds results of another protocol, or of other weights.
    """
    facts = {
        "protocol": {name: value for name, value in asdict(protocol).items() if "repeat" not in name},
        "weights": {name: file_digest(models_directory() / name) for name in (SKNET, TRNET)},
    }
    if _kept(output / "protocol.json", lambda: facts) != facts:
        raise QueryError(
            f"{output} has results of another protocol or of other weights; choose another folder."
        )
    found: list[dict[str, float]] = []
    curves: dict[str, dict[int, Any]] = {strategy: {} for strategy in strategies}
    report: dict[str, Any] = {}
    for repeat in range(protocol.first_repeat, protocol.first_repeat + protocol.repeats):
        first, each = _repeat(output / "parts", repeat, protocol, strategies)
        found.append(first)
        for strategy, curve in each.items():
            curves[strategy][repeat] = curve
        report = {
            **facts,
            "repeats": len(found),
            "comparison": compare(curves),
            "first_choices": found,
            "curves": curves,
        }
        (output / "active_learning.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        plot(curves, found, f"What it teaches ({len(found)} pools)", output / "active_learning.png")
    return report


def _repeat(
    parts: Path, repeat: int, protocol: Protocol, strategies: Sequence[str]
) -> tuple[dict[str, float], dict[str, Any]]:
    """One pool: what strategies find in it, and their learning curves."""
    with tempfile.TemporaryDirectory() as folder:

        @cache
        def clips(part: str) -> list[Item]:
            first = FIRST_SEED + 1000 * repeat + (500 if part == "test" else 0)
            count = protocol.test if part == "test" else protocol.pool
            return make_clips(Path(folder) / part, count, first, protocol.device, protocol.unseen_every)

        def curve(strategy: str) -> Any:
            points = learning_curve(strategy, clips("pool"), clips("test"), protocol, repeat)
            print(repeat, strategy, [round(point["error_px"], 2) for point in points], flush=True)
            return points

        first = _kept(
            parts / f"first-{repeat:02d}.json",
            lambda: first_choices(clips("pool"), protocol.pool // protocol.unseen_every),
        )
        return first, {
            strategy: _kept(parts / f"{strategy}-{repeat:02d}.json", partial(curve, strategy))
            for strategy in strategies
        }


def _kept(path: Path, make: Callable[[], Any]) -> Any:
    """Read a JSON document, made first if it is not there: whole or not at all."""
    if not path.is_file():
        document = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            part.write_text(json.dumps(document), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `run`."""
    parser = argparse.ArgumentParser(description="Learning curves of the strategies, on phantoms.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the figures and the plot")
    for field in fields(Protocol):
        kind = type(field.default)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    parser.add_argument("--strategies", nargs="+", default=["random", "informed"])
    args = parser.parse_args(arguments)
    protocol = Protocol(**{field.name: getattr(args, field.name) for field in fields(Protocol)})
    report = run(args.output, protocol, args.strategies)
    print(json.dumps(report["comparison"], indent=1))


if __name__ == "__main__":
    main()
