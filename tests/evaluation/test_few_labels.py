"""Fine-tuning on a few labelled frames: patients stay apart, and what is reported is what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.errors import ClipError
from echo_keypoints.evaluation.few_labels import (
    OTHER_PATIENTS,
    SAME_PATIENT,
    Outcome,
    main,
    patient_of,
    split_by_patient,
    to_markdown,
)
from echo_keypoints.readers import open_clip
from echo_keypoints.writers.dicom_multiframe import write_dicom

FRAMES = 6
CLIPS = ("rest.dcm", "stress.dcm", "other.npz")


def _save(folder: Path, name: str, seed: int, patient: str | None = None) -> dict[str, object]:
    """One phantom clip, its first and fourth frames labelled by one reader; DICOM if there is a patient."""
    clip = simulate_clip(seed, frame_count=FRAMES, fps=12)
    if patient is None:
        np.savez_compressed(folder / name, video=clip.video, fps=12.0, mm_per_px=clip.mm_per_px)
    else:
        write_dicom(clip.video, clip.times_s, folder / name, identity=patient)
    frames = {
        str(f): {"phase": phase, "reader_A": {"points": clip.points[f].tolist()}}
        for f, phase in ((0, "ED"), (3, "ES"))
    }
    return {"width": 224, "height": 224, "frames": frames}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips of two patients."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "plax"
    folder.mkdir()
    entries = {
        "rest.dcm": _save(folder, "rest.dcm", 9_600_001, "P1"),
        "stress.dcm": _save(folder, "stress.dcm", 9_600_002, "P1"),
        "other.npz": _save(folder, "other.npz", 9_600_003),
    }
    (folder / "annotations.json").write_text(json.dumps(entries))
    return root


def test_a_patient_is_never_on_both_sides(data: Path) -> None:
    folder = data / "plax"
    whose = {name: patient_of(folder / name, open_clip(folder / name).header) for name in CLIPS}
    assert whose == dict(zip(CLIPS, ("PHANTOM-P1", "PHANTOM-P1", "other"), strict=True))
    found = [
        (task.kind, [case.name for case in task.pool], [case.name for case in task.test])
        for task in split_by_patient(folder / "annotations.json")
    ]
    assert found == [
        (OTHER_PATIENTS, ["other"], ["rest", "stress"]),
        (SAME_PATIENT, ["stress"], ["rest"]),
        (SAME_PATIENT, ["rest"], ["stress"]),
        (OTHER_PATIENTS, ["rest", "stress"], ["other"]),
    ]


def test_clips_of_one_patient_alone_are_refused(data: Path, tmp_path: Path) -> None:
    entries = json.loads((data / "plax" / "annotations.json").read_text())
    del entries["other.npz"]
    for name in entries:
        (tmp_path / name).write_bytes((data / "plax" / name).read_bytes())
    (tmp_path / "annotations.json").write_text(json.dumps(entries))
    with pytest.raises(ClipError, match="two patients"):
        split_by_patient(tmp_path / "annotations.json")


@pytest.mark.parametrize("network", ["placenet", "sknet"])
def test_the_command_writes_every_outcome_and_names_nobody(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], network: str
) -> None:
    output = tmp_path / "few.json"
    few = ["--counts", "1", "8", "--draws", "1", "--updates", "2"]
    main(["--data", str(data), "-o", str(output), "--network", network, *few])
    document = json.loads(output.read_text())
    outcomes = document["outcomes"]
    assert document["protocol"]["network"] == network
    # Eight labelled frames there are nowhere: only 0 and 1.
    assert [(o["task"], o["labelled"]) for o in outcomes] == [
        (task, count)
        for task in (OTHER_PATIENTS, SAME_PATIENT, SAME_PATIENT, OTHER_PATIENTS)
        for count in (0, 1)
    ]
    assert all(np.isfinite(list(o["scores"].values())).all() for o in outcomes)
    # Two small steps change the network a little: another number, of the same order.
    before, after = (o["scores"]["mpe_px"] for o in outcomes[:2])
    assert before != after
    assert "PHANTOM" not in output.read_text() + capsys.readouterr().out


def test_the_table_gives_the_mean_and_the_range_of_the_draws() -> None:
    def outcome(held_out: str, labelled: int, draw: int, px: float) -> Outcome:
        scores = {"mpe_px": px, "across_percent": 1.0, "lvid_percent": 2.0}
        return Outcome(OTHER_PATIENTS, held_out, labelled, draw, scores)

    text = to_markdown(
        [outcome("a", 0, 0, 5), outcome("b", 0, 0, 7)]
        + [
            outcome(name, 1, draw, px)
            for name, draw, px in (("a", 0, 3), ("b", 0, 5), ("a", 1, 2), ("b", 1, 4))
        ]
    )
    assert "| 0 | 6.0 | 1.0 | 2.0 |" in text
    assert "| 1 | 3.5 (3.0 to 4.0) | 1.0 (1.0 to 1.0) | 2.0 (2.0 to 2.0) |" in text
