"""Fitting the doubt about the view: phantoms as they are, phantoms turned so that they are none, and real clips.

``python -m echo_keypoints.training.view_calibration --data FOLDER`` tracks everything with the shipped weights, prints
the score of every clip by a model that has not seen its like, and writes the model that inference reads. Run it again
whenever the weights change. FOLDER holds real clips in ``plax/``, ``plax_colour/`` and ``other_views/``; without it
only phantoms count.
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
from echo_keypoints.data.simulation import simulate_clip
from echo_keypoints.errors import EchoKeypointsError
from echo_keypoints.readers import open_clip
from echo_keypoints.tracking.backends import Backend, load_backend

FOLDERS = {"plax": True, "plax_colour": True, "other_views": False}
"""Folders of real clips, and whether they show the parasternal long axis."""

_FRAMES = 32
_STEPS, _RATE = 4000, 0.5
_RIDGE = 0.002  # per sample, on weights of evidence that runs from 0 to 1
_PHANTOM_SHARE = 0.25  # weight of all phantoms together, against the real clips


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
        phantoms: how many.
    """
    for seed in range(VALIDATION_SEED, VALIDATION_SEED + phantoms):
        made = simulate_clip(seed, frame_count=_FRAMES)
        times = made.times_s.astype(np.float64)
        turned = [made.video, np.rot90(made.video, 1 + 2 * (seed % 2), (1, 2)), made.video[:, ::-1]]
        for name, video in zip(("upright", "on its side", "upside down"), turned, strict=True):
            pixels = np.ascontiguousarray(video)
            count, height, width = pixels.shape
            header = ClipHeader(f"phantom {seed}", count, height, width, times, "simulation")
            evidence = _evidence(Clip(header, pixels), backend)
            yield Example(f"phantom {seed} {name}", f"phantom {seed}", name == "upright", False, evidence)
    for folder, plax in FOLDERS.items() if data else ():
        assert data is not None
        for path in sorted(p for p in (data / folder).iterdir() if p.suffix not in (".json", ".txt", ".csv")):
            try:
                evidence = _evidence(open_clip(path), backend)
            except EchoKeypointsError:
                continue
            yield Example(f"{folder}/{path.name}", path.name.split("_")[0], plax, True, evidence)


def _evidence(clip: Clip | ClipSource, backend: Backend) -> NDArray[np.float64]:
    view = analyze_source(clip, backend=backend).quality["view"]
    return np.array([view["evidence"][name] for name in EVIDENCE])


def main(arguments: list[str] | None = None) -> None:
    """Fit the doubt about the view and write it; print how it does on clips of makers that it has not seen."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of real clips")
    parser.add_argument("--phantoms", type=int, default=16, metavar="N")
    parser.add_argument(
        "--models", type=Path, metavar="DIR", help="folder of the weights (default: the shipped)"
    )
    options = parser.parse_args(arguments)
    backend = load_backend("onnx", models_dir=options.models)
    examples = list(tqdm(examples_of(backend, options.data, options.phantoms), unit="clip"))
    scores = held_out_scores(examples)
    right = (scores >= 0.5) == np.array([example.plax for example in examples])
    for example, score in zip(examples, scores, strict=True):
        if example.real:
            print(
                f"{score:.2f} {'PLAX ' if example.plax else 'other'} {example.name:48} "
                + " ".join(f"{value:.2f}" for value in example.evidence)
            )
    told = []
    for real, kind in ((True, "real clips"), (False, "phantoms")):
        for plax, view in ((True, "PLAX"), (False, "other")):
            of_kind = np.array([e.real == real and e.plax == plax for e in examples])
            if of_kind.any():
                told.append(f"{view} {kind} {int(right[of_kind].sum())} of {int(of_kind.sum())}")
    fitted_on = "right on groups left out: " + ", ".join(told)
    model = fit_view(examples, fitted_on)
    print(fitted_on, dict(zip(EVIDENCE, model.weights, strict=True)), sep="\n")
    MODEL_FILE.write_text(model.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
