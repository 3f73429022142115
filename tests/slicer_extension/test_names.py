"""Every name of Slicer's that the extension uses exists: MRML and VTK live in ``slicer-core``, Qt in our short list."""

import ast
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import slicer
import slicer.util
import vtk

from qt_names import ATTRIBUTES, CLASSES, SIGNALS

ROOT = Path(__file__).resolve().parents[2]

EXTENSION = ROOT / "EchoKeypoints"
FILES = sorted(EXTENSION.rglob("*.py"))
UI = EXTENSION / "Resources" / "UI" / "EchoKeypoints.ui"

# Of `slicer`, beside classes: what the application sets, and Python modules that come with it.
_OF_SLICER = set("app mrmlScene modules util dicomDatabase packaging".split())


def live_names():
    """All methods and constants of all wrapped classes."""
    names = set()
    for module in (slicer, vtk):
        for name in dir(module):
            names.add(name)
            member = getattr(module, name, None)
            if isinstance(member, type):
                names.update(dir(member))
    return names


LIVE = live_names()


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def own_names():
    """What the extension and the engine define themselves."""
    names = set()
    for path in [*FILES, *(ROOT / "monai_bundle" / "echo_keypoints").rglob("*.py")]:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names.add(node.name)
            elif isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
                names.add(node.id if isinstance(node, ast.Name) else node.attr)
    return names


OWN = own_names()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_names_exist(path):
    unknown = []
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.Attribute):
            continue
        base = ast.unparse(node.value)
        if base.split(".")[0] in sys.stdlib_module_names:
            continue
        if base == "slicer":
            known = node.attr in _OF_SLICER or hasattr(slicer, node.attr)
        elif base == "slicer.util":
            known = hasattr(slicer.util, node.attr)
        elif base in ("qt", "ctk"):
            known = node.attr in CLASSES
        elif isinstance(node.ctx, ast.Load) and node.attr[0].isupper() and len(node.attr) > 3:
            known = node.attr in LIVE | OWN | CLASSES
        elif base.startswith("slicer.app"):
            known = node.attr in ATTRIBUTES
        else:
            known = True
        if not known:
            unknown.append(f"line {node.lineno}: {base}.{node.attr}")
    assert not unknown


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_signals_are_listed(path):
    used = re.findall(r"connect\(\s*\"([^\"]+\))\"", path.read_text(encoding="utf-8"))
    assert set(used) <= SIGNALS


def test_attributes_of_widgets_are_listed():
    """What is asked of the panel's widgets, in `panel` and `actions`."""
    unknown = set()
    for path in FILES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Attribute) and re.match(r"(self\.)?ui\.\w+$", ast.unparse(node.value)):
                unknown |= {node.attr} - ATTRIBUTES
    assert not unknown


def test_the_form_names_every_widget_that_is_used():
    form = {widget.get("name") for widget in ElementTree.parse(UI).iter("widget")}
    used = set()
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        used |= set(re.findall(r"\bui\.(\w+)", text)) | set(re.findall(r"\"(\w+Button)\"", text))
    assert used <= form


def test_the_form_uses_known_classes_and_is_wired():
    root = ElementTree.parse(UI)
    classes = {widget.get("class") for widget in root.iter("widget")}
    assert classes <= CLASSES
    custom = {item.findtext("class") for item in root.iter("customwidget")}
    assert {name for name in classes if not name.startswith("Q")} == custom
    for connection in root.iter("connection"):
        assert connection.findtext("signal") == "mrmlSceneChanged(vtkMRMLScene*)"
        assert connection.findtext("slot") == "setMRMLScene(vtkMRMLScene*)"


def test_every_parameter_is_bound_to_a_widget():
    path = EXTENSION / "EchoKeypointsLib" / "parameters.py"
    text = path.read_text(encoding="utf-8")
    (cls,) = [n for n in tree_of(path).body if getattr(n, "name", "").endswith("ParameterNode")]
    fields = {item.target.id for item in cls.body if isinstance(item, ast.AnnAssign)}
    bound = {
        prop.findtext("string")
        for prop in ElementTree.parse(UI).iter("property")
        if prop.get("name") == "SlicerParameterName"
    }
    assert fields == bound and "parameterNodeWrapper" in text


@pytest.mark.parametrize(
    "path", sorted((EXTENSION / "EchoKeypointsLib").glob("*.py")), ids=lambda path: path.name
)
def test_the_library_imports_no_qt(path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            assert not {alias.name for alias in node.names} & {"qt", "ctk"}
        if isinstance(node, ast.ImportFrom):
            assert node.module not in ("qt", "ctk")


def test_every_file_is_listed_for_the_package():
    listed = Path(EXTENSION / "CMakeLists.txt").read_text().replace("${MODULE_NAME}", "EchoKeypoints")
    for path in FILES:
        assert str(path.relative_to(EXTENSION)) in listed, path.name
