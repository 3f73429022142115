"""Damaged, renamed and foreign files: a clip or one sentence, never another exception, within a time.

The files are read in a child process, so that a decoder that crashed would fail a test and not end the run.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from clip_files import write_all

import echo_keypoints

SEEDS = 8
CHILD = """
import json, resource, sys, time
from echo_keypoints.errors import ClipError
from echo_keypoints.readers import read_clip
resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))  # a fault must not take the machine down
for path in sys.stdin.read().splitlines():
    start = time.process_time()
    try:
        outcome, message = "clip", str(read_clip(path).pixels.shape)
    except ClipError as error:
        outcome, message = "refused", str(error)
    except BaseException as error:
        outcome, message = "escaped", repr(error)
    print(json.dumps([path, outcome, message, time.process_time() - start]), flush=True)
try:  # rusage counts what the process that started this one had, too
    peak_kb = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
except OSError:
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps(peak_kb))
"""


def read_all(paths: list[Path]) -> list[tuple[str, str, str, float]]:
    """Read files in a child process; assert that it survives and stays small."""
    environment = {**os.environ, "PYTHONPATH": str(Path(echo_keypoints.__file__).parents[1])}
    child = subprocess.run(
        [sys.executable, "-c", CHILD],
        input="\n".join(map(str, paths)),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = child.stdout.splitlines()
    assert child.returncode == 0, f"crashed on {paths[len(lines)]}: {child.stderr[-500:]}"
    *results, peak_kb = map(json.loads, lines)
    assert len(results) == len(paths)
    assert peak_kb < 2 * 2**20
    return results


def check(results: list[tuple[str, str, str, float]]) -> None:
    for path, outcome, message, seconds in results:
        assert outcome in ("clip", "refused"), f"{path}: {message}"
        assert seconds < 10, path
        if outcome == "refused":
            assert message.endswith(".") and "\n" not in message, message
            assert Path(path).name in message and str(Path(path).parent) not in message, message


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Cut, flip bits in the whole file or its head, blank a part, overwrite it with noise, raise a number."""
    data = bytearray(content)
    kind = rng.choice(["cut", "flip", "flip head", "blank", "noise", "number"])
    if kind == "cut":
        return bytes(data[: rng.randrange(len(data))])
    if kind in ("flip", "flip head"):
        for _ in range(rng.choice([1, 4, 16, 64])):
            data[rng.randrange(len(data) if kind == "flip" else min(len(data), 2048))] ^= 1 << rng.randrange(
                8
            )
        return bytes(data)
    if kind == "number" and (numbers := list(re.finditer(rb"\d+", content[:2048]))):
        start, end = rng.choice(numbers).span()
        return content[:start] + rng.choice([b"0", b"-1", b"65535", b"999999999"]) + content[end:]
    start = rng.randrange(len(data))
    length = min(rng.randrange(1, 2048), len(data) - start)
    data[start : start + length] = bytes(length) if kind == "blank" else rng.randbytes(length)
    return bytes(data)


def write_damaged(files: list[Path], folder: Path, seeds: int) -> list[Path]:
    paths = []
    for file in files:
        content = file.read_bytes()
        for seed in range(seeds):
            path = folder / f"{seed}_{file.name}"
            path.write_bytes(damaged(content, random.Random(f"{file.name} {seed}")))
            paths.append(path)
    return paths


def test_damaged_copies_of_every_format(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    check(read_all(write_damaged(write_all(tmp_path / "whole"), tmp_path, SEEDS)))


def test_files_that_pydicom_ships() -> None:
    pytest.importorskip("pydicom.data")
    import pydicom

    folders = [Path(pydicom.__file__).parent / "data"]
    try:
        import data_store
    except ImportError:
        pass
    else:
        folders.append(Path(data_store.__file__).parent)
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    assert len(files) > 80
    check(read_all(files))


def test_damaged_copies_of_real_clips(shared_data: Path, tmp_path: Path) -> None:
    files = sorted(path for path in shared_data.rglob("*") if path.suffix in (".dcm", ".mp4", ".npz"))
    check(read_all(files))
    check(read_all(write_damaged(files, tmp_path, 1)))
