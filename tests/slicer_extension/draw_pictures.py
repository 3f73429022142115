"""The pictures of docs/slicer.md, made by driving the extension: ``draw_pictures.py FOLDER [CLIP]``."""

import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "EchoKeypoints"), str(ROOT / "monai_bundle")]

import slicer  # noqa: E402

from chart_view import draw_chart  # noqa: E402
from slice_view import SliceView  # noqa: E402
from slicer_scene import SlicerScene  # noqa: E402
from stand_in import install  # noqa: E402


def main(folder: Path, clip: Path) -> None:
    app = SlicerScene()
    app.install()
    install(ROOT / "EchoKeypoints" / "EchoKeypoints.py")
    import EchoKeypoints
    from EchoKeypointsLib.geometry import px_to_ras

    panel = EchoKeypoints.EchoKeypointsWidget()
    panel.setup()
    panel.enter()
    view = SliceView(app, 900, 640)
    controller = panel.logic.controller
    controller.failed.connect(lambda sentence: sys.exit(sentence))

    def settle() -> None:
        while controller.task or controller.editor.busy or controller.study is None:
            slicer.app.processEvents()
            time.sleep(0.01)

    controller.open_file(clip)
    settle()
    panel.ui.sexComboBox.currentIndex = 1
    panel.ui.heightSpinBox.value, panel.ui.weightSpinBox.value = 168, 64
    panel.ui.analyzeButton.click()
    settle()
    study = controller.study
    study.go_to(study.result.beats[0]["es_frame"] if study.result.beats else 20)
    controller.select(study)
    view.fit()
    view.picture(folder / "view.png")
    start = px_to_ras(study.points_px[2], study.header.spacing_mm)
    view.drag(start, (start[0], start[1] - 3, 0))
    settle()
    view.picture(folder / "corrected.png")
    draw_chart(study.get("chart"), folder / "curves.png")
    controller.changed.emit()
    panel.parent.resize(560, 1500)
    panel.parent.show()
    slicer.app.processEvents()
    panel.parent.grab().save(str(folder / "panel.png"))
    panel.exit()
    panel.cleanup()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    main(target, Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs" / "sample" / "plax_phantom.dcm")
