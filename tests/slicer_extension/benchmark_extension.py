"""How fast the extension is, on a clip of 120 frames of 800 × 600: run this file.

Wall-clock seconds, best and median of n. ``main thread`` is the CPU time of the longest single turn of the main thread:
for so long the panel cannot answer.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "EchoKeypoints"), str(ROOT / "monai_bundle")]

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

LIMITS = {"open": 1.0, "step": 0.005, "edit": 1.0, "main thread": 0.1}
"""Seconds."""


def make_clip(folder: Path) -> Path:
    """Two beats of the sample, enlarged, as DICOM (JPEG)."""
    from echo_keypoints.readers import read_clip
    from echo_keypoints.writers.dicom_multiframe import write_dicom

    pixels = read_clip(ROOT / "docs" / "sample" / "plax_phantom.dcm").pixels
    frames = np.stack([np.asarray(Image.fromarray(f).resize((800, 600))) for f in np.tile(pixels, (2, 1, 1))])
    path = folder / "clip.dcm"
    write_dicom(
        frames,
        np.arange(120) / 40,
        path,
        spacing_mm=(0.217, 0.289),
        identity="BENCH",
        description="PLAX phantom, enlarged",
    )
    return path


class Watch:
    """Polls a controller and remembers the longest turn."""

    def __init__(self, controller) -> None:
        self._controller, self.longest = controller, 0.0

    def until(self, ready) -> float:
        start = time.perf_counter()
        while not ready():
            turn = time.thread_time()
            self._controller.poll()
            self.longest = max(self.longest, time.thread_time() - turn)
            time.sleep(0.004)
        return time.perf_counter() - start


def figures(repeat: int = 3) -> dict[str, list[float]]:
    """Measure; name → seconds of each repetition."""
    from EchoKeypointsLib.controller import Controller
    from slicer_scene import SlicerScene

    found: dict[str, list[float]] = {name: [] for name in (*LIMITS, "analyse")}
    with tempfile.TemporaryDirectory() as folder:
        clip = make_clip(Path(folder))
        app = SlicerScene()
        app.install()
        controller = Controller()
        controller.failed.connect(lambda sentence: sys.exit(sentence))
        watch, ready = Watch(controller), []
        controller.worker.call("warm_up", {}, ready.append, lambda *_: None)
        watch.until(lambda: ready)
        for _ in range(repeat):
            app.scene.Clear(0)
            controller.reset()
            controller.open_file(clip)
            found["open"].append(watch.until(lambda: controller.study is not None and not controller.task))
            study = controller.study
            controller.analyze()
            found["analyse"].append(watch.until(lambda: not controller.task))
            start = time.perf_counter()
            for frame in range(120):
                study.go_to(frame)
            found["step"].append((time.perf_counter() - start) / 120)
            study.go_to(60)
            controller.editor.set_landmarks(60, study.points_px + np.array([0, 3]))
            found["edit"].append(watch.until(lambda: not controller.editor.busy))
            found["main thread"].append(watch.longest)
        controller.close()
    return found


if __name__ == "__main__":
    print(f"{'':12} {'best':>8} {'median':>8} {'limit':>8}   seconds")
    for name, seconds in figures().items():
        limit = f"{LIMITS[name]:8.3f}" if name in LIMITS else " " * 8
        print(f"{name:12} {min(seconds):8.4f} {statistics.median(seconds):8.4f} {limit}")
