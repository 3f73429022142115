"""The package that Slicer's extension manager installs, made by CMake with stand-ins of Slicer's macros."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


MODULES = "lib/Slicer-5.12/qt-scripted-modules"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    cmake = str(Path(sys.executable).with_name("cmake"))
    if not Path(cmake).exists():
        cmake = shutil.which("cmake") or pytest.skip("cmake is not installed")

    def run(*arguments):
        subprocess.run([cmake, *map(str, arguments)], check=True, capture_output=True, text=True)

    run("-S", ROOT, "-B", folder / "build", f"-DSlicer_DIR={Path(__file__).parent / 'cmake'}", "-Wno-dev")
    run("--build", folder / "build")
    run("--install", folder / "build", "--prefix", folder / "inst")
    assert (
        folder / "build" / MODULES / "EchoKeypointsLib/engine/echo_keypoints/weights/detector.onnx"
    ).is_file()
    return folder / "inst" / MODULES


def files(folder, pattern="*"):
    return {
        str(p.relative_to(folder))
        for p in folder.rglob(pattern)
        if p.is_file() and "__pycache__" not in p.parts
    }


def test_every_file_of_the_module_travels(installed):
    here = files(ROOT / "EchoKeypoints") - {"CMakeLists.txt"}
    assert here <= files(installed)


def test_engine_weights_and_sample_travel(installed):
    engine = installed / "EchoKeypointsLib" / "engine" / "echo_keypoints"
    assert files(ROOT / "monai_bundle" / "echo_keypoints") <= files(engine)
    graphs = ("detector", "descriptor", "refiner", "tissue", "beat", "placer")
    assert {f"{name}.onnx" for name in graphs} == files(engine / "weights")
    assert (installed / "Resources" / "Sample" / "plax_phantom.dcm").is_file()


def test_the_installed_package_works_alone(installed, tmp_path):
    """In a process of its own, from the installed files: the engine is the package's, and it analyses the sample."""
    code = f"""
import sys
sys.path[:0] = [{str(installed)!r}, {str(ROOT / "tests" / "slicer_extension")!r}]
from pathlib import Path
from slicer_scene import SlicerScene
app = SlicerScene()
app.install()
from EchoKeypointsLib.controller import Controller
from EchoKeypointsLib.engine import sample_clip
from EchoKeypointsLib.selftest import run_story
import echo_keypoints
assert Path(echo_keypoints.__file__).is_relative_to({str(installed)!r}), echo_keypoints.__file__
assert sample_clip().is_relative_to({str(installed)!r})
controller = Controller()
run_story(controller, sample_clip())
controller.close()
print("passed")
"""
    environment = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=300,
    )
    assert done.stdout.strip().endswith("passed"), done.stderr[-2000:]


def test_requirements_are_those_of_the_engine():
    project = (ROOT / "pyproject.toml").read_text()
    block = project.split("\ndependencies = [", 1)[1].split("\n]", 1)[0]
    of_engine = set(re.findall(r'"([^"]+)"', block)) - {"numpy>=1.26"}  # Slicer's own must not be replaced
    lines = (ROOT / "EchoKeypoints" / "Resources" / "requirements.txt").read_text().splitlines()
    assert {line for line in lines if line and not line.startswith("#")} == of_engine


def test_catalogue_entry_fits_the_build():
    import json

    entry = json.loads((ROOT / "docs" / "EchoKeypoints.json").read_text())
    cmake = (ROOT / "CMakeLists.txt").read_text()
    assert re.search(r"project\(\s*(\w+)", cmake)[1] == "EchoKeypoints"
    assert entry["build_dependencies"] == [] and '(EXTENSION_DEPENDS "NA")' in cmake
    assert entry["category"] == "Cardiac" and entry["scm_url"].startswith("https://")
    for name in ("ICONURL", "SCREENSHOTURLS"):
        for url in re.search(rf'EXTENSION_{name} "([^"]+)"', cmake)[1].split():
            assert (ROOT / url.split("/main/")[1]).is_file(), url


def test_icon_is_128_square():
    from PIL import Image

    with Image.open(ROOT / "EchoKeypoints/Resources/Icons/EchoKeypoints.png") as icon:
        assert icon.size == (128, 128) and icon.format == "PNG"
