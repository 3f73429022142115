"""The picture of a correction in docs/annotation.md, made by the real server: ``draw_pictures.py FILE``.

Of a few phantoms that no training has seen it takes the one that is tracked worst, gives the truth on its worst
frame as a reader would, and shows what the cine makes of it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "monai_bundle")]
matplotlib.use("agg")

from matplotlib import pyplot as plt  # noqa: E402
from serving import Server  # noqa: E402

from echo_keypoints.anatomy import LANDMARKS  # noqa: E402
from echo_keypoints.cli.simulate import write_clip  # noqa: E402
from echo_keypoints.data.simulation import simulate_clip  # noqa: E402
from echo_keypoints.editing import set_landmarks  # noqa: E402

SEEDS = range(9_450_000, 9_450_008)
FRAMES, STEP = 40, 4


def main(target: Path) -> None:
    clips = {f"{seed}.npz": simulate_clip(seed, frame_count=FRAMES, fps=40) for seed in SEEDS}
    with TemporaryDirectory() as folder:
        for name, clip in clips.items():
            write_clip(clip, Path(folder) / name)
        server = Server(folder).start()
        try:
            client = server.client("reader")
            found = {name: client.infer("trnet", name) for name in clips}
            errors = {name: off(found[name].points_px, clips[name].points) for name in clips}
            name = max(errors, key=lambda name: float(np.median(errors[name])))
            middle = slice(2 * STEP, FRAMES - 2 * STEP)
            frame = int(np.argmax(errors[name][middle])) + 2 * STEP
            truth = clips[name].points
            session = client.session(name, found[name])
            after = set_landmarks(found[name], session, frame, truth[frame], who="reader", reason="truth")
        finally:
            server.stop()
    draw(clips[name].video, truth, found[name].points_px, after.points_px, frame, target)


def off(points: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean distance ``(T,)`` of the four landmarks in px."""
    return np.linalg.norm(points - truth, axis=-1).mean(axis=1)


def draw(
    video: np.ndarray, truth: np.ndarray, before: np.ndarray, after: np.ndarray, frame: int, target: Path
) -> None:
    frames = [frame + STEP * i for i in range(-2, 3)]
    figure, axes = plt.subplots(1, 5, figsize=(11, 2.9), dpi=100, layout="constrained")
    around = np.concatenate([before[frames], after[frames], truth[frames]]).reshape(-1, 2)
    low, high = around.min(axis=0) - 24, around.max(axis=0) + 24
    for axis, number in zip(axes, frames, strict=True):
        axis.imshow(video[number], cmap="gray", vmin=0, vmax=255)
        for i, landmark in enumerate(LANDMARKS):
            colour = np.array(landmark.colour) / 255
            axis.plot(*before[number, i], "o", mfc="none", mec=colour, ms=8)
            axis.plot(*after[number, i], "o", color=colour, ms=4)
        axis.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]), xticks=[], yticks=[])
        was, is_ = off(before, truth)[number], off(after, truth)[number]
        what = "set by the reader" if number == frame else f"error {was:.1f} px, now {is_:.1f}"
        axis.set_title(f"frame {number}: {what}", fontsize=8)
    figure.supxlabel(
        "rings: as the model tracked it; dots: after the correction (phantom; for research use only)",
        fontsize=8,
    )
    figure.savefig(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
