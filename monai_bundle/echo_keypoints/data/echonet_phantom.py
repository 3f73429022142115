"""A look-alike of EchoNet-LVH made of phantoms: the same folders, the same table, videos as AVI."""

from __future__ import annotations

import csv
import hashlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from echo_keypoints.data.echonet_lvh import COLUMNS, TABLE, table_rows
from echo_keypoints.data.simulation import SimulatedClip, simulate_clip
from echo_keypoints.results.files import atomic_path

BATCHES = 4
LABEL_NOISE_PX = 1.0
"""Standard deviation with which every calliper end misses its landmark: two callipers that share one differ."""
FPS = 50


def write_lookalike(
    folder: Path,
    count: int,
    *,
    seed: int = 0,
    frames: int = 48,
    size: int = 224,
    noise_px: float = LABEL_NOISE_PX,
) -> None:
    """Write phantom clips as EchoNet-LVH has its own: callipers at one end-diastole and one end-systole only.

    Args:
        folder: is made; ``Batch1 … Batch4/*.avi`` and ``MeasurementsList.csv`` go there.
        count: of videos; 8 of 10 to train with, 1 to validate, 1 to test.
        seed: of the first phantom; the others follow.
        frames, size: of a video.
        noise_px: of the labels.

    Raises:
        OSError: the folder cannot be written to.
    """
    records = []
    for index in tqdm(range(count), desc="simulate", unit="video", disable=None):
        clip = simulate_clip(seed + index, frame_count=frames, size=size, fps=FPS)
        name = "0X" + hashlib.sha256(f"phantom {seed + index}".encode()).hexdigest()[:16].upper()
        batch = folder / f"Batch{index % BATCHES + 1}"
        batch.mkdir(parents=True, exist_ok=True)
        write_avi(clip.video, batch / f"{name}.avi", FPS)
        split = "train" if index % 10 < 8 else "val" if index % 10 == 8 else "test"
        records += _rows(name, clip, split, noise_px)
    with atomic_path(folder / TABLE) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["", *COLUMNS])
        writer.writeheader()
        writer.writerows({"": number, **record} for number, record in enumerate(records))


def write_avi(video: NDArray[np.uint8], path: Path, fps: int) -> None:
    """Write grey frames ``(T, H, W)`` as Motion-JPEG in an AVI, as EchoNet's are.

    Raises:
        OSError: the folder cannot be written to.
    """
    with atomic_path(path) as part, av.open(str(part), "w", format="avi") as container:
        stream = container.add_stream("mjpeg", rate=Fraction(fps))
        stream.pix_fmt = "yuvj420p"
        stream.height, stream.width = video.shape[1:]
        stream.options = {"qscale": "2", "qmin": "2", "qmax": "2"}
        for picture in video:
            frame = av.VideoFrame.from_ndarray(np.repeat(picture[..., None], 3, axis=2), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _rows(name: str, clip: SimulatedClip, split: str, noise_px: float) -> list[dict[str, object]]:
    count, height, width = clip.video.shape
    facts = {"Frames": count, "FPS": FPS, "Width": width, "Height": height, "split": split}
    rng = np.random.default_rng((clip.seed, 6))
    rows = []
    for frame, phase in ((int(clip.phase.argmin()), "d"), (int(clip.phase.argmax()), "s")):
        for row in table_rows(name, frame, clip.points[frame], phase, facts, clip.mm_per_px / 10):
            marked = {key: float(row[key]) + rng.normal(0, noise_px) for key in ("X1", "Y1", "X2", "Y2")}  # type: ignore[arg-type]
            drawn = np.hypot(marked["X2"] - marked["X1"], marked["Y2"] - marked["Y1"])
            rows.append(
                {**row, **marked, "CalcValue": drawn * clip.mm_per_px / 10}
            )  # as a scanner reads it off
    return rows
