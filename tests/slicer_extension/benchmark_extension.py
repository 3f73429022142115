"""How fast the extension is, on a clip of 120 frames of 800 × 600: run this file.

Seconds from the act to what it changes in the panel, best and median of n, and the least CPU time that panel and engine
together took for it: about what it takes on an idle core. ``turn`` is the longest single turn of the panel's thread, in
CPU time: for so long the panel cannot answer. ``analyse`` is the first one alone: later ones find the clip open.
``yardstick`` tells how fast the machine is, before and after.
"""

import os
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

LIMITS = {"open": 1.0, "step": 0.005, "first edit": 1.0, "sixth edit": 1.0, "turn": 0.1}
"""Seconds, on a machine that takes `YARDSTICK_S` for the `yardstick`."""

YARDSTICK_S = 0.88
"""CPU seconds: in a run where it took 2.0, the analysis took 10.3, 2.3 times what it took where the limits were set."""

CORRECTED = (10, 30, 50, 90, 110)
"""Frames of the edits between the first, on frame 60, and the sixth, on frame 70."""


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


def yardstick() -> float:
    """CPU seconds for a fixed piece of work like the engine's, none of it ours: how fast the machine is now."""
    random = np.random.default_rng(0)
    image, matrix = random.random((600, 800)), random.random((600, 600))
    y, x = random.random((2, 400_000)) * [[598], [798]]
    top, left = y.astype(int), x.astype(int)
    down, right = y - top, x - left
    start = time.process_time()
    for _ in range(12):
        image = np.fft.irfft2(np.fft.rfft2(image), image.shape)
        image = matrix @ image / 300
        upper = image[top, left] * (1 - right) + image[top, left + 1] * right
        lower = image[top + 1, left] * (1 - right) + image[top + 1, left + 1] * right
        image[0, 0] = np.mean(upper * (1 - down) + lower * down)
    return time.process_time() - start


class Watch:
    """Lets a panel work, and takes its time.

    Attributes:
        longest: CPU seconds of the longest turn of the panel's thread.
    """

    def __init__(self, panel) -> None:
        self._panel, self.longest = panel, 0.0

    def until(self, ready) -> tuple[float, float]:
        """Wait; seconds and CPU seconds since the last call of `start`."""
        while not ready():
            turn = time.thread_time()
            self._panel.onTimer()
            self.longest = max(self.longest, time.thread_time() - turn)
            time.sleep(0.002)
        return time.perf_counter() - self._since[0], self._cpu() - self._since[1]

    def start(self) -> None:
        """From now on."""
        self._since = (time.perf_counter(), self._cpu())

    def _cpu(self) -> float:
        """CPU seconds of panel and engine."""
        process = self._panel.logic.controller.worker._process
        with open(f"/proc/{process.pid}/stat") as stat:
            ticks = sum(map(int, stat.read().rpartition(")")[2].split()[11:13]))
        return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def figures(repeat: int = 3) -> dict[str, list[tuple[float, float]]]:
    """Measure; name → (seconds, CPU seconds) of each repetition."""
    from slicer_scene import SlicerScene
    from stand_in import install

    found: dict[str, list[tuple[float, float]]] = {name: [] for name in (*LIMITS, "analyse", "yardstick")}
    found["yardstick"].append((yardstick(),) * 2)
    with tempfile.TemporaryDirectory() as folder:
        clip = make_clip(Path(folder))
        app = SlicerScene()
        app.install()
        install(ROOT / "EchoKeypoints" / "EchoKeypoints.py")
        import EchoKeypoints

        panel = EchoKeypoints.EchoKeypointsWidget()
        panel.setup()
        panel._timer.stop()  # `Watch` is the timer
        panel.enter()
        controller = panel.logic.controller
        controller.failed.connect(lambda sentence: sys.exit(sentence))
        watch, ready = Watch(panel), []
        controller.worker.call("warm_up", {}, ready.append, lambda *_: None)
        watch.start()
        watch.until(lambda: ready)
        for _ in range(repeat):
            app.scene.Clear(0)
            watch.longest = 0.0
            watch.start()
            controller.open_file(clip)
            found["open"].append(watch.until(lambda: controller.study is not None and not controller.task))
            study = controller.study
            watch.start()
            controller.analyze()
            took = watch.until(lambda: not controller.task)
            found["analyse"] = found["analyse"] or [took]
            watch.start()
            for frame in range(120):
                turn = time.thread_time()
                study.go_to(frame)
                watch.longest = max(watch.longest, time.thread_time() - turn)
            found["step"].append(tuple(seconds / 120 for seconds in watch.until(lambda: True)))
            for name, frames in (("first edit", (60,)), ("", CORRECTED), ("sixth edit", (70,))):
                for frame in frames:
                    study.go_to(frame)
                    watch.start()
                    controller.editor.set_landmarks(frame, study.points_px + np.array([0, 3]))
                    took = watch.until(lambda: not controller.editor.busy)
                    if name:
                        found[name].append(took)
            found["turn"].append((watch.longest, watch.longest))
        panel.exit()
        panel.cleanup()
    found["yardstick"].append((yardstick(),) * 2)
    return found


if __name__ == "__main__":
    print(f"{'':12} {'best':>8} {'median':>8} {'CPU':>8} {'limit':>8}   seconds")
    for name, took in figures().items():
        seconds, cpu = zip(*took, strict=True)
        limit = f"{LIMITS[name]:8.3f}" if name in LIMITS else " " * 8
        print(f"{name:12} {min(seconds):8.4f} {statistics.median(seconds):8.4f} {min(cpu):8.4f} {limit}")
