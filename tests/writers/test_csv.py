import csv
import math

import numpy as np

from echo_keypoints.writers.csv import COLUMNS, write_csv
from example_results import TIMES_S, make_header, make_result


def read(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_every_number_comes_back(tmp_path):
    result = make_result()
    write_csv(result, tmp_path / "curves.csv")
    rows = read(tmp_path / "curves.csv")
    assert tuple(rows[0]) == COLUMNS and len(COLUMNS) == 2 + 8 + 4 + 3 + 3
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
