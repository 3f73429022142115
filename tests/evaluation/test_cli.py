from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from echo_keypoints.errors import EchoKeypointsError, ModelError
from echo_keypoints.evaluation.cli import add_arguments, run


def evaluate(*options: str) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(options))


def test_one_phantom_end_to_end(
    tmp_path: Path, weights_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ECHO_KEYPOINTS_DATA", raising=False)
    table, markdown, sheets = tmp_path / "t.json", tmp_path / "t.md", tmp_path / "sheets"
    options = ["--phantoms", "1", "--trackers", "sknet", "klt", "--backend", "torch"]
    files = ["--output", str(table), "--markdown", str(markdown), "--overlays", str(sheets)]
    assert evaluate(*options, "--models", str(weights_folder), *files) == 0
    assert "PHANTOM numbers" in capsys.readouterr().out
    report = json.loads(table.read_text(encoding="utf-8"))
    assert {t["start"] for t in report["tables"]} == {"true points at ED", "end to end"}
    assert set(report["models"]) >= {"sknet.pt", "trnet.pt"}
    assert "KLT" in markdown.read_text(encoding="utf-8")
    assert len(list(sheets.glob("*.png"))) == 2


def test_without_weights_the_peers_still_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ECHO_KEYPOINTS_DATA", raising=False)
    assert evaluate("--phantoms", "1", "--trackers", "klt", "--models", str(tmp_path)) == 0
    assert "Only peers from true points" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (("--phantoms", "-1"), EchoKeypointsError, "negative"),
        (("--phantoms", "1", "--data", "nowhere"), EchoKeypointsError, "nowhere does not exist"),
        (("--trackers", "raft"), EchoKeypointsError, "no tracker"),
        (("--phantoms", "1", "--trackers", "trnet", "--models", "nowhere"), ModelError, "missing"),
    ],
)
def test_mistakes_are_one_sentence(options: tuple[str, ...], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        evaluate(*options)
