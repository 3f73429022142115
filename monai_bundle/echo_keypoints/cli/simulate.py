"""``echo-keypoints simulate``: phantom clips, and the truth about each beside it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from echo_keypoints.anatomy import LANDMARK_NAMES
from echo_keypoints.cli.arguments import natural, positive
from echo_keypoints.errors import EchoKeypointsError, ResultError
from echo_keypoints.results import atomic_path, plain

if TYPE_CHECKING:
    from echo_keypoints.data.simulation import SimulatedClip

FORMATS = {"dicom": ".dcm", "mp4": ".mp4", "npz": ".npz"}
"""Format → ending of its files."""

_LEAST_SIZE = 32

ECHONET = "echonet-lvh"
"""A folder in the published form of EchoNet-LVH: videos, and a table of callipers at two frames each."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``simulate``."""
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the clips"
    )
    parser.add_argument("--count", type=positive, default=1, metavar="N", help="clips (default: 1)")
    parser.add_argument(
        "--seed",
        type=natural,
        default=0,
        metavar="N",
        help="of the first clip; the next has N + 1 (default: 0)",
    )
    parser.add_argument(
        "--frames", type=positive, default=48, metavar="N", help="frames a clip (default: 48)"
    )
    parser.add_argument("--fps", type=float, help="frames a second (default: drawn for each clip)")
    parser.add_argument(
        "--size", type=positive, default=224, metavar="PX", help="side of a frame (default: 224)"
    )
    parser.add_argument(
        "--format", choices=(*FORMATS, ECHONET), default="dicom", help="of the clips (default: dicom)"
    )
    parser.add_argument(
        "--pathology", help="e.g. normal, heart_failure, hypertrophy (default: drawn for each clip)"
    )
    parser.add_argument("--style", help="acoustic or randomised (default: drawn for each clip)")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")


def run(args: argparse.Namespace) -> int:
    """Write the clips as ``plax_SEED.*`` with the truth in ``plax_SEED.json``.

    Raises:
        EchoKeypointsError: an extra is not installed, or an option is not one that the phantom knows.
        ResultError: a file is there already.
    """
    try:
        from echo_keypoints.data.simulation import simulate_clip
    except ImportError as error:
        raise EchoKeypointsError(
            f"simulate needs {error.name}: pip install 'echo-keypoints[evaluate]'."
        ) from error
    if args.fps is not None and not 1 <= args.fps <= 1000:
        raise EchoKeypointsError("--fps must lie between 1 and 1000.")
    if args.size < _LEAST_SIZE:
        raise EchoKeypointsError(f"--size must be at least {_LEAST_SIZE}.")
    try:
        args.output.mkdir(parents=True, exist_ok=True)
        if args.format == ECHONET:
            return _write_lookalike(args)
        for seed in tqdm(
            range(args.seed, args.seed + args.count), desc="simulate", unit="clip", disable=None
        ):
            path = args.output / f"plax_{seed:06d}{FORMATS[args.format]}"
            for file in (path, path.with_suffix(".json")):
                if file.exists() and not args.overwrite:
                    raise ResultError(f"{file.name} is there already; use --overwrite to replace it.")
            clip = simulate_clip(
                seed,
                frame_count=args.frames,
                fps=args.fps,
                size=args.size,
                style=args.style,
                pathology=args.pathology,
            )
            write_clip(clip, path)
            write_truth(clip, path)
            print(path)
    except ValueError as error:
        raise EchoKeypointsError(f"The phantom cannot be made: {error}.") from error
    except OSError as error:
        raise ResultError(
            f"Cannot write to the folder {args.output.name} ({error.strerror or error})."
        ) from error
    return 0


def _write_lookalike(args: argparse.Namespace) -> int:
    from echo_keypoints.data.echonet_phantom import write_lookalike

    if any(args.output.iterdir()) and not args.overwrite:
        raise ResultError(f"{args.output.name} is not empty; choose another folder, or use --overwrite.")
    if args.fps or args.style or args.pathology:
        raise EchoKeypointsError(
            "--fps, --style and --pathology are not for echonet-lvh, which is drawn at random."
        )
    write_lookalike(args.output, args.count, seed=args.seed, frames=args.frames, size=args.size)
    print(args.output)
    return 0


def write_clip(clip: SimulatedClip, path: Path) -> None:
    """Write the video in the format of the path's ending (`FORMATS`).

    Raises:
        OSError: the folder cannot be written to.
    """
    spacing = (clip.mm_per_px, clip.mm_per_px)
    if path.suffix == ".dcm":
        from echo_keypoints.writers.dicom_multiframe import write_dicom

        write_dicom(
            clip.video,
            clip.times_s,
            path,
            spacing_mm=spacing,
            identity=f"PLAX-{clip.seed}",
            description=f"PLAX phantom, {clip.pathology}, {clip.style}",
        )
    elif path.suffix == ".mp4":
        from echo_keypoints.writers.video import write_mp4

        write_mp4((_as_video(frame) for frame in clip.video), clip.times_s, path)
    else:
        fps = (len(clip.times_s) - 1) / np.ptp(clip.times_s) if clip.fps is None else clip.fps
        with atomic_path(path) as part:
            np.savez_compressed(part, video=clip.video, mm_per_px=clip.mm_per_px, fps=fps)


def write_truth(clip: SimulatedClip, path: Path) -> None:
    """Write what is known of a clip beside it, as JSON: landmarks on every frame, scale, times, phase.

    Raises:
        OSError: the folder cannot be written to.
    """
    truth = {
        "source": path.name,
        "seed": clip.seed,
        "pathology": clip.pathology,
        "style": clip.style,
        "mm_per_px": clip.mm_per_px,
        "fps": clip.fps,
        "frame_times_s": plain(clip.times_s),
        "landmarks": list(LANDMARK_NAMES),
        "points_px": plain(clip.points),
        "phase": plain(clip.phase),
    }
    with atomic_path(path.with_suffix(".json")) as part:
        part.write_text(json.dumps(truth, allow_nan=False) + "\n", encoding="utf-8")


def _as_video(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give a grey frame as RGB with even sides, as video needs it, by repeating the last row or column."""
    height, width = frame.shape
    even = np.pad(frame, ((0, height % 2), (0, width % 2)), mode="edge")
    return np.repeat(even[..., None], 3, axis=2)
