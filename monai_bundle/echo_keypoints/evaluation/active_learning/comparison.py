"""Strategies against chance, pair by pair on the same pools; and the plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

BASELINE = "random"
_COLOURS = {"informed": "#1f6fb4", BASELINE: "#8a8a8a", "all": "#d0d0d0"}

Curve = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Gain:
    """By how much a strategy is better than `BASELINE`, in px of model space; positive is better.

    Attributes:
        mean: over the pools.
        low, high: 95 % interval of Student's t over the pools; NaN for fewer than two.
        pools: how many.
        better: in how many of them.
    """

    mean: float
    low: float
    high: float
    pools: int
    better: int


def gain(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> Gain:
    """Compare errors ``(pools,)`` of a strategy with those of the baseline on the same pools."""
    differences = theirs - ours
    count, mean = len(differences), float(differences.mean())
    half = float("nan")
    if count > 1:
        half = float(stats.t.ppf(0.975, count - 1) * differences.std(ddof=1) / np.sqrt(count))
    return Gain(mean, mean - half, mean + half, count, int((differences > 0).sum()))


def clips_needed(labelled: Sequence[float], errors: Sequence[float], level: float) -> float | None:
    """Number of labelled clips at which a falling curve first reaches an error, between its points by a straight line.

    Returns:
        None if it never does.
    """
    for i, error in enumerate(errors):
        if error <= level:
            if i == 0:
                return float(labelled[0])
            share = (errors[i - 1] - level) / (errors[i - 1] - error)
            return float(labelled[i - 1] + share * (labelled[i] - labelled[i - 1]))
    return None


def compare(curves: Mapping[str, Mapping[int, Curve]]) -> dict[str, Any]:
    """Compare all strategies with the baseline, on the pools that both have.

    Args:
        curves: strategy → repeat → curve (`curves.learning_curve`).

    Returns:
        Strategy → ``{"over_the_curve", "at_the_end", "level_px", "clips_needed", "baseline_clips_needed"}``: `Gain`
        of the mean error of all points with labels (the primary measure), and of the last one; and how many
        labelled clips the mean curves need to reach the lowest error of the strategy's; None: not with so many.
    """
    found: dict[str, Any] = {}
    for strategy, mine in curves.items():
        pools = sorted(set(mine) & set(curves.get(BASELINE, {})))
        if strategy == BASELINE or not pools:
            continue
        ours, theirs = (_errors(curves[name], pools) for name in (strategy, BASELINE))
        labelled = [point["labelled"] for point in mine[pools[0]]]
        level = float(ours.mean(axis=0).min())
        found[strategy] = {
            "over_the_curve": asdict(gain(ours[:, 1:].mean(axis=1), theirs[:, 1:].mean(axis=1))),
            "at_the_end": asdict(gain(ours[:, -1], theirs[:, -1])),
            "level_px": level,
            "clips_needed": clips_needed(labelled, list(ours.mean(axis=0)), level),
            "baseline_clips_needed": clips_needed(labelled, list(theirs.mean(axis=0)), level),
        }
    return found


def plot(
    curves: Mapping[str, Mapping[int, Curve]], found: Sequence[Mapping[str, float]], title: str, path: Path
) -> None:
    """Draw what each strategy ranks first, and the learning curves: thin for each pool, thick for the mean.

    Args:
        curves: as `compare`.
        found: of each pool, as `curves.first_choices`.
        title: of the learning curves.
        path: of the picture.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.8), dpi=110, layout="constrained")
    bars, lines = figure.subplots(1, 2)
    names = list(found[0])
    means = [float(np.mean([one[name] for one in found])) for name in names]
    bars.barh(names[::-1], means[::-1], color=[_COLOURS.get(name, "#9db4c8") for name in names[::-1]])
    bars.set(xlabel="error of the clips ranked first, px at 224 (more is better)")
    bars.set_title("What a strategy finds", fontsize=10)
    for strategy, mine in curves.items():
        errors = _errors(mine, sorted(mine))
        labelled = [point["labelled"] for point in next(iter(mine.values()))]
        colour = _COLOURS.get(strategy)
        (line,) = lines.plot(
            labelled, errors.mean(axis=0), color=colour, linewidth=2.2, marker="o", label=strategy
        )
        lines.plot(labelled, errors.T, color=line.get_color(), linewidth=0.6, alpha=0.35)
    lines.set(xlabel="labelled clips", ylabel="error on other clips, px at 224")
    lines.set_ylim(0, 1.15 * lines.get_ylim()[1])
    lines.set_title(title, fontsize=10)
    lines.legend(frameon=False)
    lines.grid(alpha=0.25)
    figure.savefig(path)


def _errors(curves: Mapping[int, Curve], pools: Sequence[int]) -> NDArray[np.float64]:
    return np.array([[point["error_px"] for point in curves[pool]] for pool in pools])
