import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from echo_keypoints import __version__
from echo_keypoints.cli import main

PACKAGE = Path(__file__).resolve().parents[2] / "monai_bundle"


def run(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, **options)


def test_help_names_all_commands(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0 and all(
        name in text for name in ("analyze", "simulate", "evaluate", "export")
    )
    assert "research use only" in text


@pytest.mark.parametrize("command", ["analyze", "simulate", "evaluate", "export"])
def test_each_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0 and command in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [[], ["dance"], ["analyze"], ["analyze", "a.dcm"], ["simulate", "--count", "0"]]
)
def test_wrong_command_lines_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and "usage" in capsys.readouterr().err


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.strip() == f"echo-keypoints {__version__}"


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom echo_keypoints.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = ('numpy', 'torch', 'monai', 'onnxruntime', 'pydicom', 'av', 'PIL')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert run("-c", code).stdout.splitlines()[-1] == "[]"


def test_the_package_runs_as_a_module():
    done = run("-m", "echo_keypoints", "--version")
    assert done.returncode == 0 and done.stdout.strip().endswith(__version__)


def test_missing_weights_for_export_are_one_sentence(tmp_path, capsys):
    pytest.importorskip("torch")
    assert main(["export", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "sknet.pt" in error and error.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_is_clean(tmp_path):
    """Interrupted while it writes clips: exit code 130, one sentence, no half-written file."""
    pytest.importorskip("scipy")
    command = [
        sys.executable,
        "-m",
        "echo_keypoints",
        "simulate",
        "-o",
        tmp_path,
        "--count",
        "10000",
        "--frames",
        "3",
    ]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell that runs the tests in the background ignores interrupts, and so would the child.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        deadline = time.monotonic() + 200
        while not list(tmp_path.glob("*.dcm")) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=100)
    assert process.returncode == 130 and b"Traceback" not in error and b"stopped." in error
    assert not list(tmp_path.glob(".part-*"))


def inspect_sample(**options):
    command = [sys.executable, "-m", "echo_keypoints", "inspect", "docs/sample/plax_phantom.dcm"]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE), **options.pop("env", {})}
    return subprocess.run(
        command,
        cwd=PACKAGE.parent,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
        **options,
    )


@pytest.mark.skipif(os.name == "nt", reason="pipes are of another kind there")
def test_nobody_has_to_read_to_the_end():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = inspect_sample(stdout=writing)
    finally:
        os.close(writing)
    assert done.returncode == 141 and not done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_one_sentence():
    with open("/dev/full", "w") as full:
        done = inspect_sample(stdout=full)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("echo-keypoints: a file cannot be")


def test_signs_that_a_terminal_lacks_stop_nothing():
    done = inspect_sample(stdout=subprocess.PIPE, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0 and "?" in done.stdout and not done.stderr
