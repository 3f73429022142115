"""The parts of the reproduction that can be checked against independent truth."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from echo_keypoints.data.sources import clips
from echo_keypoints.errors import ClipError
from echo_keypoints.evaluation.datasets import TEST_SEED, DataSet
from echo_keypoints.evaluation.reproduce.budget import BUDGETS, chosen_budget
from echo_keypoints.evaluation.reproduce.chart import Series, save_chart
from echo_keypoints.evaluation.reproduce.cohort import Cohort, one_beat, phantom_cohort, read_cohort
from echo_keypoints.evaluation.reproduce.figure5 import phases, save_figure_5
from echo_keypoints.evaluation.reproduce.kumar import Vocabulary, motion_features
from echo_keypoints.evaluation.reproduce.paper import (
    DISEASES,
    TABLE_1,
    TABLE_1_COLUMNS,
    TABLE_6,
    TABLE_6_COLUMNS,
)
from echo_keypoints.evaluation.reproduce.report import Column, Line, Report, to_markdown
from echo_keypoints.evaluation.reproduce.table6 import SAMPLES, beat_curves, classify, held_out
from echo_keypoints.evaluation.reproduce.variants import (
    PATCH_SCALE,
    Variant,
    _resume,
    _Run,
    _suspend,
    remember,
)
from echo_keypoints.evaluation.statistics import Estimate
from echo_keypoints.networks import SKNet, TRNet
from echo_keypoints.training.classical_flow import DisFlow
from echo_keypoints.training.pseudo import ChainedFlow


def test_the_paper_is_copied_whole():
    assert all(len(row) == len(TABLE_1_COLUMNS) for row in TABLE_1.values()) and len(TABLE_1) == 12
    assert all(len(row) == len(TABLE_6_COLUMNS) for row in TABLE_6.values()) and len(TABLE_6) == 7


def test_markdown_marks_the_best_and_shows_intervals():
    nan = float("nan")
    lines = [
        Line("a", {"d": Estimate(50, 40, 60, 9), "m": Estimate(2, 1, 3, 9)}, "A"),
        Line("b", {"d": Estimate(40, nan, nan, 1), "m": Estimate(1, nan, nan, 1)}),
    ]
    report = Report(
        "x", "T", [Column("d", "δ", higher=True), Column("m", "MAE")], lines, {"A": (30.3,)}, ["d"]
    )
    text = to_markdown(report)
    assert "| a | **50.00** [40.00, 60.00] | 2.00 [1.00, 3.00] |" in text
    assert "| b | 40.00 | **1.00** |" in text
    assert "| A | 30.3 |" in text


def test_a_phantom_of_the_cohort_is_one_beat_from_end_diastole():
    case = one_beat(TEST_SEED + 1, "normal", frames=12)
    assert case.end_diastole == 0 and len(case.clip.pixels) == 12
    curves = beat_curves(case, case.model_truth).reshape(3, SAMPLES)
    lvid = curves[1]
    assert lvid[0] == pytest.approx(lvid.max(), rel=0.02) and lvid.argmin() > 4
    assert 25 < lvid[0] < 80, "millimetres"


def test_the_cohort_is_of_distinct_patients():
    cohort = phantom_cohort(3, 2, 8)
    assert len(cohort.diagnoses) == 9 == len(set(cohort.patients.values()))
    assert sorted(set(cohort.diagnoses.values())) == sorted(["normal", *DISEASES])


def test_a_cohort_of_ones_own(tmp_path):
    video = np.random.default_rng(0).integers(0, 255, (4, 60, 60)).astype(np.uint8)
    np.savez(tmp_path / "a.npz", video=video)
    points = [[30, 10], [30, 15], [30, 40], [30, 46]]
    (tmp_path / "a.json").write_text(json.dumps({"frames": {"0": points, "2": points}}))
    (tmp_path / "cohort.csv").write_text("clip,patient,diagnosis\na,7,Heart failure\n")
    cohort = read_cohort(tmp_path)
    assert cohort.diagnoses == {"a": "heart failure"} and cohort.patients == {"a": "7"}
    assert cohort.data.cases[0]().frames.tolist() == [0, 2]
    (tmp_path / "cohort.csv").write_text("clip,patient,diagnosis\na,7,flu\n")
    with pytest.raises(ClipError, match="flu"):
        read_cohort(tmp_path)


def made_up(shift: float, seed: int = 0) -> tuple[dict[str, np.ndarray], Cohort]:
    rng = np.random.default_rng(seed)
    names = [f"c{i}" for i in range(60)]
    ill = [i % 3 == 0 for i in range(60)]
    features = {n: rng.normal(shift * k, 1, 8) for n, k in zip(names, ill, strict=True)}
    diagnoses = {n: "heart failure" if k else "normal" for n, k in zip(names, ill, strict=True)}
    patients = {n: f"p{i // 2}" for i, n in enumerate(names)}
    return features, Cohort(DataSet("x", "x", False, ()), diagnoses, patients)


def test_a_disease_that_shows_is_found():
    found = classify(*made_up(2.0))
    assert found["heart failure auc"].mean > 0.95 and found["heart failure sensitivity"].mean > 0.8
    assert (
        found["heart failure auc"].low <= found["heart failure auc"].mean <= found["heart failure auc"].high
    )
    assert "cardiomyopathy auc" not in found


def test_noise_is_told_from_noise_by_luck_only():
    areas = []
    for seed in range(10):
        features, cohort = made_up(0.0, seed)
        ill = np.array([cohort.diagnoses[name] != "normal" for name in features])
        values = held_out(list(features.values()), ill, [cohort.patients[n] for n in features], SVC())
        areas.append(roc_auc_score(ill, values))
    assert 0.35 < np.mean(areas) < 0.6


def test_patients_never_sit_on_both_sides():
    features, cohort = made_up(1.0)
    names = list(features)
    seen = []

    class Spy(SVC):
        def fit(self, x, y):
            seen.append({tuple(row) for row in x})
            return super().fit(x, y)

        def decision_function(self, x):
            trained = {names[i] for i in range(60) if tuple(features[names[i]]) in seen[-1]}
            tested = {names[i] for i in range(60) if tuple(features[names[i]]) in {tuple(row) for row in x}}
            assert not {cohort.patients[n] for n in trained} & {cohort.patients[n] for n in tested}
            return super().decision_function(x)

    ill = np.array([cohort.diagnoses[n] != "normal" for n in names])
    values = held_out([features[n] for n in names], ill, [cohort.patients[n] for n in names], Spy())
    assert len(seen) == 5 and np.isfinite(values).all() and roc_auc_score(ill, values) > 0.6


def test_motion_features_tell_motion_from_rest():
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (80, 80)).astype(np.uint8)
    still = np.repeat(texture[None], 8, axis=0)
    moving = np.stack([np.roll(texture, 2 * t, axis=0) if t else texture for t in range(8)])
    assert motion_features(still).shape[1] == 130
    sets = [motion_features(moving), motion_features(still), motion_features(moving)]
    histograms = Vocabulary(6).fit(sets).transform(sets)
    assert histograms.shape == (3, 6) and np.allclose(histograms[0], histograms[2])
    machine = make_pipeline(Vocabulary(4), StandardScaler(), SVC())
    machine.fit(sets * 3, [1, 0, 1] * 3)


def test_a_network_that_remembers_is_asked_once_and_forgets_the_oldest():
    calls = []

    class Network(torch.nn.Module):
        def streams(self, x, context=None):
            calls.append(1)
            return x + 1

        def forward(self, x):
            return 2 * self.streams(x, None)

    network = remember(Network(), "streams", 2)
    one, two, three = torch.zeros(2), torch.ones(2), torch.full((2,), 2.0)
    assert network.streams(one, None) is network.streams(one.clone(), None) and len(calls) == 1
    assert network.streams(one, two) is not network.streams(one, three) and len(calls) == 3
    assert torch.equal(network(one), torch.full((2,), 2.0)) and len(calls) == 4, "the oldest was forgotten"


def test_variants_leave_out_what_they_say():
    points, pseudo = torch.rand(1, 6, 4, 2) * 20 + 20, torch.rand(1, 6, 4, 2) * 20 + 20
    frames = torch.rand(1, 6, 1, 64, 64)
    both, no_pseudo, no_patch = (
        variant.loss()([points], pseudo, frames)[0]
        for variant in (Variant(), Variant(pseudo=False), Variant(patch=False))
    )
    assert both == pytest.approx(float(no_pseudo + no_patch), rel=1e-5)
    assert 0 < no_pseudo <= 2 * PATCH_SCALE
    names = {v.name for v in (Variant(), Variant(patch=False), Variant(context=False), Variant(alpha=1.0))}
    assert len(names) == 4
    assert not Variant(context=False).network().use_context


def test_charts_survive_missing_intervals(tmp_path):
    nan = float("nan")
    save_chart([Series("a", [1, 2], [3.0, 4.0], [nan, 3.5], [nan, 4.5])], "x", "y", tmp_path / "a.png")
    save_chart([Series("a", [0.8], [3.0], [nan], [nan])], "x", "y", tmp_path / "b.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_a_line_of_many_values_has_no_dots(tmp_path):
    nothing = [float("nan")] * 60
    save_chart([Series("a", list(range(60)), [5.0] * 60, nothing, nothing)], "x", "y", tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").size == (720, 480)


def test_figure_5_shows_four_phases_and_the_lengths(tmp_path):
    case = one_beat(TEST_SEED + 1, "normal", frames=12)
    found = phases(case)
    assert [name[:7] for name in found] == ["phase A", "phase B", "phase C", "phase D"]
    frames = list(found.values())
    assert frames[0] == case.end_diastole and frames[2] == case.end_systole
    tracks = {"one": case.model_truth + 3, "two": case.model_truth}
    paths = save_figure_5(case, tracks, tracks, tmp_path / "figure5_x")
    assert [path.name for path in paths] == [f"figure5_x{end}.png" for end in ("", "_IVS", "_LVID", "_LVPW")]
    assert Image.open(paths[0]).size == (4 * 300, 3 * 318)


def test_a_training_of_variants_goes_on_where_it_was_stopped(tmp_path):
    torch.manual_seed(0)
    sknet = SKNet.from_preset("small").eval()
    frames = clips("train", frames=TRNet.from_preset("small").window, size=64)[0]["frames"][None]

    def run() -> _Run:
        return _Run(Variant(), sknet, ChainedFlow(DisFlow(1)), 2)

    def step(one: _Run) -> None:
        torch.manual_seed(0)
        one.step({"frames": frames})

    whole, first, second = run(), run(), run()
    step(whole), step(whole), step(first)
    path = tmp_path / "unfinished.pt"
    assert _resume([second], path, "same") == 0
    _suspend([first], path, "same", 1)
    assert _resume([second], path, "other") == 0
    assert _resume([second], path, "same") == 1
    step(second)
    for a, b in zip(whole.average.module.parameters(), second.average.module.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_budget_with_other_numbers():
    budget = chosen_budget("small", phantoms=3, steps=10)
    assert (budget.phantoms, budget.steps, budget.clips) == (3, 10, 3)
    assert chosen_budget("small") is BUDGETS["small"]
