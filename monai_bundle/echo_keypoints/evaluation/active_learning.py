"""Does it pay to choose? Learning curves of strategies on phantoms: error against number of labelled clips.

The task is one that teams meet: most clips of a pool look as the detector knows them, a few come from a device
that shows the heart mirrored. A strategy picks clips, their landmarks are given, the detector is fine-tuned from the
shipped weights on all clips that have landmarks so far, and is scored on other clips of the same mixture. Before that,
without any training: how wrong is the detector on the clips that a strategy ranks first?

Run it as ``python -m echo_keypoints.evaluation.active_learning -o FOLDER``; half an hour on one CPU core.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from echo_keypoints.data.clips import LabelledFrames
from echo_keypoints.data.phantoms import PhantomFrames
from echo_keypoints.data.simulation import Phantom
from echo_keypoints.networks import SKNet, TRNet, load_weights
from echo_keypoints.readers import open_clip
from echo_keypoints.selection import STRATEGIES, ClipSignals, clip_signals, rank
from echo_keypoints.tracking import open_session
from echo_keypoints.tracking.backends import models_directory
from echo_keypoints.tracking.backends.base import model_file
from echo_keypoints.tracking.backends.torch_backend import SKNET, TRNET, TorchBackend
from echo_keypoints.training.fine_tuning import frozen_statistics
from echo_keypoints.training.sknet import SKNetObjective

_COLOURS = {"informed": "#1f6fb4", "random": "#8a8a8a", "all": "#d0d0d0"}
PHANTOM_SEED = 9_500_000
MIRRORED_EVERY = 4
FRAMES = 10
LABELLED_FRAMES = 4
BATCH_FRAMES = 2
FPS = 12.0


@dataclass(frozen=True)
class Protocol:
    """How large the experiment is.

    Attributes:
        pool, test: number of clips to choose from, and to score on.
        step, rounds: clips that are labelled in a round, and rounds.
        updates, learning_rate: of the fine-tuning in a round.
        repeats: pools, each with its own clips.
    """

    pool: int = 16
    test: int = 12
    step: int = 2
    rounds: int = 3
    updates: int = 20
    learning_rate: float = 2e-4
    repeats: int = 3


def make_clips(folder: Path, count: int, first_seed: int) -> list[dict[str, str]]:
    """Write phantom clips with labels on a few frames; every `MIRRORED_EVERY`-th is mirrored.

    Returns:
        Items ``{"image", "label"}``.
    """
    items = []
    for index in range(count):
        phantom = Phantom(first_seed + index)
        clip = phantom.render(np.arange(FRAMES) / FPS)
        video, points = clip.video, clip.points.copy()
        if index % MIRRORED_EVERY == 0:
            video = np.ascontiguousarray(video[:, :, ::-1])
            points[..., 0] = video.shape[2] - 1 - points[..., 0]
        path = folder / f"clip_{index:02d}.npz"
        np.savez_compressed(path, video=video, fps=FPS, mm_per_px=clip.mm_per_px)
        labelled = np.linspace(0, FRAMES - 1, LABELLED_FRAMES).round().astype(int)
        frames = {str(frame): points[frame].tolist() for frame in labelled}
        label = path.with_suffix(".json")
        label.write_text(json.dumps({"frames": frames}), encoding="utf-8")
        items.append({"image": str(path), "label": str(label)})
    return items


def fine_tune(items: Sequence[dict[str, str]], protocol: Protocol, seed: int) -> SKNet:
    """Fine-tune the shipped detector on labelled clips; without any it stays as it is.

    Every other update is on a fresh phantom of the kind that it was trained on, and the statistics of its batch
    normalisation stay as they are: else it would forget all others for the few clips that it sees.
    """
    network = load_weights(model_file(models_directory(), SKNET), SKNet)
    if not items:
        return network.eval()
    torch.manual_seed(seed)
    frames = LabelledFrames(items, BATCH_FRAMES, seed=seed)
    familiar = PhantomFrames(protocol.updates, BATCH_FRAMES, first_seed=PHANTOM_SEED + 900_000)
    objective = SKNetObjective(frozen_statistics(network), precision="float32").train()
    optimizer = torch.optim.AdamW(objective.parameters(), protocol.learning_rate)
    for update in range(protocol.updates):
        for group in optimizer.param_groups:  # linear decay to nothing
            group["lr"] = protocol.learning_rate * (1 - update / protocol.updates)
        item = (familiar if update % 2 else frames)[update // 2]
        batch = {name: value[None] for name, value in item.items()}
        optimizer.zero_grad()
        objective(batch)["loss"].backward()
        torch.nn.utils.clip_grad_norm_(objective.parameters(), 1.0)
        optimizer.step()
    return network.eval()


@torch.no_grad()
def errors_px(network: SKNet, items: Sequence[dict[str, str]]) -> NDArray[np.float64]:
    """Mean distance ``(N,)`` from the truth, of each clip, in model px."""
    objective = SKNetObjective(network, precision="float32").eval()
    frames = LabelledFrames(items, LABELLED_FRAMES, augment=False)
    errors = []
    for index in range(len(items)):
        batch = {name: value[None] for name, value in frames[index].items()}
        distances = (objective(batch)["points"] - batch["points"]).norm(dim=-1)
        errors.append(float(distances.mean()))
    return np.array(errors)


def signals_of(network: SKNet, trnet: TRNet, items: Sequence[dict[str, str]]) -> dict[str, ClipSignals]:
    """Signals of clips as the Label server computes them, by the path of the clip."""
    backend = TorchBackend(network, trnet)
    found = {}
    for item in items:
        with open_session(open_clip(item["image"]), backend) as session:
            found[item["image"]] = clip_signals(session, session.track())
    return found


def learning_curve(
    strategy: str,
    pool: Sequence[dict[str, str]],
    test: Sequence[dict[str, str]],
    protocol: Protocol,
    seed: int,
) -> list[dict[str, Any]]:
    """Label, fine-tune, score, and again.

    Returns:
        One point for each number of labelled clips: ``{"labelled", "error_px", "usual_px", "mirrored_px"}``.
    """
    trnet = load_weights(model_file(models_directory(), TRNET), TRNet).eval()
    chosen: list[dict[str, str]] = []
    curve = []
    for turn in range(protocol.rounds + 1):
        network = fine_tune(chosen, protocol, seed)
        errors = errors_px(network, test)
        mirrored = np.arange(len(test)) % MIRRORED_EVERY == 0
        curve.append(
            {
                "labelled": len(chosen),
                "error_px": float(errors.mean()),
                "usual_px": float(errors[~mirrored].mean()),
                "mirrored_px": float(errors[mirrored].mean()),
                "chosen": [Path(item["image"]).stem for item in chosen],
            }
        )
        if turn == protocol.rounds:
            break
        left = [item for item in pool if item not in chosen]
        known: dict[str, ClipSignals | None] = dict.fromkeys(item["image"] for item in left)
        labelled: list[ClipSignals] = []
        if strategy != "random":
            known = dict(signals_of(network, trnet, left))
            labelled = list(signals_of(network, trnet, chosen).values())
        order = [choice.clip for choice in rank(strategy, known, labelled, seed * 100 + turn)]
        by_path = {item["image"]: item for item in left}
        chosen += [by_path[path] for path in order[: protocol.step]]
    return curve


def first_choices(pool: Sequence[dict[str, str]], count: int, seeds: int = 50) -> dict[str, float]:
    """Ask what a strategy finds, without any training: the shipped detector's error on the clips it ranks first.

    Args:
        pool: clips with labels.
        count: how many of the first.
        seeds: draws of ``random``, whose mean counts.

    Returns:
        Strategy → mean error in model px; and ``all``, that of the whole pool.
    """
    network = fine_tune([], Protocol(), 0)
    trnet = load_weights(model_file(models_directory(), TRNET), TRNet).eval()
    error = dict(zip((item["image"] for item in pool), errors_px(network, pool), strict=True))
    known = dict(signals_of(network, trnet, pool))
    found = {"all": float(np.mean(list(error.values())))}
    for strategy in STRATEGIES:
        draws = range(seeds if strategy == "random" else 1)
        means = [
            np.mean([error[choice.clip] for choice in rank(strategy, known, seed=seed)[:count]])
            for seed in draws
        ]
        found[strategy] = float(np.mean(means))
    return found


def run(output: Path, protocol: Protocol, strategies: Sequence[str]) -> dict[str, Any]:
    """Run all curves, and write ``active_learning.json`` and ``active_learning.png`` after each repeat."""
    output.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    report: dict[str, Any] = {"protocol": asdict(protocol), "curves": [], "first_choices": []}
    for repeat in range(protocol.repeats):
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder)
            (made / "pool").mkdir()
            (made / "test").mkdir()
            first = PHANTOM_SEED + 1000 * repeat
            pool = make_clips(made / "pool", protocol.pool, first)
            test = make_clips(made / "test", protocol.test, first + 500)
            report["first_choices"].append(first_choices(pool, protocol.pool // MIRRORED_EVERY))
            print(report["first_choices"][-1], flush=True)
            for strategy in strategies:
                curve = learning_curve(strategy, pool, test, protocol, repeat)
                report["curves"].append({"strategy": strategy, "repeat": repeat, "points": curve})
                report["minutes"] = round((time.monotonic() - started) / 60, 1)
                print(strategy, repeat, [round(point["error_px"], 2) for point in curve], flush=True)
                text = json.dumps(report, indent=1) + "\n"
                (output / "active_learning.json").write_text(text, encoding="utf-8")
        plot(report, output / "active_learning.png")
    return report


def plot(report: dict[str, Any], path: Path) -> None:
    """Draw what each strategy ranks first, and the learning curves: thin for each pool, thick for the mean."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.8), dpi=110, layout="constrained")
    bars, curves = figure.subplots(1, 2)
    names = list(report["first_choices"][0])
    means = [float(np.mean([found[name] for found in report["first_choices"]])) for name in names]
    bars.barh(names[::-1], means[::-1], color=[_COLOURS.get(name, "#9db4c8") for name in names[::-1]])
    bars.set(xlabel="error of the clips ranked first, px at 224 (more is better)")
    bars.set_title("What a strategy finds", fontsize=10)
    for strategy in dict.fromkeys(curve["strategy"] for curve in report["curves"]):
        each = [c["points"] for c in report["curves"] if c["strategy"] == strategy]
        labelled = [point["labelled"] for point in each[0]]
        errors = np.array([[point["error_px"] for point in points] for points in each])
        colour = _COLOURS.get(strategy)
        curves.plot(labelled, errors.T, color=colour, linewidth=0.7, alpha=0.4)
        curves.plot(labelled, errors.mean(axis=0), color=colour, linewidth=2.2, marker="o", label=strategy)
    curves.set(xlabel="labelled clips", ylabel="error on other clips, px at 224")
    curves.set_ylim(0, 1.15 * curves.get_ylim()[1])
    curves.set_title(f"What it teaches ({report['protocol']['updates']} updates a round)", fontsize=10)
    curves.legend(frameon=False)
    curves.grid(alpha=0.25)
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `run`."""
    parser = argparse.ArgumentParser(description="Learning curves of the strategies, on phantoms.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the figures and the plot")
    for field in fields(Protocol):
        kind = type(field.default)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    parser.add_argument("--strategies", nargs="+", default=["random", "informed"])
    args = parser.parse_args(arguments)
    protocol = Protocol(**{field.name: getattr(args, field.name) for field in fields(Protocol)})
    run(args.output, protocol, args.strategies)


if __name__ == "__main__":
    main()
