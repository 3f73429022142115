"""What is promised of the package as a whole: light imports, and data files that travel with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "monai_bundle"
HEAVY = ("torch", "monai", "itk", "scipy", "cv2", "matplotlib")


def loaded_after(statement: str, names: tuple[str, ...]) -> list[str]:
    code = f"import sys\n{statement}\nprint(*[name for name in {names!r} if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, timeout=300
    )
    return done.stdout.split()


def test_importing_the_package_imports_nothing():
    assert (
        loaded_after("import echo_keypoints", (*HEAVY, "numpy", "onnxruntime", "pydicom", "PIL", "av")) == []
    )


@pytest.mark.parametrize(
    "module",
    [
        "analysis",
        "results",
        "biomarkers",
        "cli.analyze",
        "writers.outputs",
        "writers.dicom_multiframe",
        "readers",
    ],
)
def test_inference_needs_neither_torch_nor_monai(module):
    assert loaded_after(f"import echo_keypoints.{module}", HEAVY) == []


@pytest.mark.parametrize(
    ("package", "files"),
    [("results", {"schema-1.0.json"}), ("writers.report", {"template.html", "report.css", "report.js"})],
)
def test_data_files_travel_with_the_package(package, files):
    """As setuptools reads its orders, not as the file happens to lie in the checkout."""
    configuration = pytest.importorskip("setuptools.config.pyprojecttoml")
    orders = configuration.read_configuration(PACKAGE.parent / "pyproject.toml", expand=False)
    data = orders["tool"]["setuptools"]["package-data"]
    patterns = [*data["*"], *data.get(f"echo_keypoints.{package}", [])]
    folder = PACKAGE / "echo_keypoints" / package.replace(".", "/")
    assert files <= {path.name for pattern in patterns for path in folder.glob(pattern)}


def test_every_module_says_what_it_is_for():
    import ast

    for path in (PACKAGE / "echo_keypoints").rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path.name
