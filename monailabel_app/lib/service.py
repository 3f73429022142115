"""`Service`: what the server does, free of HTTP: clips with their labels, saving, choosing, analysing."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from echo_keypoints._version import __version__
from echo_keypoints.results import AnalysisResult, from_document, landmark_origins, plain, to_document
from echo_keypoints.selection import STRATEGIES, frame_hints, rank
from echo_keypoints.tracking import Anchor
from lib.catalogue import Catalogue, Entry
from lib.inference import TASKS, Inference, Query, check_task
from lib.jobs import Job, Jobs, Progress
from lib.labels import FINAL, MODEL, ORIGINAL, LabelStore, Version, check_tag, checked
from lib.locks import Locks
from lib.models import ModelRegistry
from lib.refusal import Refusal
from lib.scoring import score_labels
from lib.sessions import SessionCache
from lib.settings import Settings
from lib.survey import Survey
from lib.training import Trainings

logger = logging.getLogger(__name__)

API = 1
BATCH = 32
"""Clips that are analysed by one request, at most."""


class Service:
    """Everything behind the door.

    Args:
        catalogue: of the clips.
        settings: of the server.
    """

    def __init__(self, catalogue: Catalogue, settings: Settings) -> None:
        self.catalogue, self.settings = catalogue, settings
        self.labels = LabelStore(catalogue.labels)
        self.locks = Locks(catalogue.state / "locks.json")
        self.models = ModelRegistry(catalogue.state / "models", settings)
        self.jobs = Jobs(settings.workers)
        self.inference = Inference(catalogue, self.models, SessionCache(settings.cache_bytes))
        self.survey = Survey(catalogue.state / "signals", self.inference, self.models, self.jobs.idle)
        self.trainings = Trainings(catalogue, self.labels, self.models, settings)
        self._batching = threading.Lock()
        repaired = self.labels.repair(sorted(catalogue.entries()))
        if repaired:
            logger.info("%d copies of labels were made anew", repaired)

    # --- clips

    def info(self) -> dict[str, Any]:
        """Tell what the server is; see `LabelClient.info`."""
        version, backend = self.models.backend()
        return {
            "name": "EchoKeypoints Label (research use only)",
            "version": __version__,
            "api": API,
            "backend": backend.name,
            "model_version": version,
            "tasks": list(TASKS),
            "strategies": dict(STRATEGIES),
            "clips": self.counts(),
            "training": self.trainings.status()["state"],
        }

    def counts(self) -> dict[str, int]:
        """Count the clips by state."""
        entries = self.catalogue.known()
        states = [self.state(clip_id) for clip_id in entries]
        locked = sum(self.locks.holder(clip_id) is not None for clip_id in entries)
        return {
            "total": len(states),
            **{s: states.count(s) for s in (FINAL, ORIGINAL, "new")},
            "locked": locked,
        }

    def state(self, clip_id: str) -> str:
        """The best label of a clip: ``final``, ``original``, or ``new`` for none."""
        for tag in (FINAL, ORIGINAL):
            if self.labels.copy(clip_id, tag).is_file():
                return tag
        return "new"

    def clips(self) -> list[dict[str, Any]]:
        """List all clips; see `ClipRecord`."""
        entries = self.catalogue.entries()
        return [self._clip(entries[clip_id]) for clip_id in sorted(entries)]

    def clip(self, clip_id: str) -> dict[str, Any]:
        """Tell about one clip; see `ClipRecord`."""
        return self._clip(self.inference.entry(clip_id))

    def _clip(self, entry: Entry) -> dict[str, Any]:
        versions = self.labels.versions(entry.id)
        lock = self.locks.holder(entry.id)
        return {
            "id": entry.id,
            "source": entry.source,
            "frame_count": entry.header.frame_count,
            "height": entry.header.height,
            "width": entry.header.width,
            "spacing_mm": plain(entry.header.spacing_mm),
            "bytes": entry.bytes,
            "state": self.state(entry.id),
            "version": versions[-1].version if versions else 0,
            "versions": [asdict(version) for version in versions],
            "lock": lock.to_document() if lock else None,
        }

    # --- labels

    def label(
        self, clip_id: str, tag: str | None, annotator: str | None, version: int | None
    ) -> dict[str, Any]:
        """Load a label; see `SavedLabel`."""
        self.inference.entry(clip_id)
        info = self.labels.find(clip_id, tag and check_tag(tag), annotator, version)
        document = self.labels.load(clip_id, info.version)
        return {
            "info": asdict(info),
            "result": document,
            "origin": landmark_origins(from_document(document)),
        }

    def save(
        self,
        clip_id: str,
        document: Mapping[str, Any],
        *,
        tag: str,
        annotator: str,
        base_version: int | None,
        independent: bool = False,
    ) -> Version:
        """Save what a person made of a clip.

        Raises:
            Refusal: it is another clip's, somebody else holds the clip, or saved it meanwhile.
        """
        entry = self.inference.entry(clip_id)
        check_tag(tag)
        if not independent:
            self.locks.check(clip_id, annotator)
        self._check_fits(entry, checked(document))
        info = self.labels.save(
            clip_id,
            document,
            tag=tag,
            annotator=annotator,
            base_version=base_version,
            model_version=self.models.serving,
            independent=independent,
        )
        logger.info("clip %s: version %d (%s) saved", mark(clip_id), info.version, tag)
        if tag == FINAL:
            self.catalogue.accept(clip_id, checked(document))
        return info

    def _check_fits(self, entry: Entry, result: AnalysisResult) -> None:
        facts, header = result.clip, entry.header
        if (facts.frame_count, facts.height, facts.width) != (
            header.frame_count,
            header.height,
            header.width,
        ):
            raise Refusal(422, "That result is of another clip: frames or size of the image differ.")
        digest = self.inference.digests.of(self.catalogue.file(entry.id))
        if result.clip_sha256 not in (None, digest):
            raise Refusal(422, "That result is of another clip, or of another state of its file.")

    # --- inference

    def analyse(
        self,
        task: str,
        clip_id: str,
        *,
        anchors: Sequence[Anchor] = (),
        query: Query | None = None,
        reference: str | int = "confidence",
        save: bool = False,
    ) -> Job:
        """Start an analysis. Refinement of a clip that is ready goes past the others.

        Args:
            task: a name of `inference.TASKS`.
            clip_id: the clip.
            anchors, query, reference: see `Inference.run`.
            save: keep the result as ``original``.
        """
        check_task(task, anchors)
        self.inference.entry(clip_id)
        if save and (anchors or query):
            raise Refusal(422, "Only a result without a person's points is kept as the original.")

        def work(progress: Progress) -> dict[str, Any]:
            result = self.inference.run(
                task, clip_id, progress, anchors=anchors, query=query, reference=reference
            )
            document = to_document(result)
            if save:
                self.save_original(clip_id, document)
            return document

        return self.jobs.submit(work, quick=self.inference.ready(clip_id), clip=clip_id if save else None)

    def analyse_new(self, task: str) -> dict[str, Any]:
        """Start the analysis of clips that have no label, but for those under way, and keep the originals."""
        with self._batching:
            under_way = self.jobs.clips()
            entries = sorted(self.catalogue.entries())
            new = [clip for clip in entries if self.state(clip) == "new" and clip not in under_way]
            jobs = [self.analyse(task, clip, save=True).id for clip in new[:BATCH]]
        return {"jobs": jobs, "waiting": len(new) - len(jobs)}

    def save_original(self, clip_id: str, document: Mapping[str, Any]) -> Version:
        """Keep what the networks found."""
        return self.labels.save(
            clip_id,
            document,
            tag=ORIGINAL,
            annotator=MODEL,
            base_version=None,
            model_version=self.models.serving,
        )

    # --- active learning

    def next_sample(
        self, strategy: str, annotator: str, seed: int | None = None, wait_s: float = 20.0
    ) -> dict[str, Any]:
        """Choose the clip to annotate next; see `NextSample`.

        Clips that are final, or locked by somebody else, are passed over.
        """
        entries = sorted(self.catalogue.entries())
        done = [clip_id for clip_id in entries if self.state(clip_id) == FINAL]
        holders = {clip_id: self.locks.holder(clip_id) for clip_id in entries}
        taken = [c for c, lock in holders.items() if c not in done and lock and lock.annotator != annotator]
        free = [clip_id for clip_id in entries if clip_id not in done and clip_id not in taken]
        known = dict.fromkeys(entries)
        if strategy not in ("first", "random"):
            known = self.survey.signals(free + done, wait_s) if strategy in STRATEGIES and free else known
        labelled = [signals for clip_id in done if (signals := known.get(clip_id))]
        ranking = rank(strategy, {clip_id: known[clip_id] for clip_id in free}, labelled, seed or 0)
        passed = f"{len(done)} final and {len(taken)} locked clips were passed over."
        if not ranking:
            return {
                "clip": None, "strategy": strategy, "score": None, "frames": [], "remaining": 0,
                "explanation": f"Nothing is left to annotate. {passed}",
            }  # fmt: skip
        best = ranking[0]
        signals = known[best.clip] or self.survey.signals([best.clip], wait_s)[best.clip]
        seen = sum(known[clip_id] is not None for clip_id in free)
        looked = "" if strategy in ("first", "random") else f" Chosen from {seen} of {len(free)} clips."
        return {
            "clip": self.clip(best.clip),
            "strategy": strategy,
            "score": best.score,
            "explanation": f"{best.reason}{looked} {passed}",
            "frames": [asdict(hint) for hint in frame_hints(signals)] if signals else [],
            "remaining": len(free),
        }

    # --- models and scores

    def model_versions(self) -> list[dict[str, Any]]:
        """List the model versions; see `ModelVersion`."""
        return [self._model(facts) for facts in self.models.versions()]

    def serve_model(self, version: int) -> dict[str, Any]:
        """Let a version serve."""
        facts = self.models.serve(version)
        logger.info("model version %d serves", version)
        return self._model(facts)

    def _model(self, facts: Any) -> dict[str, Any]:
        document = asdict(facts)
        del document["accepted"], document["run"]
        return document | {"state": self.models.state(facts)}

    def scores(self) -> dict[str, Any]:
        """Score all labels; see docs/annotation.md."""
        return score_labels(self.labels, sorted(self.catalogue.entries()))


def mark(clip_id: str) -> str:
    """Name a clip in the log: names of files may hold names of patients."""
    return hashlib.sha256(clip_id.encode()).hexdigest()[:8]
