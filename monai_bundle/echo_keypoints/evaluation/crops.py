"""How much of a figure on a few real clips is chance? The same clips, cut a little tighter, tracked end to end.

Where the ultrasound image ends on the screen is found to the pixel, and no reader would measure otherwise for one
pixel more or less. Tracks do: where a wall is hard to see, a shift of the sampling grid tips the scales. With four
clips that moves a mean by more than most changes to the software do, so that such changes are judged by means over
crops. Where the software finds a small heart, or the walls, may differ from crop to crop as well.

``python -m echo_keypoints.evaluation.crops --data FOLDER`` prints a table; the folder is the one of ``echo-keypoints
evaluate``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from echo_keypoints.clip import Clip
from echo_keypoints.errors import EchoKeypointsError
from echo_keypoints.evaluation.cases import Case
from echo_keypoints.evaluation.datasets import DataSet, annotated_clips
from echo_keypoints.evaluation.scores import score
from echo_keypoints.tracking import load_backend, open_session
from echo_keypoints.tracking.backends.base import Backend
from echo_keypoints.tracking.region import REGION_FRAMES, scan_region

INSET = 8
"""At most so many pixels of a picture 600 px high are cut off at a side; of others as many in proportion."""

METRICS = ("mpe_px", "across_percent", "along_percent", "lvid_percent", "mae_sum_px", "failure_percent")
_TITLES = ("error px", "across %", "along %", "LVID %", "MAE sum px", "> 40 px %")


@dataclass(frozen=True)
class CropScores:
    """Scores of a clip in each of its crops.

    Attributes:
        name: of the clip.
        values: ``(crops, metrics)`` of `METRICS`; the first is of the clip as it is.
    """

    name: str
    values: NDArray[np.float64]


def cropped(clip: Clip, rng: np.random.Generator) -> Clip:
    """Cut a little off each side of what is taken for the ultrasound image."""
    header = clip.header
    x0, y0, x1, y1 = scan_region(header, list(clip.pixels[:REGION_FRAMES]))
    most = max(1, round(INSET * header.height / 600))
    left, top, right, bottom = (int(cut) for cut in rng.integers(0, most + 1, 4))
    return replace(clip, header=replace(header, scan_region=(x0 + left, y0 + top, x1 - right, y1 - bottom)))


def crop_scores(dataset: DataSet, backend: Backend, crops: int = 8, seed: int = 0) -> Iterator[CropScores]:
    """Track and score each clip of a data set end to end, as it is and in crops.

    Points are scored where they lie in the clip, in the space of the whole clip (`Case.box`).

    Args:
        dataset: of cases with truth.
        backend: the networks.
        crops: how many, the clip as it is among them.
        seed: of the crops.
    """
    for load in dataset.cases:
        case = load()
        rng = np.random.default_rng((seed, len(case.clip.pixels)))
        clips = [case.clip, *(cropped(case.clip, rng) for _ in range(crops - 1))]
        yield CropScores(case.name, np.array([_scores(case, clip, backend) for clip in clips]))


def _scores(case: Case, clip: Clip, backend: Backend) -> list[float]:
    with open_session(clip, backend) as session:
        tracking = session.track()
    points = case.box.to_model(tracking.points_px)
    found = score(case, points, tracking.reference_frame, given=False)
    return [found[metric] for metric in METRICS]


def to_markdown(scores: Sequence[CropScores]) -> str:
    """Table of mean ± standard deviation over crops, of each clip and of the mean over clips."""
    rows = [(clip.name, clip.values) for clip in scores]
    rows.append(("**all clips**", np.mean([clip.values for clip in scores], axis=0)))
    lines = ["| clip | " + " | ".join(_TITLES) + " |", "|---" * (len(_TITLES) + 1) + "|"]
    for name, values in rows:
        spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(len(METRICS), np.nan)
        cells = [f"{m:.2f} ± {s:.2f}" for m, s in zip(values.mean(axis=0), spread, strict=True)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `crop_scores`."""
    parser = argparse.ArgumentParser(description="Real clips, each in a few crops, tracked end to end.")
    parser.add_argument("--data", type=Path, required=True, help="folder with plax/annotations.json")
    parser.add_argument("--models", type=Path, help="folder of the weights; the shipped ones by default")
    parser.add_argument("--crops", type=int, default=8, help="of each clip (default: 8)")
    args = parser.parse_args(arguments)
    try:
        dataset = annotated_clips(args.data / "plax" / "annotations.json")
        backend = load_backend("onnx", args.models)
        scores = []
        for clip in crop_scores(dataset, backend, args.crops):
            print(f"{clip.name}: {len(clip.values)} crops", flush=True)
            scores.append(clip)
    except EchoKeypointsError as error:
        parser.exit(2, f"{error}\n")
    print(to_markdown(scores))


if __name__ == "__main__":
    main()
