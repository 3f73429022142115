"""What an archive's clips ask of the server: patients, clips that cannot be had, the survey, the outbox."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from archive import SmallArchive
from serving import APP

sys.path.insert(0, str(APP))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from echo_keypoints.results import to_document
from echo_keypoints.tracking import Anchor
from example_results import make_result
from lib import survey as survey_module
from lib.dicomweb import DicomWebCatalogue
from lib.dicomweb_client import DicomWeb
from lib.inference import Inference
from lib.labels import LabelStore
from lib.models import ModelRegistry
from lib.orders import Orders, defaults
from lib.refusal import Refusal
from lib.runs import Run
from lib.sessions import SessionCache
from lib.settings import Settings
from lib.survey import Survey

SETTINGS = Settings(engine="onnx", threads=1)


@pytest.fixture
def archive() -> Iterator[SmallArchive]:
    archive = SmallArchive()
    yield archive
    archive.stop()


def catalogue_of(archive: SmallArchive, state: Path) -> DicomWebCatalogue:
    return DicomWebCatalogue(DicomWeb(archive.url), state)


def label(store: LabelStore, *clips: str) -> None:
    """A person's final label on each clip."""
    document = to_document(make_result(anchors=(Anchor(2, np.ones((4, 2))),)))
    for clip in clips:
        store.save(clip, document, tag="final", annotator="anna", base_version=None, model_version=0)


def order(catalogue: DicomWebCatalogue, store: LabelStore, run: Path, model: str) -> dict[str, set[str]]:
    """Write an order; give the clips of its two parts."""
    orders = Orders(catalogue, store, ModelRegistry(catalogue.state / "models", SETTINGS))
    orders.write(Run(run), model, defaults(model))
    document = Run(run).read("order")
    return {part: {Path(item["image"]).stem for item in document[part]} for part in ("train", "validate")}


def test_cines_of_one_study_never_validate_each_other(archive: SmallArchive, tmp_path: Path) -> None:
    studies = {study: {archive.add(study, 10 * n + i, tmp_path) for i in range(3)} for n, study in
               enumerate(("1.2", "1.3"))}  # fmt: skip
    catalogue = catalogue_of(archive, tmp_path / "state")
    store = LabelStore(catalogue.labels)
    label(store, *studies["1.2"])
    with pytest.raises(Refusal, match=r"two different patients or more.*there are 1 such"):
        order(catalogue, store, tmp_path / "0001-sknet", "sknet")
    label(store, *studies["1.3"])
    for number, model in enumerate(("sknet", "placenet", "trnet")):
        parts = order(catalogue, store, tmp_path / f"run{number}", model)
        assert list(studies.values()) in (
            [parts["train"], parts["validate"]],
            [parts["validate"], parts["train"]],
        )


def test_a_clip_that_cannot_be_read_blocks_no_training(archive: SmallArchive, tmp_path: Path) -> None:
    first, second, plain, broken = (archive.add(f"1.{n}", n, tmp_path) for n in range(2, 6))
    archive.content["1.5", broken] = b"\0" * 128 + b"DICM but no more"
    catalogue = catalogue_of(archive, tmp_path / "state")
    store = LabelStore(catalogue.labels)
    label(store, first, second)
    parts = order(catalogue, store, tmp_path / "run1", "sknet")
    assert parts["train"] | parts["validate"] == {first, second}
    assert sorted(archive.fetched) == sorted([first, second])  # no other clip is needed
    parts = order(catalogue, store, tmp_path / "run2", "trnet")
    assert parts["train"] | parts["validate"] == {first, second, plain}
    label(store, broken)
    parts = order(catalogue, store, tmp_path / "run3", "sknet")
    assert parts["train"] | parts["validate"] == {first, second}


def test_a_clip_is_surveyed_once_and_again_after_the_archive_was_away(
    archive: SmallArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey_module, "RETRY_S", 0.2)
    clip = archive.add("1.2", 1, tmp_path)
    catalogue = catalogue_of(archive, tmp_path / "state")
    models = ModelRegistry(tmp_path / "models", SETTINGS)
    inference = Inference(catalogue, models, SessionCache(1 << 30))
    survey = Survey(tmp_path / "signals", inference, models, lambda: True)
    archive.away = True
    assert survey.signals([clip], wait_s=1.0) == {clip: None}
    archive.away = False
    time.sleep(0.3)
    assert survey.signals([clip], wait_s=120.0)[clip] is not None
    assert len(list((tmp_path / "signals").iterdir())) == 1


def test_reports_are_sent_once_by_many_at_once(archive: SmallArchive, tmp_path: Path) -> None:
    archive.slow_s = 0.1
    catalogue = catalogue_of(archive, tmp_path / "state")
    outbox = tmp_path / "state/outbox"
    for name in "abc":
        (outbox / f"{name}.dcm").write_bytes(name.encode())
    failed: list[Exception] = []

    def send() -> None:
        try:
            catalogue._send()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and len(archive.stored) == 3 and not list(outbox.iterdir())
