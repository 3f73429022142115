"""The experiment on strategies: clips of two kinds, paired comparison, and a run that goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from echo_keypoints.errors import QueryError
from echo_keypoints.evaluation.active_learning.__main__ import main
from echo_keypoints.evaluation.active_learning.clips import DEVICES, FRAMES, make_clips
from echo_keypoints.evaluation.active_learning.comparison import clips_needed, compare, gain
from echo_keypoints.readers import read_clip


def test_some_clips_are_of_a_device_and_landmarks_stay_on_their_tissue(tmp_path: Path) -> None:
    for device in DEVICES:
        items = make_clips(tmp_path / device, 3, 9_400_000, device, 2)
        assert [item.unseen for item in items] == [True, False, True]
        video = read_clip(items[0].image).pixels
        assert len(video) == FRAMES
        (usual,) = make_clips(tmp_path / f"{device} usual", 2, 9_399_999, device, 2)[1:]
        truth = np.array(json.loads(usual.label.read_text())["frames"]["0"])
        shown = np.array(json.loads(items[0].label.read_text())["frames"]["0"])
        as_usual = np.asarray(read_clip(usual.image).pixels)
        if device == "mirrored":
            np.testing.assert_array_equal(video[:, :, ::-1], as_usual)
            np.testing.assert_allclose(shown[:, 0], video.shape[2] - 1 - truth[:, 0])
        else:
            np.testing.assert_allclose(shown, truth)
            inside = as_usual > 0
            np.testing.assert_array_equal(video[inside], 255 - as_usual[inside])
            assert not video[~inside].any()


def test_gains_are_paired_and_have_students_interval() -> None:
    found = gain(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]))
    # Differences 1, 2, 3: mean 2, standard error 1 / sqrt(3), t of two degrees of freedom 4.3027.
    assert (found.mean, found.pools, found.better) == (2.0, 3, 3)
    assert found.high - found.mean == pytest.approx(4.3027 / np.sqrt(3), abs=1e-3)
    assert np.isnan(gain(np.ones(1), np.ones(1)).low)


def test_clips_needed_are_read_off_between_the_points() -> None:
    assert clips_needed([0, 2, 4], [10, 8, 4], 6) == 3
    assert clips_needed([0, 2, 4], [10, 8, 4], 10) == 0
    assert clips_needed([0, 2, 4], [10, 8, 4], 3) is None


def test_only_pools_that_both_have_are_compared() -> None:
    def curve(*errors: float) -> list[dict[str, float]]:
        return [{"labelled": 2 * i, "error_px": error} for i, error in enumerate(errors)]

    report = compare(
        {"random": {0: curve(9, 8, 7), 1: curve(9, 9, 9)}, "informed": {0: curve(9, 6, 5), 2: curve(0, 0, 0)}}
    )["informed"]
    assert report["over_the_curve"]["mean"] == 2 and report["at_the_end"]["mean"] == 2
    assert report["over_the_curve"]["pools"] == 1
    assert (report["level_px"], report["clips_needed"], report["baseline_clips_needed"]) == (5, 4, None)


@pytest.mark.slow
def test_a_small_run_goes_on_and_keeps_to_its_protocol(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    sizes = "--pool 2 --test 2 --unseen-every 2 --step 1 --rounds 1 --updates 2".split()
    main(["-o", str(tmp_path), *sizes, "--repeats", "1"])
    assert capsys.readouterr().out.count("informed [") == 1
    main(["-o", str(tmp_path), *sizes, "--repeats", "1"])
    assert "informed [" not in capsys.readouterr().out  # all was there
    report = json.loads((tmp_path / "active_learning.json").read_text())
    (points,) = report["curves"]["informed"].values()
    assert [point["labelled"] for point in points] == [0, 1]
    assert report["comparison"]["informed"]["over_the_curve"]["pools"] == 1
    assert (tmp_path / "active_learning.png").stat().st_size > 10_000
    with pytest.raises(QueryError, match="another protocol"):
        main(["-o", str(tmp_path), *sizes, "--step", "2"])
