import numpy as np
import pytest

from echo_keypoints.biomarkers import measure
from echo_keypoints.biomarkers.motion import bend_deg
from echo_keypoints.biomarkers.view import EVIDENCE, view_model
from echo_keypoints.training.view_calibration import Example, fit_view, held_out_scores, judged
from known_hearts import beating

LONG_AXIS = {"layers": 0.8, "base": 0.9, "certainty": 0.8}


def level(result, name):
    return {check["name"]: check["level"] for check in result.quality["checks"]}[name]


def test_a_good_clip_is_good():
    result = measure(beating(surroundings=LONG_AXIS))
    assert result.quality["grade"] == "good" and result.quality["reasons"] == []
    assert result.quality["view"]["verdict"] == "plax" and result.quality["measurable"]


@pytest.mark.parametrize(
    "changes, name, expected",
    [
        ({"mm_per_px": None}, "scale", "warn"),
        ({"fps": 25}, "frame rate", "warn"),
        ({"fps": 15}, "frame rate", "fail"),
        ({"metadata": {"times_known": False}}, "frame rate", "warn"),
        ({"metadata": {"colour": True}}, "colour", "warn"),
        ({"beats": 2.3}, "beats", "warn"),
        ({"confidence": np.full((165, 4), 0.3)}, "confidence", "warn"),
    ],
)
def test_what_is_wrong_is_said(changes, name, expected):
    result = measure(beating(surroundings=LONG_AXIS, **changes))
    assert level(result, name) == expected
    assert result.quality["grade"] == {"warn": "adequate", "fail": "poor"}[expected]


def moved(change):
    result = beating(surroundings=LONG_AXIS)
    points = result.points_px.copy()
    change(points)
    return measure(beating(surroundings=LONG_AXIS, points_px=points))


def test_a_jump_a_bend_and_a_shift_reject_their_beat():
    def jump(points):
        points[30, 2, 1] += 20  # 8 mm

    def bend(points):
        points[:, 3, 0] += 40

    def shift(points):
        points[50:] += np.linspace(0, 30, len(points) - 50)[:, None, None] * [1, 0]

    jumped = moved(jump)
    assert "jumps" in jumped.beats[0]["reasons"][0] and jumped.beats[1]["accepted"]
    assert level(jumped, "rejected beats") == "warn"
    bent = moved(bend)
    assert all(any("off axis" in reason for reason in beat["reasons"]) for beat in bent.beats)
    assert bent.quality["grade"] == "not measurable" and level(bent, "angle") == "fail"
    shifted = moved(shift)
    assert any("together" in text for beat in shifted.beats for text in beat["warnings"] + beat["reasons"])


def test_a_cut_beat_counts_only_where_no_whole_one_does():
    assert [beat["accepted"] for beat in measure(beating(1.9)).beats] == [True, False]
    points = beating(1.9).points_px.copy()
    points[30, 2, 1] += 20  # 8 mm, in the whole beat
    assert [beat["accepted"] for beat in measure(beating(1.9, points_px=points)).beats] == [False, True]


def test_bends_are_those_of_the_segments():
    straight = np.array([[0, 0], [0, 10], [0, 60], [0, 70]], float)
    assert bend_deg(straight) == pytest.approx(0)
    bent = straight + np.array([[0, 0], [0, 0], [0, 0], [10, 0]])
    assert bend_deg(bent) == pytest.approx(45)
    assert np.isnan(bend_deg(straight * [[1, 1], [np.nan, 1], [1, 1], [1, 1]]))


def test_better_evidence_never_lowers_the_score():
    assert min(view_model().weights) >= 0 and len(view_model().weights) == len(EVIDENCE)
    worst, best = view_model()(np.zeros(4)), view_model()(np.ones(4))
    assert worst < 0.1 and best > 0.9


def test_a_cavity_that_does_not_beat_speaks_against_the_view():
    beats = measure(beating(surroundings=LONG_AXIS)).quality["view"]
    still = np.repeat(beating().points_px[:1], 165, axis=0)
    rests = measure(beating(points_px=still, surroundings=LONG_AXIS)).quality["view"]
    assert beats["verdict"] == "plax" and beats["evidence"]["motion"] == 1
    assert rests["evidence"]["motion"] == 0 and rests["score"] < beats["score"]


def test_the_fit_separates_what_can_be_separated():
    rng = np.random.default_rng(0)
    examples = [
        Example(
            str(i),
            str(i // 4),
            i % 2 == 0,
            True,
            np.clip(rng.normal(0.7 if i % 2 == 0 else 0.3, 0.15, 4), 0, 1),
        )
        for i in range(60)
    ]
    right = (held_out_scores(examples) >= 0.5) == [example.plax for example in examples]
    assert right.mean() > 0.95 and min(fit_view(examples).weights) >= 0
    with pytest.raises(ValueError, match="some"):
        fit_view(examples[::2])


def test_the_fit_is_judged_by_what_it_has_not_seen():
    def example(group, plax, real, value):
        return Example(group, group, plax, real, np.full(4, value))

    # The real clips lie the wrong way round: only a model that knows them can be right about them.
    phantoms = [example(f"p{i}", i % 2 == 0, False, 0.9 if i % 2 == 0 else 0.1) for i in range(20)]
    real = [example(f"maker {i}", i % 2 == 0, True, 0.1 if i % 2 == 0 else 0.9) for i in range(4)]
    text, scores = judged([*phantoms, *real])
    assert "none of them known: PLAX 0 of 2, others 0 of 2" in text
    assert scores.shape == (24, 2) and (scores[:20, 0] == scores[:20, 1]).all()


def test_unknown_surroundings_do_not_speak_against_the_view():
    assert measure(beating()).quality["view"]["verdict"] == "plax"
    wrong = measure(beating(surroundings=LONG_AXIS | {"layers": 0.2, "base": 0.0}))
    assert wrong.quality["view"]["verdict"] == "doubtful"


def test_real_clips_are_told_apart(shared_data):
    """Few enough to be quick; the whole table is printed by ``training.view_calibration``."""
    from echo_keypoints.analysis import analyze_clip
    from echo_keypoints.tracking import load_backend

    backend = load_backend(threads=1)
    view = lambda name: analyze_clip(shared_data / name, backend=backend).quality["view"]["verdict"]  # noqa: E731
    assert view("plax/acuson_stress_plax_2_lowdose.dcm") == "plax"
    assert view("plax_colour/hp_pediatric_plax_colour.dcm") == "plax"
    assert view("other_views/acuson_stress_a4c_baseline.dcm") == "doubtful"
    assert view("other_views/sonosite_eye.mp4") == "doubtful"
    assert view("other_views/acuson_stress_psax_baseline.dcm") == "doubtful"
