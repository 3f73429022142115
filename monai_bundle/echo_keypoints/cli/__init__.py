"""The command ``echo-keypoints``: thin shells over the engine.

Sub-commands import what they need when they run, so that ``--help`` is immediate and a missing extra is told
in one sentence.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from echo_keypoints._version import __version__
from echo_keypoints.errors import EchoKeypointsError

REFUSED = 2
"""Exit code when input was refused; also argparse's own for a wrong command line."""

_INTERRUPTED, _UNREAD = 130, 141
_COMMANDS = {
    "analyze": ("echo_keypoints.cli.analyze", "track the landmarks through clips and write the results"),
    "batch": ("echo_keypoints.cli.batch", "analyse a folder of clips; goes on where it was stopped"),
    "inspect": (
        "echo_keypoints.cli.inspect",
        "tell what is known of a clip, and what would block measurements",
    ),
    "simulate": ("echo_keypoints.cli.simulate", "write phantom clips with known landmarks"),
    "evaluate": (
        "echo_keypoints.evaluation.cli",
        "score the tracking against known landmarks and other trackers",
    ),
    "reproduce": (
        "echo_keypoints.evaluation.reproduce.cli",
        "run an experiment of the paper and write its table or figure",
    ),
    "convert": ("echo_keypoints.cli.convert", "turn landmarks from one file format into another"),
    "export": (
        "echo_keypoints.cli.export",
        "write a result as a report, DICOM or Slicer files, or trained weights as ONNX",
    ),
}
"""Name → module with `add_arguments(parser)` and `run(args) -> int`, and what it does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        arguments: without the program's name; those of this process by default.

    Returns:
        0, or 2 when any input was refused (said in one sentence on stderr), 130 when interrupted,
        or 141 when nobody reads the output any more.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show stops nothing
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        args = _parser(given).parse_args(given)
        run: Callable[[argparse.Namespace], int] = args.run
        code = run(args)
        sys.stdout.flush()
        return code
    except EchoKeypointsError as error:
        complain(str(error))
        return REFUSED
    except ImportError as error:
        complain(f"this command needs {error.name}: pip install 'echo-keypoints[evaluate]' or '[train]'.")
        return REFUSED
    except KeyboardInterrupt:
        complain("stopped.")
        return _INTERRUPTED
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _UNREAD
    except OSError as error:
        complain(f"a file cannot be read or written ({error.strerror or error}).")
        return REFUSED


def complain(sentence: str) -> None:
    """Write one sentence to stderr."""
    print(f"echo-keypoints: {sentence}", file=sys.stderr)


def _parser(given: list[str]) -> argparse.ArgumentParser:
    """Make the parser; only the command that was asked for is imported."""
    parser = argparse.ArgumentParser(
        prog="echo-keypoints",
        description="Track the left ventricle through time in parasternal-long-axis echocardiograms. "
        "For research use only.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    asked = next((word for word in given if not word.startswith("-")), None)
    for name, (module_name, purpose) in _COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose[0].upper() + purpose[1:] + ".")
        if name == asked:
            module = import_module(module_name)
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser
