"""``echo-keypoints reproduce``: the options. What it does is in the modules beside this one, which need torch."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from echo_keypoints.errors import EchoKeypointsError, ResultError

EXPERIMENTS = {
    "table1": ("table1", "table_1"),
    "table3": ("ablations", "table_3"),
    "table4": ("ablations", "table_4"),
    "table5": ("ablations", "table_5"),
    "table6": ("table6", "table_6"),
    "figure6": ("ablations", "figure_6"),
    "design": ("ablations", "design"),
}
"""Name → module and function."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``reproduce``."""
    parser.add_argument("experiment", nargs="+", choices=EXPERIMENTS, help="tables and figures of the paper")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the tables and plots"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR",
        help="clips to test on, as for evaluate; for table6 labelled clips and cohort.csv (default: fresh phantoms)",
    )  # fmt: skip
    parser.add_argument(
        "--training-data", type=Path, metavar="DIR",
        help="EchoNet-LVH as published, to train the peers that are detectors (default: phantoms)",
    )  # fmt: skip
    parser.add_argument(
        "--budget", choices=("tiny", "small", "full"), default="small",
        help="tiny: everything once, for a test; small: for CPUs; full: for a GPU (default: small)",
    )  # fmt: skip
    parser.add_argument(
        "--phantoms", type=int, metavar="N", help="fresh phantoms to test on, if not those of the budget"
    )
    parser.add_argument(
        "--steps",
        type=int,
        metavar="N",
        help="steps of every TR-net that is trained, if not those of the budget",
    )
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        help="folder for what is trained, found again next time (default: OUTPUT/runs)",
    )
    parser.add_argument(
        "--docs", type=Path, metavar="FILE",
        help="a Markdown document whose tables are written anew from the reports (docs/reproduction.md)",
    )  # fmt: skip
    parser.add_argument("--backend", choices=("onnx", "torch"), default="onnx", help="engine of our networks")
    parser.add_argument(
        "--models", type=Path, metavar="DIR", help="folder of our weights (default: the shipped)"
    )


def run(args: argparse.Namespace) -> int:
    """Run the experiments, print their tables and write them.

    Raises:
        EchoKeypointsError: an extra is not installed, or an option makes no sense.
        ModelError: weights are missing.
        ResultError: the output cannot be written.
    """
    try:
        functions = [_load(name) for name in args.experiment]
        from echo_keypoints.evaluation.peers.engine import Engine
        from echo_keypoints.evaluation.reproduce.budget import chosen_budget
        from echo_keypoints.evaluation.reproduce.context import Context
        from echo_keypoints.evaluation.reproduce.document import fill_document
        from echo_keypoints.evaluation.reproduce.report import to_markdown, write_report
    except ImportError as error:
        raise EchoKeypointsError(
            f"reproduce needs {error.name}: pip install 'echo-keypoints[evaluate,peers,train]'."
        ) from error
    for folder in (args.data, args.training_data):
        if folder is not None and not folder.is_dir():
            raise EchoKeypointsError(f"The data folder {folder.name} does not exist.")
    runs = args.runs or args.output / "runs"
    engine = Engine(args.backend, args.models)
    budget = chosen_budget(args.budget, args.phantoms, args.steps)
    context = Context(budget, engine, args.data, args.training_data, args.output, runs)
    try:
        args.output.mkdir(parents=True, exist_ok=True)
        for function in functions:
            for report in function(context):
                print(to_markdown(report))
                for path in write_report(report, args.output):
                    print(path)
                if args.docs:
                    fill_document(args.docs, args.output)
    except OSError as error:
        raise ResultError(
            f"Cannot write to the folder {args.output.name} ({error.strerror or error})."
        ) from error
    finally:
        engine.close()
    return 0


def _load(name: str) -> Callable[[Any], Any]:
    module, function = EXPERIMENTS[name]
    return getattr(import_module(f"echo_keypoints.evaluation.reproduce.{module}"), function)
