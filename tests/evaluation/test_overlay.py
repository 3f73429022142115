from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from echo_keypoints.anatomy import LANDMARKS
from echo_keypoints.evaluation.cases import exact_case
from echo_keypoints.evaluation.overlay import save_contact_sheet

CELL, LABEL = 300, 18


def test_sheet_draws_predictions_where_they_are(tmp_path: Path) -> None:
    truth = np.tile(np.array([[110.0, 20], [110, 80], [110, 140], [110, 200]]), (3, 1, 1))
    video = np.full((3, 224, 224), 60, np.uint8)
    case = exact_case("x", video, truth, np.array([0, 1, 0.5]), np.arange(3), None)
    predicted = truth + np.array([20, 0])
    path = tmp_path / "new" / "sheet.png"
    save_contact_sheet(case, {"one": truth, "two": predicted}, path)
    sheet = np.asarray(Image.open(path))
    assert sheet.shape == (2 * (CELL + LABEL), 3 * CELL, 3)
    # The landmarks span 180 px, so with the margin the whole frame is shown: 300 / 224 per pixel.
    zoom = CELL / 224
    for landmark, (x, y) in zip(LANDMARKS, predicted[0], strict=True):
        column, row = round((x + 0.5) * zoom), round((y + 0.5) * zoom) + CELL + 2 * LABEL
        assert tuple(sheet[row, column]) == landmark.colour


def test_close_landmarks_are_enlarged_and_lost_points_left_out(tmp_path: Path) -> None:
    truth = np.tile(np.array([[100.0, 90], [100, 95], [100, 110], [100, 115]]), (9, 1, 1))
    video = np.random.default_rng(0).integers(0, 255, (9, 224, 224), np.uint8)
    case = exact_case("x", video, truth, np.arange(9.0), np.arange(9), None)
    save_contact_sheet(case, {"lost": np.full_like(truth, np.nan)}, tmp_path / "s.png")
    assert Image.open(tmp_path / "s.png").size == (6 * CELL, CELL + LABEL)
