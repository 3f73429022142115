"""What a training is asked to do: which network, on which clips, how long; and which clips validate it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from echo_keypoints.data.points import read_labels
from echo_keypoints.results import utc_now
from lib.catalogue import Catalogue
from lib.labels import FINAL, LabelStore
from lib.models import ModelRegistry
from lib.refusal import Refusal
from lib.runs import Run

MODELS = {
    "sknet": "fine-tune the detector on the frames that people set",
    "trnet": "fine-tune the tracker on all clips; it needs no labels to learn, some to be validated",
}
VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class Option:
    """A number that a client may choose: its default, and from where to where it may go."""

    default: float
    low: float
    high: float


OPTIONS = {
    "epochs": Option(8, 1, 1000),
    "epoch_items": Option(32, 1, 100_000),
    "batch_size": Option(2, 1, 64),
    "learning_rate": Option(2e-4, 1e-9, 0.1),
    "seed": Option(0, 0, 2**31 - 1),
}


class Orders:
    """Writes orders: a training works on what its folder holds, whatever happens to the labels meanwhile.

    Args:
        catalogue: of the clips.
        labels: of the clips.
        models: whose serving version is the parent of what is learnt.
    """

    def __init__(self, catalogue: Catalogue, labels: LabelStore, models: ModelRegistry) -> None:
        self._catalogue, self._labels, self._models = catalogue, labels, models

    def write(self, run: Run, model: str, options: Mapping[str, float]) -> None:
        """Write the order of a new run, with copies of the labels.

        Args:
            run: its folder does not exist yet.
            model: a name of `MODELS`.
            options: of all names of `OPTIONS`.

        Raises:
            Refusal: 422, there is too little to train or to validate with.
        """
        serving = self._models.serving
        labelled, everything = self._data()
        held_out = {patient(clip) for clip in hold_out(list(labelled))}
        train = labelled if model == "sknet" else everything
        if all(patient(clip) in held_out for clip in train):
            raise Refusal(422, "There are no clips to train with beside those that validate.")
        for number, item in enumerate(labelled.values()):
            kept = run.folder / "labels" / f"{number:06d}.json"
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(Path(item["label"]).read_bytes())
            item["label"] = str(kept)
        order = {
            "model": model,
            "created_utc": utc_now(),
            "parent": serving,
            "parent_folder": str(self._models.files(serving)),
            "options": dict(options),
            "train": [item for clip, item in train.items() if patient(clip) not in held_out],
            "validate": [item for clip, item in labelled.items() if patient(clip) in held_out],
        }
        run.write("order", order)

    def _data(self) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
        """Clips with accepted frames, and all clips: id → item."""
        everything = {clip: {"image": str(self._catalogue.file(clip))} for clip in self._catalogue.entries()}
        labelled = {
            clip_id: {**item, "label": str(path)}
            for clip_id, item in everything.items()
            if (path := self._labels.copy(clip_id, FINAL)).is_file() and read_labels(path)
        }
        if len({patient(clip_id) for clip_id in labelled}) < 2:
            raise Refusal(
                422,
                "Training needs final labels with landmarks set by a person in two clips of different patients "
                f"or more, one of them to validate with; there are {len(labelled)} such clips.",
            )
        return labelled, everything


def patient(clip_id: str) -> str:
    """What keeps the clips of a patient together: the first folder, else the clip itself."""
    return clip_id.split("/")[0]


def hold_out(clip_ids: list[str], share: float = VALIDATION_SHARE) -> list[str]:
    """Choose clips for validation by a hash of the patient: the same ones as clips are added, at least one.

    Args:
        clip_ids: clips with labels, of two patients or more.
        share: of the patients.
    """

    def place(clip_id: str) -> float:
        return zlib.crc32(patient(clip_id).encode()) / 2**32

    lowest, highest = min(map(place, clip_ids)), max(map(place, clip_ids))
    return [
        clip_id for clip_id in clip_ids if place(clip_id) == lowest or place(clip_id) < min(share, highest)
    ]


def checked(options: Mapping[str, float]) -> dict[str, float]:
    """Fill in the defaults; refuse unknown names and values out of range."""
    values: dict[str, float] = {name: option.default for name, option in OPTIONS.items()}
    for name, value in options.items():
        option = OPTIONS.get(name)
        if option is None:
            raise Refusal(422, f"There is no option {name}; there are {', '.join(OPTIONS)}.")
        if not isinstance(value, (int, float)) or not option.low <= value <= option.high:
            raise Refusal(422, f"{name} must be a number from {option.low:g} to {option.high:g}.")
        values[name] = value
    return {name: value if name == "learning_rate" else int(value) for name, value in values.items()}
