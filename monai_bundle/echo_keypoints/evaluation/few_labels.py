"""What do a few labelled frames buy? PlaceNet or the detector, fine-tuned on 1, 2, 4, 8 of them, scored on others.

Clips of one patient are never on both sides. Where a patient has several clips, a second task asks what labels of one
of them buy on the others: the same machine, and the same heart. The tuned weights are thrown away.

``python -m echo_keypoints.evaluation.few_labels --data FOLDER -o FILE.json`` prints tables; the folder is the one of
``echo-keypoints evaluate``. A PlaceNet that was taught places the tracks of the detector as it is; a detector that was
fine-tuned goes without PlaceNet, which knows nothing of what was learnt.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from echo_keypoints.clip import ClipHeader
from echo_keypoints.errors import ClipError, EchoKeypointsError
from echo_keypoints.evaluation.active_learning.curves import shipped
from echo_keypoints.evaluation.cases import Case
from echo_keypoints.evaluation.datasets import annotated_clips
from echo_keypoints.evaluation.scores import score
from echo_keypoints.networks import PlaceNet, SKNet, TRNet, load_weights
from echo_keypoints.readers.dicom_study import find_study
from echo_keypoints.results import atomic_path
from echo_keypoints.tracking import open_session
from echo_keypoints.tracking.backends.base import model_file, models_directory
from echo_keypoints.tracking.backends.torch_backend import PLACENET, TorchBackend
from echo_keypoints.training.fine_tuning import fine_tuned, taught

REHEARSAL_SEED = 7_000_000
NETWORKS = ("placenet", "sknet")
METRICS = ("mpe_px", "across_percent", "lvid_percent")
OTHER_PATIENTS, SAME_PATIENT = "other patients", "same patient, another clip"


@dataclass(frozen=True)
class Protocol:
    """What is measured; fixed before a run.

    Attributes:
        network: one of `NETWORKS`.
        counts: labelled frames, ascending.
        draws: how often they are drawn anew.
        updates, learning_rate: of each fine-tuning.
    """

    network: str = "placenet"
    counts: tuple[int, ...] = (1, 2, 4, 8)
    draws: int = 3
    updates: int = 60
    learning_rate: float = 5e-4


@dataclass(frozen=True)
class Outcome:
    """One set of weights, tracked end to end on the clips of one task.

    Attributes:
        task: `OTHER_PATIENTS` or `SAME_PATIENT`.
        held_out: whose clips, or which clips, were scored.
        labelled, draw: number of labelled frames, and which drawing of them.
        scores: metric (`METRICS`) → mean over the clips.
    """

    task: str
    held_out: str
    labelled: int
    draw: int
    scores: dict[str, float]


@dataclass(frozen=True, eq=False)
class Task:
    """Where labels come from, and what is scored.

    Attributes:
        kind: `OTHER_PATIENTS` or `SAME_PATIENT`.
        held_out: whose clips, or which clips, are scored.
        pool: clips whose frames may be labelled.
        test: clips to score on.
    """

    kind: str
    held_out: str
    pool: tuple[Case, ...]
    test: tuple[Case, ...]


def patient_of(path: Path, header: ClipHeader) -> str:
    """Whose clip it is: DICOM's Patient ID; without one, every clip is a patient of its own."""
    study = find_study(path, header)
    return str((study.identity.get("PatientID") if study else None) or path.stem)


def split_by_patient(annotations: Path) -> list[Task]:
    """Every patient is held out once; where one has several clips, each of these is held out from the others, too.

    Raises:
        ClipError: annotations or clips cannot be read, or all clips are of one patient.
    """
    names = list(json.loads(annotations.read_text(encoding="utf-8")))
    cases = [load() for load in annotated_clips(annotations).cases]
    patients = [
        patient_of(annotations.parent / name, case.clip.header)
        for name, case in zip(names, cases, strict=True)
    ]
    by_patient = {p: tuple(c for c, q in zip(cases, patients, strict=True) if q == p) for p in patients}
    if len(by_patient) < 2:
        raise ClipError(f"{annotations.name} needs clips of two patients at least.")
    tasks = []
    for number, (patient, test) in enumerate(by_patient.items(), 1):  # numbered: reports name nobody
        pool = tuple(case for other, theirs in by_patient.items() if other != patient for case in theirs)
        tasks.append(Task(OTHER_PATIENTS, f"patient {number}", pool, test))
        if len(test) > 1:
            for case in test:
                rest = tuple(other for other in test if other is not case)
                tasks.append(Task(SAME_PATIENT, f"patient {number}, {case.name}", rest, (case,)))
    return tasks


def outcomes(annotations: Path, protocol: Protocol, models: Path | None = None) -> Iterator[Outcome]:
    """Measure, task by task; the first outcome of each is of the weights as they are, with no labelled frame.

    Args:
        annotations: as for `datasets.annotated_clips`.
        protocol: how much.
        models: folder of the weights; the shipped ones by default.

    Raises:
        ClipError: annotations or clips cannot be read.
        ModelError: weights are missing.
    """
    networks = _networks(protocol, models)
    for task in split_by_patient(annotations):
        yield Outcome(task.kind, task.held_out, 0, 0, _scores(networks, task.test))
        frames = [(case, frame) for case in task.pool for frame in case.frames]
        for count in (c for c in protocol.counts if c <= len(frames)):
            for draw in range(protocol.draws):
                rng = np.random.default_rng((count, draw))
                chosen = [frames[i] for i in sorted(rng.choice(len(frames), count, replace=False))]
                tuned = _tuned(networks, annotations.parent, chosen, protocol, draw)
                yield Outcome(task.kind, task.held_out, count, draw, _scores(tuned, task.test))


def to_markdown(found: Sequence[Outcome]) -> str:
    """One table for each kind of task: mean over what was held out and over draws; in brackets best and worst draw."""
    lines: list[str] = []
    for kind in dict.fromkeys(outcome.task for outcome in found):
        mine = [outcome for outcome in found if outcome.task == kind]
        lines += [
            f"### {kind[0].upper()}{kind[1:]}",
            "",
            "| labelled frames | px | across % | LVID % |",
            "|---|---|---|---|",
        ]
        for count in sorted({outcome.labelled for outcome in mine}):
            cells = [_cell([o for o in mine if o.labelled == count], metric) for metric in METRICS]
            lines.append(f"| {count} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _cell(outcomes_: Sequence[Outcome], metric: str) -> str:
    draws = {
        draw: float(np.mean([o.scores[metric] for o in outcomes_ if o.draw == draw]))
        for draw in {o.draw for o in outcomes_}
    }
    values = list(draws.values())
    spread = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
    return f"{np.mean(values):.1f}{spread}"


@dataclass(frozen=True)
class _Networks:
    sknet: SKNet
    trnet: TRNet
    placenet: PlaceNet | None


def _networks(protocol: Protocol, models: Path | None) -> _Networks:
    sknet, trnet = shipped(models)
    if protocol.network == "sknet":
        return _Networks(sknet, trnet, None)
    path = model_file(models or models_directory(), PLACENET)
    return _Networks(sknet, trnet, load_weights(path, PlaceNet))


def _tuned(
    networks: _Networks, clips: Path, chosen: Sequence[tuple[Case, int]], protocol: Protocol, seed: int
) -> _Networks:
    with tempfile.TemporaryDirectory() as folder:
        data = []
        for case in dict.fromkeys(case for case, _ in chosen):
            marks = {str(f): case.truth[case.position(f)].tolist() for c, f in chosen if c is case}
            label = Path(folder) / f"{case.name}.json"
            label.write_text(json.dumps({"frames": marks}), encoding="utf-8")
            data.append({"image": str(clips / case.clip.header.source), "label": str(label)})
        updates, rate = protocol.updates, protocol.learning_rate
        if networks.placenet:
            learnt = taught(networks.placenet, data, updates=updates, learning_rate=rate, seed=seed)
            return replace(networks, placenet=learnt)
        sknet = fine_tuned(
            networks.sknet,
            data,
            updates=updates,
            learning_rate=rate,
            seed=seed,
            rehearsal_seed=REHEARSAL_SEED + 1000 * seed,
        )
        return replace(networks, sknet=sknet)


def _scores(networks: _Networks, cases: Sequence[Case]) -> dict[str, float]:
    backend = TorchBackend(networks.sknet, networks.trnet, placenet=networks.placenet)
    each = []
    for case in cases:
        with open_session(case.clip, backend) as session:
            tracking = session.track()
        points = case.box.to_model(tracking.points_px)
        each.append(score(case, points, tracking.reference_frame, given=False))
    return {metric: float(np.mean([scores[metric] for scores in each])) for metric in METRICS}


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of `outcomes`."""
    parser = argparse.ArgumentParser(description="What a few labelled frames buy, split by patient.")
    parser.add_argument("--data", type=Path, required=True, help="folder with plax/annotations.json")
    parser.add_argument("--models", type=Path, help="folder of the weights; the shipped ones by default")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file of all outcomes")
    parser.add_argument("--network", choices=NETWORKS, default=Protocol.network)
    parser.add_argument("--counts", type=int, nargs="+", default=list(Protocol.counts))
    parser.add_argument("--draws", type=int, default=Protocol.draws)
    parser.add_argument("--updates", type=int, default=Protocol.updates)
    args = parser.parse_args(arguments)
    protocol = Protocol(args.network, tuple(args.counts), args.draws, args.updates)
    found: list[Outcome] = []
    try:
        for outcome in outcomes(args.data / "plax" / "annotations.json", protocol, args.models):
            found.append(outcome)
            print(outcome, flush=True)
            document = {"protocol": asdict(protocol), "outcomes": [asdict(o) for o in found]}
            with atomic_path(args.output) as part:
                part.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    except EchoKeypointsError as error:
        parser.exit(2, f"{error}\n")
    print(to_markdown(found))


if __name__ == "__main__":
    main()
