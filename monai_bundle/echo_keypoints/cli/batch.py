"""``echo-keypoints batch``: a folder of clips in, a folder of results with a table of all of them out."""

from __future__ import annotations

import argparse
import getpass
from pathlib import Path

from tqdm import tqdm

from echo_keypoints.batch.index_page import INDEX_NAME
from echo_keypoints.batch.job import Options, Outcome
from echo_keypoints.batch.run import Tally, review, run_batch
from echo_keypoints.batch.schedulers import DaskScheduler, LocalScheduler, Scheduler
from echo_keypoints.batch.states import FAILED, NEEDS_REVIEW, STATES
from echo_keypoints.cli import REFUSED
from echo_keypoints.cli.arguments import positive
from echo_keypoints.errors import EchoKeypointsError
from echo_keypoints.processing import Outputs
from echo_keypoints.tracking import load_backend
from echo_keypoints.tracking.backends.onnx_backend import available_threads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``batch``."""
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="of clips, with all below it")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="for the results")
    parser.add_argument(
        "--jobs", type=positive, metavar="N", help="processes (default: one for each CPU that is allowed)"
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="work on a Dask cluster, e.g. tcp://host:8786")
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="CPU threads of each process (default: its share)"
    )
    parser.add_argument(
        "--timeout", type=positive, default=60, metavar="MIN", help="give a clip up after it (default: 60)"
    )
    parser.add_argument("--retry-failed", action="store_true", help="try again what failed before")
    parser.add_argument("--overwrite", action="store_true", help="analyse again what has a result")
    parser.add_argument("--backend", choices=("onnx", "torch"), default="onnx", help="inference engine")
    parser.add_argument("--device", help="for torch: cpu, cuda, cuda:1 …")
    parser.add_argument("--models", type=Path, metavar="DIR", help="folder of the weights")
    parser.add_argument("--gif", action="store_true", help="write overlay.gif, too")
    parser.add_argument("--no-video", action="store_true", help="write no overlay.mp4")
    parser.add_argument("--no-report", action="store_true", help="write no report.html and report.pdf")
    parser.add_argument("--no-sr", action="store_true", help="write no sr.dcm")
    parser.add_argument(
        "--with-identity",
        action="store_true",
        help="file sr.dcm in the clip's study, the patient's name included",
    )
    review_group = parser.add_argument_group("review", "instead of analysing")
    review_group.add_argument(
        "--mark-reviewed",
        nargs="+",
        metavar="CLIP",
        help="clips that a person stands for, as index.html names them",
    )
    review_group.add_argument("--who", help="the reader, for the audit trail (default: the user's name here)")
    review_group.add_argument("--reason", default="", help="remark for the audit trail")


def run(args: argparse.Namespace) -> int:
    """Work off the folder, or mark clips as reviewed.

    Returns:
        0, or 2 when any clip failed.

    Raises:
        EchoKeypointsError: the command line, the folders or the weights cannot be used.
    """
    if args.mark_reviewed:
        for entry in review(args.output, args.mark_reviewed, args.who or getpass.getuser(), args.reason):
            print(f"{entry.path}: {entry.state} {entry.reason}")
        return 0
    if args.folder is None:
        raise EchoKeypointsError("batch needs a folder of clips.")
    scheduler, threads = _scheduler(args)
    options = Options(
        backend=args.backend,
        models=None if args.models is None else str(args.models.resolve()),
        device=args.device,
        threads=threads,
        outputs=Outputs(not args.no_video, args.gif, not args.no_report, not args.no_sr, args.with_identity),
        overwrite=args.overwrite,
    )
    with tqdm(desc="batch", unit="clip", disable=None, dynamic_ncols=True) as bar:

        def advance(finished: int, total: int, outcome: Outcome | None) -> None:
            if outcome is None:
                bar.total, bar.initial, bar.n = total, finished, finished
                bar.refresh()
                return
            note = f": {outcome.reason}" if outcome.state in (FAILED, NEEDS_REVIEW) else ""
            bar.write(f"{outcome.path}: {outcome.state}{note}")
            bar.update()

        tally = run_batch(
            args.folder, args.output, scheduler, options, retry_failed=args.retry_failed, progress=advance
        )
    _report(tally, args.output)
    return REFUSED if tally.states.get(FAILED) else 0


def _scheduler(args: argparse.Namespace) -> tuple[Scheduler, int]:
    """Choose who does the work, and with how many threads each."""
    if args.scheduler:
        return DaskScheduler(args.scheduler), args.threads or 1
    load_backend(args.backend, args.models, 1, args.device)  # a fault of the weights is told once, and now
    count = args.jobs or available_threads()
    return LocalScheduler(count, args.timeout * 60.0), args.threads or max(1, available_threads() // count)


def _report(tally: Tally, output: Path) -> None:
    counts = ", ".join(f"{tally.states[state]} {state}" for state in STATES if tally.states.get(state))
    print(f"{counts or 'no clips'} ({tally.analysed} in this run): {output / INDEX_NAME}")
