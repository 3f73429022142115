"""The extension on Slicer's real MRML (PyPI's ``slicer-core``): run by the nox session ``slicer`` only."""

import ctypes
import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
if importlib.util.find_spec("slicer") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    sys.path[:0] = [
        *(str(HERE), str(ROOT / "tests" / "label")),
        *(str(ROOT / "EchoKeypoints"), str(ROOT / "monai_bundle")),
    ]

    # PySide6 and VTK give back a few references to True, False and None more than they took, and Python 3.11 aborts
    # at its end when one of them is "freed". From 3.12 on none can be; here they get more than can be lost.
    for _ in range(100_000):
        for constant in (True, False, None):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(constant))

SAMPLE = ROOT / "docs" / "sample" / "plax_phantom.dcm"


@pytest.fixture(scope="session")
def sample():
    return SAMPLE


@pytest.fixture
def app():
    """A fresh Slicer without windows, installed as ``slicer.mrmlScene`` and ``slicer.modules``."""
    from slicer_scene import SlicerScene

    made = SlicerScene()
    made.install()
    yield made
    made.scene.Clear(0)


@pytest.fixture(scope="session")
def clip(sample):
    from echo_keypoints.readers import read_clip

    return read_clip(sample)


@pytest.fixture(scope="session")
def result(sample):
    from echo_keypoints.analysis import analyze_clip

    return analyze_clip(sample)


@pytest.fixture(scope="session")
def document(result):
    from echo_keypoints.results import to_document

    return json.dumps(to_document(result))


@pytest.fixture
def study(app, clip, result):
    """The sample clip in the scene, in the review layout, not analysed."""
    from EchoKeypointsLib import layout
    from EchoKeypointsLib.study import Study

    layout.show(app.scene)
    facts = {"warnings": [], "sha256": result.clip_sha256}
    *_, made = Study.steps(app.scene, clip.header, clip.pixels, facts)
    layout.show_volume(app.scene, made.volume)
    return made


@pytest.fixture
def controller(app):
    """A controller with a real engine process."""
    from EchoKeypointsLib.controller import Controller

    made = Controller(who=lambda: "tester")
    yield made
    made.close()


@pytest.fixture(scope="session")
def messages():
    """What the user is told and asked, and what he answers."""
    from stand_in import install

    return install(ROOT / "EchoKeypoints" / "EchoKeypoints.py")


@pytest.fixture
def panel(app, messages):
    """The panel on stand-ins of Qt, shown."""
    import EchoKeypoints

    messages.__init__()
    widget = EchoKeypoints.EchoKeypointsWidget()
    widget.setup()
    widget.enter()
    yield widget
    widget.exit()
    widget.cleanup()


@pytest.fixture
def reviewed(panel, sample, document):
    """The sample with its result in the panel."""
    from driving import until

    controller = panel.logic.controller
    controller.open_file(sample, document=document)
    until(panel, lambda: controller.study is not None and controller.task is None)
    return panel
