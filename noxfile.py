"""One command tests everything: ``nox``. Sessions have environments of their own: their pins exclude each other."""

import os
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = True

# Processes of one thread each, since threads that share a core spin while they wait; a test file in one of them, slow
# files first (tests/conftest.py).
SIDE_BY_SIDE = ("-n", str(min(4, os.cpu_count() or 1)), "--dist", "loadfile", "--no-loadscope-reorder")


def install(session: nox.Session, *requirements: str, torch: bool = False) -> None:
    """Install with uv, which takes a fraction of pip's time; torch with pip, which knows where a build for CPU lies.

    All is compiled then and there, by several processes: tests start many interpreters, which may not keep what they
    compile (PYTHONDONTWRITEBYTECODE).
    """
    if torch:
        session.install("--no-compile", "-c", "constraints.txt", "torch")
    session.install("uv")
    session.run("uv", "pip", "install", "--quiet", "--compile-bytecode", *requirements)


@nox.session
def engine(session: nox.Session) -> None:
    """Engine and MONAI bundle: style, types, tests. Arguments after ``--`` go to pytest."""
    install(session, "-c", "constraints.txt", "-e", ".[dev]", torch=True)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("pytest", *SIDE_BY_SIDE, *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def label(session: nox.Session) -> None:
    """The MONAI Label server, started for real, with the pins of its own environment."""
    install(session, "-r", "monailabel_app/requirements.txt", "pytest", "pytest-xdist", "psutil", torch=True)
    tests = ("tests/label", "tests/label_client")
    session.run("pytest", *SIDE_BY_SIDE, *tests, *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def slicer(session: nox.Session) -> None:
    """The Slicer extension and files for Slicer, on the real MRML of slicer-core, which pins its own VTK."""
    extras = ("slicer-core", "pyside6-essentials", "cmake", "pytest", "pytest-xdist")
    install(session, "-c", "constraints.txt", "-e", ".", *extras)
    tests = session.posargs or ["tests/slicer_extension", "tests/writers/test_slicer.py"]
    environment = {"OMP_NUM_THREADS": "1", "QT_QPA_PLATFORM": "offscreen"}
    server = Path(session.virtualenv.location).with_name("label") / "bin" / "python"
    if server.is_file():  # the panel is connected to a real server, which runs in its own environment
        environment["ECHO_KEYPOINTS_LABEL_PYTHON"] = str(server)
    timed = "tests/slicer_extension/test_figures.py"  # runs alone: a neighbour on the same core costs CPU time, too
    session.run("pytest", *SIDE_BY_SIDE, f"--ignore={timed}", *tests, env=environment)
    session.run("pytest", timed, env=environment)
