"""How fast and how small: ``python -m echo_keypoints.benchmark`` prints a table and writes it as JSON.

Every step is timed on its own and all of them end to end, on a phantom clip or on yours, and beside them
OpenCV's trackers in the same run. Times are wall-clock and user CPU seconds, best and median of n.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.analysis import analyze_clip, analyze_source
from echo_keypoints.batch.job import Options
from echo_keypoints.batch.throughput import measure_throughput
from echo_keypoints.readers import open_clip, read_clip
from echo_keypoints.results import RESULT_NAME, AnalysisResult, save_result
from echo_keypoints.tracking import Anchor, load_backend, open_session
from echo_keypoints.tracking.backends import Backend

_SEED = 9_500_000
_LONG_FPS = 50.0


@dataclass(frozen=True)
class Timing:
    """Seconds that a step took over some repetitions."""

    step: str
    wall_best: float
    wall_median: float
    cpu_best: float
    cpu_median: float


def measure(
    step: str, work: Callable[[], object], repeat: int, before: Callable[[], object] = lambda: None
) -> Timing:
    """Time `work` after one warm-up call; what is done `before` each call is not timed."""
    before()
    work()
    walls, cpus = [], []
    for _ in range(repeat):
        before()
        wall, cpu = time.perf_counter(), os.times().user
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(os.times().user - cpu)
    return Timing(step, min(walls), statistics.median(walls), min(cpus), statistics.median(cpus))


def time_steps(path: Path, backend: Backend, repeat: int) -> list[Timing]:
    """Time the whole analysis of a clip, then every step of it alone, the models being loaded."""
    clip = read_clip(path)
    result = analyze_source(clip, backend=backend)
    session = open_session(clip, backend)
    references = cycle(range(clip.header.frame_count))  # a session remembers its last request
    middle = clip.header.frame_count // 2
    nudges = cycle((0.25, 0.5))

    def reopen() -> None:
        nonlocal session
        session.close()
        session = open_session(clip, backend)

    def correct() -> None:
        session.track([Anchor(middle, result.points_px[middle] + next(nudges))])

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / RESULT_NAME

        def end_to_end() -> None:
            target.unlink(missing_ok=True)
            save_result(analyze_clip(path, backend=backend), target)

        def write() -> None:
            target.unlink(missing_ok=True)
            save_result(result, target)

        try:
            return [
                measure("end to end: read, detect, refine, write", end_to_end, repeat),
                measure("  read", lambda: read_clip(path), repeat),
                measure("  detect", lambda: open_session(clip, backend).close(), repeat),
                measure("  refine", lambda: session.track(), repeat, before=reopen),
                measure("  write result.json", write, repeat),
                measure(
                    "refine from another frame", lambda: session.track(reference=next(references)), repeat
                ),
                measure("correct one frame (anchor)", correct, repeat),
            ]
        finally:
            session.close()


def time_outputs(path: Path, result: AnalysisResult, folder: Path, repeat: int) -> list[Timing]:
    """Time all outputs of a result together and each of the larger alone; pictures read the clip's file anew.

    Args:
        path: the clip.
        result: of it.
        folder: where to write; all files are there afterwards.
        repeat: repetitions.
    """
    from echo_keypoints.readers.dicom_study import find_study
    from echo_keypoints.writers.files import HTML_NAME, PDF_NAME
    from echo_keypoints.writers.outputs import write_outputs
    from echo_keypoints.writers.overlay import painted_frames
    from echo_keypoints.writers.plot import write_plot
    from echo_keypoints.writers.report import read_report
    from echo_keypoints.writers.video import write_mp4

    source = open_clip(path)
    study = find_study(path, source.header)

    def video() -> None:
        write_mp4(painted_frames(result, source), result.clip.frame_times_s, folder / "overlay.mp4")

    report = read_report(result, source)
    parts: list[tuple[str, Callable[[], object]]] = [
        ("overlay.mp4", video),
        ("curves.png", lambda: write_plot(result, folder / "curves.png")),
        ("report: read the clip", lambda: read_report(result, source)),
        ("report.html", lambda: report.write_html(folder / HTML_NAME)),
        ("report.pdf", lambda: report.write_pdf(folder / PDF_NAME)),
    ]
    return [
        measure("all outputs", lambda: write_outputs(result, source, folder, study=study), repeat),
        *(measure(f"  {step}", work, repeat) for step, work in parts),
    ]


def time_peers(path: Path, backend: Backend, repeat: int) -> list[Timing]:
    """Time OpenCV's trackers in the same model space, from our landmarks on the reference frame.

    Raises:
        ImportError: OpenCV is not installed (the extra `evaluate`).
    """
    from echo_keypoints.evaluation.peers.dis import DIS
    from echo_keypoints.evaluation.peers.klt import KLT

    with open_session(read_clip(path), backend) as session:
        frames = session.spool.read(0, len(session.spool))
        tracking = session.track()
        frame, points = tracking.reference_frame, tracking.points_px[tracking.reference_frame]
        query = session.letterbox.to_model(points)
    return [
        measure("peer: DIS flow (OpenCV), track only", lambda: DIS().track(frames, frame, query), repeat),
        measure("peer: KLT (OpenCV), track only", lambda: KLT().track(frames, frame, query), repeat),
    ]


def time_import(module: str, repeat: int) -> Timing:
    """Time ``import module`` in fresh interpreters, their own start left out."""
    code = (
        "import os, time; wall, cpu = time.perf_counter(), os.times().user; "
        f"import {module}; print(time.perf_counter() - wall, os.times().user - cpu)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True) for _ in range(repeat)
    ]
    walls, cpus = zip(*(map(float, run.stdout.split()) for run in runs), strict=True)
    return Timing(
        f"import {module}", min(walls), statistics.median(walls), min(cpus), statistics.median(cpus)
    )


def peak_rss_bytes() -> int | None:
    """Give the most memory that this process has ever held, or None where the system does not tell."""
    try:  # not getrusage: a child's figure there starts from that of its parent
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith("VmHWM")), None)
    return None if line is None else int(line.split()[1]) * 1024


def measure_long_clip(path: Path, args: argparse.Namespace) -> dict[str, float | int | None]:
    """Analyse a clip in a child process of its own and give its peak memory and time."""
    command = [
        sys.executable,
        "-m",
        "echo_keypoints.benchmark",
        "--child",
        str(path),
        "--backend",
        args.backend,
    ]
    command += ["--models", str(args.models)] if args.models else []
    command += ["--threads", str(args.threads)] if args.threads else []
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    answer: dict[str, float | int | None] = json.loads(run.stdout)
    return answer


def _child(path: Path, backend: Backend) -> None:
    """Analyse one clip, write its result, and print what that took."""
    wall, cpu = time.perf_counter(), os.times().user
    with tempfile.TemporaryDirectory() as folder:
        result = analyze_clip(path, backend=backend)
        save_result(result, Path(folder) / RESULT_NAME)
    answer = {
        "frames": result.clip.frame_count,
        "wall_s": time.perf_counter() - wall,
        "cpu_s": os.times().user - cpu,
        "peak_rss_bytes": peak_rss_bytes(),
    }
    print(json.dumps(answer))


@contextmanager
def _phantom(frame_count: int) -> Iterator[Path]:
    """Write a phantom as DICOM for as long as it is needed."""
    from echo_keypoints.data.simulation import simulate_clip
    from echo_keypoints.writers.dicom_multiframe import write_dicom

    clip = simulate_clip(_SEED, frame_count=frame_count, fps=_LONG_FPS, style="acoustic")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "phantom.dcm"
        write_dicom(clip.video, clip.times_s, path, spacing_mm=(clip.mm_per_px, clip.mm_per_px))
        yield path


@contextmanager
def _long_clip(short: Path, frame_count: int) -> Iterator[Path]:
    """Repeat a clip as a video of `frame_count` frames for as long as it is needed."""
    from echo_keypoints.writers.video import write_mp4

    frames = read_clip(short).pixels
    frames = frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2]
    there_and_back: NDArray[np.uint8] = np.concatenate([frames, frames[-2:0:-1]])
    colour = (np.repeat(frame[..., None], 3, axis=2) for frame in islice(cycle(there_and_back), frame_count))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.mp4"
        write_mp4(colour, np.arange(frame_count) / _LONG_FPS, path)
        yield path


def _machine(args: argparse.Namespace) -> dict[str, object]:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": load,
        "backend": args.backend,
        "threads": args.threads,
    }


def _batch_options(args: argparse.Namespace) -> Options:
    models = str(args.models.resolve()) if args.models else None
    return Options(backend=args.backend, models=models, device="cpu", threads=1)


def _print_table(timings: list[Timing]) -> None:
    print(f"{'seconds':45s}  wall best  median   CPU best  median")
    for t in timings:
        print(f"{t.step:45s}  {t.wall_best:9.3f} {t.wall_median:7.3f}  {t.cpu_best:9.3f} {t.cpu_median:7.3f}")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m echo_keypoints.benchmark", description=__doc__)
    parser.add_argument("--clip", type=Path, help="time this clip (default: a phantom)")
    parser.add_argument("--frames", type=int, default=48, help="of the phantom (default: 48)")
    parser.add_argument("--repeat", type=int, default=5, help="repetitions (default: 5)")
    parser.add_argument("--long", type=int, default=10_000, help="frames of the memory test; 0 for none")
    parser.add_argument("--batch", type=int, default=12, help="clips of the throughput test; 0 for none")
    parser.add_argument("--backend", choices=("onnx", "torch"), default="onnx")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--models", type=Path, help="folder of the weights (default: the shipped)")
    parser.add_argument("--output", type=Path, help="write all numbers to this JSON file")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark, print the table and write the JSON."""
    args = _parse(arguments)
    if args.child:
        _child(args.child, load_backend(args.backend, args.models, args.threads))
        return
    report: dict[str, object] = {"machine": _machine(args)}
    with ExitStack() as stack:
        path = args.clip or stack.enter_context(_phantom(args.frames))
        header = open_clip(path).header
        print(f"{header.frame_count} frames of {header.width} x {header.height}, {report['machine']}")
        start = time.perf_counter()
        backend = load_backend(args.backend, args.models, args.threads)
        report["load_models_s"] = time.perf_counter() - start
        modules = ("echo_keypoints", "echo_keypoints.analysis")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        timings = [
            *time_steps(path, backend, args.repeat),
            *time_outputs(path, analyze_clip(path, backend=backend), folder, args.repeat),
            *time_peers(path, backend, args.repeat),
            *(time_import(module, args.repeat) for module in modules),
        ]
        _print_table(timings)
        report["output_bytes"] = sizes = {file.name: file.stat().st_size for file in sorted(folder.iterdir())}
        print(", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in sizes.items()))
        report["clip"] = {"frames": header.frame_count, "width": header.width, "height": header.height}
        report["timings"] = [asdict(timing) for timing in timings]
        print(f"models loaded in {report['load_models_s']:.3f} s")
        if args.long:
            long_clip = stack.enter_context(_long_clip(path, args.long))
            report["long_clip"] = long = measure_long_clip(long_clip, args)
            peak = long["peak_rss_bytes"]
            memory = "unknown" if peak is None else f"{peak / 2**20:.0f} MiB"
            seconds = f"{long['wall_s']:.1f} s, {long['cpu_s']:.1f} s CPU"
            print(f"{long['frames']} frames: {seconds}, peak memory {memory}")
        if args.batch:
            report["batch"] = throughput = measure_throughput(path, args.batch, (1, 2), _batch_options(args))
            for run in throughput["runs"]:
                print(
                    f"batch of {args.batch} clips, {run['jobs']} processes of one thread: {run['wall_s']:.1f} s, "
                    f"{run['clips_per_min_per_job']:.1f} clips a minute each, {run['speed_up']:.2f} times faster"
                )
    if args.output:
        args.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
