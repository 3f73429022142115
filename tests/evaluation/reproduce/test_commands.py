"""Every experiment of the paper, once, in the smallest size: the way from the command to its files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from echo_keypoints.cli import main
from echo_keypoints.networks import SKNet, TRNet, save_weights


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> tuple[Path, list[str]]:
    """Untrained weights, and the options that all experiments share: what is trained once is found again."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("reproduce")
    torch.manual_seed(0)
    (folder / "models").mkdir()
    save_weights(SKNet.from_preset("small"), folder / "models" / "sknet.pt")
    save_weights(TRNet.from_preset("small"), folder / "models" / "trnet.pt")
    clip = ["-o", str(folder / "clips"), "--frames", "8", "--format", "npz"]
    assert main(["simulate", *clip]) == 0
    runs, models = str(folder / "runs"), str(folder / "models")
    return folder, ["--budget", "tiny", "--backend", "torch", "--models", models, "--runs", runs]


def reproduce(place: tuple[Path, list[str]], name: str, *more: str) -> Path:
    folder, options = place
    data = [] if name == "table6" else ["--data", str(folder / "clips")]
    assert main(["reproduce", name, "-o", str(folder / name), *options, *data, *more]) == 0
    return folder / name


def table(folder: Path, name: str) -> dict[str, dict[str, str]]:
    """Row → metric → mean, from the CSV, having checked that the other two say the same."""
    with (folder / f"{name}.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    document = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    text = (folder / f"{name}.md").read_text(encoding="utf-8")
    assert "For research use only." in text and document["settings"]["budget"]["name"] == "tiny"
    for row in document["rows"]:
        assert f"| {row['title']} |" in text
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row["row"], {})[row["metric"]] = row["mean"]
    assert list(found) == [row["title"] for row in document["rows"]]
    return found


def test_table_1_and_figure_5(place, capsys):
    folder = reproduce(place, "table1")
    found = table(folder, "table1_labelled")
    assert {
        "SK-net, each frame alone",
        "TR-net, motion between near frames, PlaceNet",
        "KLT (OpenCV), chained",
        "EchoGLAD, trained here",
    } <= set(found)
    assert all("ave_PEpP_px" in row and "sdr_2mm_percent" in row for row in found.values())
    assert "| Speckle Tracking | 26.7 |" in capsys.readouterr().out
    assert Image.open(folder / "figure5_labelled.png").width == 4 * 300, "four phases"
    assert Image.open(folder / "figure5_labelled_LVID.png").size == (720, 480)
    assert (place[0] / "runs" / "tiny" / "echoglad" / "echoglad.pt").is_file()


def test_a_second_run_only_scores_and_writes_the_document(place, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in (place[0] / "runs").rglob("*") if path.is_file()}
    assert any(path.parts[-4:-1] == ("tracks", "table1", "trnet") for path in before)
    document = tmp_path / "page.md"
    document.write_text("<!-- table: table1_labelled mpe_px -->\n<!-- /table -->\n", encoding="utf-8")
    reproduce(place, "table1", "--docs", str(document))
    after = {path: path.stat().st_mtime_ns for path in (place[0] / "runs").rglob("*") if path.is_file()}
    assert after == before
    assert "| TR-net" in document.read_text(encoding="utf-8")


def test_tables_3_and_4_share_their_trainings(place):
    found = table(reproduce(place, "table3"), "table3_labelled")
    assert list(found) == ["none (SK-net)", "L_pseudo", "L_patch", "L_pseudo + L_patch"]
    trained = place[0] / "runs" / "tiny" / "trnet" / "pseudo_patch_context_a0.8_b0.8" / "trnet.pt"
    before = trained.stat().st_mtime_ns
    assert set(table(reproduce(place, "table4"), "table4_labelled")) == {"with", "without"}
    assert trained.stat().st_mtime_ns == before


def test_the_design_of_trnet(place):
    folder = reproduce(place, "design")
    found = table(folder, "design_labelled")
    assert len(found) == 6 and "three mixer blocks" in found
    assert "The paper" not in (folder / "design_labelled.md").read_text(encoding="utf-8")


def test_figure_6(place):
    folder = reproduce(place, "figure6")
    found = table(folder, "figure6_labelled")
    assert "L_pseudo, iteration 5" in found and "α = 0.8" in found
    for letter in "abc":
        assert Image.open(folder / f"figure6{letter}_labelled.png").size == (720, 480)


def test_table_5(place):
    found = table(reproduce(place, "table5"), "table5_labelled")
    assert list(found)[::2] == ["first", "random", "confidence"] and len(found) == 6


def test_table_6(place):
    found = table(reproduce(place, "table6"), "table6")
    truth = found["true curves: what the phantom itself tells"]
    assert float(truth["heart failure auc"]) > 0.8
    assert "motion features of Kumar et al." in found
    assert set(truth) == {f"{d} {m}" for d in DISEASES for m in ("auc", "specificity", "sensitivity")}


DISEASES = ("heart failure", "cardiomyopathy", "myocardial infarction")


def test_wrong_options_are_one_sentence(place, capsys, tmp_path):
    for options, said in (
        (["table5", "--phantoms", "0"], "--phantoms must be a positive"),
        (["table3", "--steps", "0"], "--steps must be a positive"),
        (["table5", "--data", "nowhere"], "nowhere does not exist"),
        (["table6", "--data", str(tmp_path)], "cohort.csv"),
        (["table5", "--models", str(tmp_path)], "sknet.pt"),
    ):
        arguments = ["reproduce", *options, "-o", str(tmp_path / "out"), "--backend", "torch"]
        assert main(arguments) == 2
        assert said in capsys.readouterr().err
