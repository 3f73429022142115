import csv
import math

import numpy as np
import pytest

from echo_keypoints.biomarkers import Patient, measure
from echo_keypoints.biomarkers.indices import INDICES
from echo_keypoints.writers.csv import COLUMNS, disarmed, write_beats_csv, write_clip_csv, write_csv
from example_results import TIMES_S, make_header, make_result
from known_hearts import beating


def read(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_every_number_comes_back(tmp_path):
    result = make_result()
    write_csv(result, tmp_path / "curves.csv")
    rows = read(tmp_path / "curves.csv")
    assert tuple(rows[0]) == COLUMNS and len(COLUMNS) == 2 + 8 + 4 + 3 + 3 + 3 + 2
    assert [int(row["frame"]) for row in rows] == [0, 1, 2, 3, 4]
    np.testing.assert_allclose([float(row["time_s"]) for row in rows], TIMES_S, atol=1e-6)
    for index, name in enumerate(("SEpP", "SEnP", "PEnP", "PEpP")):
        x, y, confidence = (
            [float(row[f"{name}_{what}"]) for row in rows] for what in ("x_px", "y_px", "confidence")
        )
        np.testing.assert_allclose(np.stack([x, y], 1), result.points_px[:, index], atol=1e-4)
        np.testing.assert_allclose(confidence, result.confidence[:, index], atol=1e-4)
    for name in ("IVS", "LVID", "LVPW"):
        lengths = result.lengths[name]
        np.testing.assert_allclose([float(row[f"{name}_px"]) for row in rows], lengths.px, atol=1e-4)
        np.testing.assert_allclose([float(row[f"{name}_mm"]) for row in rows], lengths.mm, atol=1e-4)


def test_what_is_unknown_is_empty(tmp_path):
    points = make_result().points_px
    points[3, 1] = math.nan
    write_csv(make_result(clip=make_header(spacing_mm=None), points_px=points), tmp_path / "curves.csv")
    rows = read(tmp_path / "curves.csv")
    assert all(row["LVID_mm"] == "" for row in rows)
    assert rows[3]["SEnP_x_px"] == rows[3]["IVS_px"] == "" and rows[3]["LVPW_px"] != ""


def test_beats_and_clip_say_what_the_result_says(tmp_path):
    result = measure(beating(), Patient("F", 165, 60))
    write_csv(result, tmp_path / "curves.csv")
    write_beats_csv(result, tmp_path / "beats.csv")
    write_clip_csv(result, tmp_path / "clip.csv")
    marked = [
        (row["frame"], row["beat"], row["event"]) for row in read(tmp_path / "curves.csv") if row["event"]
    ]
    rows = read(tmp_path / "beats.csv")
    assert len(rows) == len(result.beats) == 4
    for row, beat in zip(rows, result.beats, strict=True):
        assert (row["ed_frame"], row["index"], "ED") in marked
        assert row["accepted"] == ("yes" if beat["accepted"] else "no")
        assert row["reasons"] == "; ".join(beat["reasons"])
        assert float(row["LVM (g)"]) == pytest.approx(beat["indices"]["LVM"], rel=1e-5)
    (row,) = read(tmp_path / "clip.csv")
    for index in INDICES:
        column = index.name if index.unit == "1" else f"{index.name} ({index.unit})"
        entry = result.measurements["indices"][index.name]
        assert float(row[column]) == pytest.approx(entry["value"], rel=1e-5)
        assert int(row[f"{index.name}_n"]) == entry["n"] == 3
    assert (row["sex"], row["weight_kg"], row["quality_grade"]) == ("F", "60", result.quality["grade"])
    assert float(row["frames_per_s"]) == pytest.approx(50)


def test_a_clip_without_measures_gives_reasons_in_place_of_numbers(tmp_path):
    result = measure(make_result(clip=make_header(spacing_mm=None)))
    write_beats_csv(result, tmp_path / "beats.csv")
    write_clip_csv(result, tmp_path / "clip.csv")
    (row,) = read(tmp_path / "clip.csv")
    assert row["LVM (g)"] == row["sex"] == "" and row["LVM_missing"]
    write_csv(make_result(), tmp_path / "curves.csv")  # never measured
    assert all(row["IVS_smooth"] == row["event"] == "" for row in read(tmp_path / "curves.csv"))


def test_without_times_there_is_nothing_in_seconds(tmp_path):
    result = measure(beating(metadata={"times_known": False}))
    assert result.beats
    write_csv(result, tmp_path / "curves.csv")
    write_beats_csv(result, tmp_path / "beats.csv")
    assert {row["time_s"] for row in rows_of(tmp_path / "curves.csv")} == {""}
    for row in rows_of(tmp_path / "beats.csv"):
        assert row["ed_frame"] and not any(row[name] for name in row if name.endswith("_time_s"))


def test_the_last_end_diastole_is_named_too(tmp_path):
    result = measure(beating())
    write_csv(result, tmp_path / "curves.csv")
    named = {int(row["frame"]) for row in rows_of(tmp_path / "curves.csv") if row["event"] == "ED"}
    assert {beat["next_ed_frame"] for beat in result.beats} - {None} <= named


def test_names_that_look_like_formulas_are_disarmed():
    for text, safe in (
        ("=1+1.npz", "'=1+1.npz"),
        ("-2+3", "'-2+3"),
        ("-2.5", "-2.5"),
        ("-1e-05", "-1e-05"),
        ("a", "a"),
    ):
        assert disarmed(text) == safe


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
