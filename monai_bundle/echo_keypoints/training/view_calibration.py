"""Fitting the doubt about the view: phantoms of this and of other views, and real clips.

``python -m echo_keypoints.training.view_calibration --data FOLDER`` tracks everything with the shipped weights, prints
how every clip is judged by models that have not seen its maker, or no real clip at all, and writes the model that
inference reads. Run it again whenever the weights change. FOLDER holds real clips in ``plax/``, ``plax_colour/``
and ``other_views/``; without it only phantoms count.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from echo_keypoints.analysis import analyze_source
from echo_keypoints.biomarkers.view import EVIDENCE, MODEL_FILE, ViewModel
from echo_keypoints.clip import Clip, ClipHeader, ClipSource
from echo_keypoints.data.phantoms import VALIDATION_SEED
from echo_keypoints.data.simulation import SimulatedClip, simulate_clip
from echo_keypoints.data.simulation.other_views import VIEWS, simulate_other_view
from echo_keypoints.errors import EchoKeypointsError
from echo_keypoints.readers import open_clip
from echo_keypoints.tracking.backends import Backend, load_backend

FOLDERS = {"plax": True, "plax_colour": True, "other_views": False}
"""Folders of real clips, and whether they show the parasternal long axis."""

_FRAMES = 32
_STEPS, _RATE = 4000, 0.5
_RIDGE = 0.002  # per sample, on weights of evidence that runs from 0 to 1
_PHANTOM_SHARE = 0.5  # weight of all phantoms together, against the real clips
_OTHERS = 3  # other views of each phantom, in turn


@dataclass(frozen=True, eq=False)
class Example:
    """One clip: its name, its group (left out together), whether it is PLAX, phantom or real, and its evidence."""

    name: str
    group: str
    plax: bool
    real: bool
    evidence: NDArray[np.float64]


def fit_view(examples: Sequence[Example], fitted_on: str = "") -> ViewModel:
    """Fit by projected gradient descent; both classes, and real clips and phantoms, have equal weight.

    Raises:
        ValueError: all examples are of one class.
    """
    x = np.stack([example.evidence for example in examples])
    y = np.array([example.plax for example in examples], np.float64)
    if y.min() == y.max():
        raise ValueError("the clips must be PLAX in some cases and others in some")
    weight = _balanced(examples)
    weights, intercept = np.ones(x.shape[1]), -float(x.mean(axis=0).sum())
    for _ in range(_STEPS):
        slope = weight * (1 / (1 + np.exp(-np.clip(intercept + x @ weights, -30, 30))) - y)
        weights = np.maximum(weights - _RATE * (x.T @ slope + _RIDGE * weights), 0)
        intercept -= _RATE * float(slope.sum())
    return ViewModel(round(intercept, 4), tuple(round(float(w), 4) for w in weights), fitted_on)


def held_out_scores(examples: Sequence[Example]) -> NDArray[np.float64]:
    """Score each example by a model fitted on all groups but its own."""
    scores = np.empty(len(examples))
    for group in sorted({example.group for example in examples}):
        model = fit_view([example for example in examples if example.group != group])
        for index, example in enumerate(examples):
            if example.group == group:
                scores[index] = model(example.evidence)
    return scores


def _balanced(examples: Sequence[Example]) -> NDArray[np.float64]:
    """Weights that sum to 1: half for each class, and within it the phantoms their share if there are real clips."""
    plax = np.array([example.plax for example in examples])
    real = np.array([example.real for example in examples])
    weight = np.zeros(len(examples))
    for label in (False, True):
        kinds = [chosen for chosen in ((plax == label) & real, (plax == label) & ~real) if chosen.any()]
        shares = [1 - _PHANTOM_SHARE, _PHANTOM_SHARE] if len(kinds) == 2 else [1.0]
        for chosen, share in zip(kinds, shares, strict=True):
            weight[chosen] = 0.5 * share / chosen.sum()
    return weight


def examples_of(backend: Backend, data: Path | None, phantoms: int) -> Iterator[Example]:
    """Track everything and collect its evidence; what cannot be read as a cine is passed over.

    Args:
        backend: the networks.
        data: folder of real clips, or None.
        phantoms: how many hearts; each is seen in the parasternal long axis and in three other views.
    """
    for number in range(phantoms):
        seed = VALIDATION_SEED + number
        others = [VIEWS[(_OTHERS * number + i) % len(VIEWS)] for i in range(_OTHERS)]
        for view in (None, *others):
            made = (
                simulate_other_view(seed, view, frame_count=_FRAMES)
                if view
                else simulate_clip(seed, frame_count=_FRAMES)
            )
            evidence = _evidence(_clip(made), backend)
            yield Example(f"{view or 'PLAX'} {seed}", f"phantom {seed}", view is None, False, evidence)
    for folder, plax in FOLDERS.items() if data else ():
        assert data is not None
        for path in sorted(p for p in (data / folder).iterdir() if p.suffix not in (".json", ".txt", ".csv")):
            try:
                evidence = _evidence(open_clip(path), backend)
            except EchoKeypointsError:
                continue
            yield Example(f"{folder}/{path.name}", path.name.split("_")[0], plax, True, evidence)


def _clip(made: SimulatedClip) -> Clip:
    count, height, width = made.video.shape
    times = made.times_s.astype(np.float64)
    return Clip(ClipHeader(f"phantom {made.seed}", count, height, width, times, "simulation"), made.video)


def _evidence(clip: Clip | ClipSource, backend: Backend) -> NDArray[np.float64]:
    view = analyze_source(clip, backend=backend).quality["view"]
    return np.array([view["evidence"][name] for name in EVIDENCE])


def judged(examples: Sequence[Example]) -> tuple[str, NDArray[np.float64]]:
    """Judge every example by models that have not seen it.

    Returns:
        How often they were right, in words, and the scores ``(N, 2)``: by a model without the example's group, and
        by one without any real clip (phantoms: by the same as before).
    """
    real = np.array([example.real for example in examples])
    plax = np.array([example.plax for example in examples])
    left_out = held_out_scores(examples)
    blind = left_out
    if 0 < real.sum() < len(real):
        model = fit_view([example for example in examples if not example.real])
        blind = np.where(real, model(np.stack([example.evidence for example in examples])), left_out)
    scores = np.stack([left_out, blind], axis=-1)
    told = []
    for column, kind, chosen in (
        (0, "real clips, maker left out", real),
        (1, "real clips, none of them known", real),
        (0, "phantoms, heart left out", ~real),
    ):
        right = (scores[:, column] >= 0.5) == plax
        counts = [f"{right[of_view].sum()} of {of_view.sum()}" for of_view in (chosen & plax, chosen & ~plax)]
        told.append(f"{kind}: PLAX {counts[0]}, others {counts[1]}")
    return "right on " + "; ".join(told), scores


def main(arguments: list[str] | None = None) -> None:
    """Fit the doubt about the view and write it; print how it does on clips that it has not seen."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of real clips")
    parser.add_argument("--phantoms", type=int, default=32, metavar="N", help="hearts (default: 32)")
    parser.add_argument(
        "--models", type=Path, metavar="DIR", help="folder of the weights (default: the shipped)"
    )
    options = parser.parse_args(arguments)
    backend = load_backend("onnx", models_dir=options.models)
    examples = list(tqdm(examples_of(backend, options.data, options.phantoms), unit="clip"))
    fitted_on, scores = judged(examples)
    print("maker left out, no real clip known:")
    for example, both in zip(examples, scores, strict=True):
        values = " ".join(f"{value:.2f}" for value in example.evidence)
        view = "PLAX " if example.plax else "other"
        print(f"{both[0]:.2f} {both[1]:.2f} {view} {example.name:48} {values}")
    model = fit_view(examples, fitted_on)
    print(fitted_on, dict(zip(EVIDENCE, model.weights, strict=True)), sep="\n")
    MODEL_FILE.write_text(model.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
