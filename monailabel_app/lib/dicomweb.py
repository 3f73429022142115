"""`DicomWebCatalogue`: the ultrasound cines of a DICOM archive, one clip for each instance, pixels as they are."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from echo_keypoints.clip import ClipHeader
from echo_keypoints.errors import ResultError
from echo_keypoints.readers.dicom_study import read_study
from echo_keypoints.results import AnalysisResult, atomic_path
from echo_keypoints.writers.structured_report import write_sr
from lib.catalogue import Entry, read_entry
from lib.dicomweb_client import ArchiveError, DicomWeb
from lib.refusal import Refusal, not_found
from lib.settings import Settings

logger = logging.getLogger(__name__)

MODALITY = "US"
REFRESH_S = 30.0
_INSTANCE, _STUDY, _SERIES = "00080018", "0020000D", "0020000E"
_FRAMES, _ROWS, _COLUMNS = "00280008", "00280010", "00280011"


class DicomWebCatalogue:
    """Clips of an archive. An id is a SOP instance UID: studies hold many cines in one series.

    Files are fetched when first needed and kept in the state folder. A final label is kept there as JSON, and goes to
    the archive as a structured report; while the archive cannot be reached, reports wait in an outbox.

    Args:
        archive: to search, fetch and store.
        state: folder of cache, labels, outbox and all else.
    """

    def __init__(self, archive: DicomWeb, state: Path) -> None:
        self._archive = archive
        self.state = state
        self.labels, self.incoming = state / "labels", state / "incoming"
        self._cache, self._outbox = state / "cache", state / "outbox"
        for folder in (self._cache, self._outbox):
            folder.mkdir(parents=True, exist_ok=True)
        self._entries: dict[str, Entry] = {}
        self._places: dict[str, tuple[str, str]] = {}  # instance → study, series
        self._lock = threading.Lock()
        self._fetching = threading.Lock()
        self._sending = threading.Lock()
        self._looked = -float("inf")
        self._look()

    @classmethod
    def open(cls, url: str, settings: Settings) -> DicomWebCatalogue:
        """Open an archive by its address.

        Name and password come from ``MONAI_LABEL_DICOMWEB_USERNAME`` and ``MONAI_LABEL_DICOMWEB_PASSWORD``.

        Raises:
            ArchiveError: it cannot be reached.
        """
        name = os.environ.get("MONAI_LABEL_DICOMWEB_USERNAME", "")
        user = (name, os.environ.get("MONAI_LABEL_DICOMWEB_PASSWORD", "")) if name else None
        key = hashlib.sha256(url.encode()).hexdigest()[:12]
        home = Path.home() / ".local/share/echo-keypoints" / key
        return cls(DicomWeb(url, user), settings.state or home)

    def entries(self) -> dict[str, Entry]:
        """See `Catalogue.entries`; when the archive is away, those that were known before."""
        with self._lock:
            if time.monotonic() - self._looked > REFRESH_S:
                try:
                    self._look()
                except ArchiveError as error:
                    logger.warning("%s", error)
                    self._looked = time.monotonic()
            return dict(self._entries)

    def known(self) -> dict[str, Entry]:
        """See `Catalogue.known`."""
        return dict(self._entries)

    def entry(self, clip_id: str) -> Entry:
        """See `Catalogue.entry`: instances never change."""
        entry = self._entries.get(clip_id) or self.entries().get(clip_id)
        if entry is None:
            raise not_found("clip")
        return entry

    def patient(self, clip_id: str) -> str:
        """See `Catalogue.patient`: the study, which holds many cines of one patient."""
        return self._place(clip_id)[0]

    def file(self, clip_id: str) -> Path:
        """See `Catalogue.file`: fetched once.

        Raises:
            Refusal: 404, there is no such clip; 422, it is no clip after all.
            ArchiveError: the archive cannot be reached.
        """
        place, path = self._place(clip_id), self._cache / f"{clip_id}.dcm"
        with self._fetching:
            if not path.is_file():
                with atomic_path(path) as part:
                    self._archive.fetch(*place, clip_id, part)
            if not self.entry(clip_id).bytes:
                self._learn(clip_id, path)
        return path

    def add(self, name: str, part: Path) -> Entry:
        """Refuse: clips come into an archive by other ways."""
        raise Refusal(405, "Send clips to the DICOM archive instead.")

    def accept(self, clip_id: str, result: AnalysisResult) -> None:
        """See `Catalogue.accept`: a structured report goes to the archive, now or when it can be reached again."""
        digest = hashlib.sha256(repr((clip_id, result.audit, time.time_ns())).encode()).hexdigest()[:16]
        try:
            study, file = read_study(self.file(clip_id)), self._outbox / f"{digest}.dcm"
            write_sr(result, file, study, with_identity=True)  # the archive files it beside the clip
        except ResultError as error:
            logger.info("no structured report: %s", str(error).partition(": ")[2])
        self._send()

    def _place(self, clip_id: str) -> tuple[str, str]:
        place = self._places.get(clip_id)
        if place is None:
            raise not_found("clip")
        return place

    def _send(self) -> None:
        with self._sending:  # one at a time: a label is accepted while another request looks at the archive
            for path in sorted(self._outbox.glob("[0-9a-f]*.dcm")):
                try:
                    self._archive.store(path)
                    path.unlink(missing_ok=True)
                except ArchiveError as error:
                    logger.warning("a structured report waits in the outbox: %s", error)
                    return

    def _look(self) -> None:
        self._send()
        found: dict[str, Entry] = {}
        places: dict[str, tuple[str, str]] = {}
        for series in self._archive.search("series", (), Modality=MODALITY):
            study, uid = str(series.get(_STUDY)), str(series.get(_SERIES))
            level = f"studies/{study}/series/{uid}/instances"
            for item in self._archive.search(level, ("NumberOfFrames", "Rows", "Columns")):
                clip_id = str(item.get(_INSTANCE))
                if int(item.get(_FRAMES) or 1) < 2:
                    continue
                places[clip_id] = (study, uid)
                found[clip_id] = self._entries.get(clip_id) or self._entry(clip_id, item)
        # What was learnt from files during the search is kept.
        self._entries = {clip_id: self._entries.get(clip_id, entry) for clip_id, entry in found.items()}
        self._places = places
        self._looked = time.monotonic()

    def _entry(self, clip_id: str, item: dict[str, Any]) -> Entry:
        """Make an entry of what the search tells; the file will tell more."""
        path = self._cache / f"{clip_id}.dcm"
        if path.is_file() and (entry := read_entry(clip_id, path)):
            return entry
        count = int(item[_FRAMES])
        header = ClipHeader(
            f"{clip_id}.dcm",
            count,
            int(item.get(_ROWS) or 0),
            int(item.get(_COLUMNS) or 0),
            np.arange(count, dtype=np.float64),
            "not fetched yet",
        )
        return Entry(clip_id, header.source, header, 0, "remote")

    def _learn(self, clip_id: str, path: Path) -> None:
        entry = read_entry(clip_id, path)
        if entry is None:
            raise Refusal(422, "That instance cannot be read as a cine.")
        self._entries[clip_id] = entry
