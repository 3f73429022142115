"""What a training is asked to do: which network, on which clips, how long; and which clips validate it."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from echo_keypoints.data.phantoms import VALIDATION_SEED
from echo_keypoints.data.points import read_labels
from echo_keypoints.results import utc_now
from lib.catalogue import Catalogue
from lib.dicomweb_client import ArchiveError
from lib.labels import FINAL, LabelStore
from lib.models import ModelRegistry
from lib.refusal import Refusal
from lib.runs import Run

logger = logging.getLogger(__name__)

MODELS = {
    "sknet": "fine-tune the detector on the frames that people set",
    "placenet": "teach the second look at the tracks where people set the landmarks; it needs few labels",
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
    "seed": Option(0, 0, VALIDATION_SEED - 1),  # the phantom's training hearts begin there
}
OTHER_DEFAULTS = {"placenet": {"learning_rate": 5e-4}}
"""Of single networks."""


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
        labels = self._labels_of_people()
        train = self._items(self._catalogue.entries() if model == "trnet" else labels)
        labels = {clip: path for clip, path in labels.items() if clip in train}
        patients = {clip: self._catalogue.patient(clip) for clip in train}
        held_out = hold_out({patients[clip] for clip in labels})
        if held_out.issuperset(patients.values()):
            raise Refusal(422, "There are no clips to train with beside those that validate.")
        for number, (clip, path) in enumerate(labels.items()):
            kept = run.folder / "labels" / f"{number:06d}.json"
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(path.read_bytes())
            train[clip]["label"] = str(kept)
        order = {
            "model": model,
            "created_utc": utc_now(),
            "parent": serving,
            "parent_folder": str(self._models.files(serving)),
            "options": dict(options),
            "train": [item for clip, item in train.items() if patients[clip] not in held_out],
            "validate": [
                item for clip, item in train.items() if clip in labels and patients[clip] in held_out
            ],
        }
        run.write("order", order)

    def _labels_of_people(self) -> dict[str, Path]:
        """Clips with frames that a person set and accepted: id → label."""
        paths = {clip: self._labels.copy(clip, FINAL) for clip in self._catalogue.entries()}
        return {clip: path for clip, path in paths.items() if path.is_file() and read_labels(path)}

    def _items(self, clip_ids: Iterable[str]) -> dict[str, dict[str, str]]:
        """Id → item, of those clips that can be had."""
        items: dict[str, dict[str, str]] = {}
        missing = 0
        for clip_id in clip_ids:
            try:
                items[clip_id] = {"image": str(self._catalogue.file(clip_id))}
            except (Refusal, ArchiveError):  # one clip must not keep the others from being learnt
                missing += 1
        if missing:
            logger.warning("%d clips cannot be read; the training goes without them", missing)
        return items


def hold_out(patients: Collection[str], share: float = VALIDATION_SHARE) -> set[str]:
    """Choose patients for validation by a hash: the same ones as others are added, at least one.

    Args:
        patients: who have clips with labels.
        share: of the patients.

    Raises:
        Refusal: 422, there are less than two.
    """
    places = {patient: zlib.crc32(patient.encode()) / 2**32 for patient in patients}
    if len(places) < 2:
        raise Refusal(
            422,
            "Training needs final labels with landmarks set by a person in clips of two different patients or "
            f"more, one of them to validate with; there are {len(places)} such patients.",
        )
    lowest, highest = min(places.values()), max(places.values())
    return {patient for patient, place in places.items() if place == lowest or place < min(share, highest)}


def defaults(model: str) -> dict[str, float]:
    """Give the options that a network of `MODELS` is trained with if nobody says otherwise."""
    return {name: option.default for name, option in OPTIONS.items()} | OTHER_DEFAULTS.get(model, {})


def checked(model: str, options: Mapping[str, float]) -> dict[str, float]:
    """Fill in the defaults of a network; refuse unknown names and values out of range."""
    values = defaults(model)
    for name, value in options.items():
        option = OPTIONS.get(name)
        if option is None:
            raise Refusal(422, f"There is no option {name}; there are {', '.join(OPTIONS)}.")
        if not isinstance(value, (int, float)) or not option.low <= value <= option.high:
            raise Refusal(422, f"{name} must be a number from {option.low:.10g} to {option.high:.10g}.")
        values[name] = value
    return {name: value if name == "learning_rate" else int(value) for name, value in values.items()}
