"""`LabelStore`: every version of every label, whole and for ever, and the newest ones where training finds them."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from echo_keypoints.results import AnalysisResult, atomic_path, from_document, to_document, utc_now
from lib.refusal import Refusal, not_found

FINAL, ORIGINAL = "final", "original"
TAGS = (FINAL, ORIGINAL)
MODEL = "model"
"""Annotator of what the networks found; no person may take the name."""

_ANNOTATOR = re.compile(r"[^\W_](?:[\w .@'-]{0,62}[\w.])?")


@dataclass(frozen=True)
class Version:
    """What is known of one saved label; the fields of `echo_keypoints.label_client.LabelVersion`."""

    version: int
    base_version: int
    tag: str
    annotator: str
    saved_utc: str
    model_version: int
    independent: bool = False


class LabelStore:
    """Labels of clips on disk.

    ``versions/<clip id>/000007.json`` holds version 7 of a label, ``{"info", "result"}``: it appears at once and is
    never written again. ``final/<clip id>.json`` and ``original/<clip id>.json`` are the newest results of these tags,
    in the form of a ``result.json``: copies, made anew from the versions if they are lost.

    Args:
        folder: of all labels.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[tuple[str, int], Version] = {}
        self._lock = threading.Lock()

    def versions(self, clip_id: str) -> list[Version]:
        """List the versions of a clip's label, oldest first."""
        folder = self._versions(clip_id)
        if not folder.is_dir():
            return []
        numbers = sorted(int(path.stem) for path in folder.glob("[0-9]*.json") if path.stem.isdigit())
        return [self._info(clip_id, number) for number in numbers]

    def find(
        self, clip_id: str, tag: str | None = None, annotator: str | None = None, version: int | None = None
    ) -> Version:
        """Find the newest version that fits; without a tag a final one goes before an original one.

        Raises:
            Refusal: 404, there is none.
        """
        fitting = [
            info
            for info in self.versions(clip_id)
            if tag in (None, info.tag)
            and annotator in (None, info.annotator)
            and version in (None, info.version)
        ]
        if not fitting:
            raise not_found("label of that clip")
        return max(fitting, key=lambda info: (info.tag == FINAL, info.version))

    def load(self, clip_id: str, version: int) -> dict[str, Any]:
        """Read the result document of a version.

        Raises:
            Refusal: 404, there is none.
        """
        try:
            return dict(self._read(clip_id, version)["result"])
        except FileNotFoundError:
            raise not_found("label of that clip") from None

    def newest_finals(self, clip_id: str) -> dict[str, Version]:
        """Annotator → newest final label of that annotator."""
        return {info.annotator: info for info in self.versions(clip_id) if info.tag == FINAL}

    def save(
        self,
        clip_id: str,
        document: Mapping[str, Any],
        *,
        tag: str,
        annotator: str,
        base_version: int | None,
        model_version: int,
        independent: bool = False,
    ) -> Version:
        """Save a result as a new version.

        Args:
            clip_id: a clip of the catalogue.
            document: of the result.
            tag: one of `TAGS`.
            annotator: who saves it.
            base_version: the newest version when the work began, 0 for none; None (a client that knows no
                versions) stands for the newest one there is.
            model_version: that serves now.
            independent: only the annotator's own newer versions are a conflict.

        Raises:
            Refusal: 409, somebody saved a newer version; 422, the result does not fit.
        """
        result = checked(document)
        with self._lock:
            there = self.versions(clip_id)
            newest = there[-1].version if there else 0
            base = newest if base_version is None else base_version
            if base > newest:
                raise Refusal(422, f"Version {base} does not exist; the newest is {newest}.")
            for info in there:
                mine = not independent or info.annotator == annotator
                if info.version > base and info.tag == tag == FINAL and mine:
                    raise Refusal(
                        409,
                        f"{info.annotator} saved version {info.version} of this label meanwhile; "
                        "load it, and decide what holds.",
                        version=newest,
                        annotator=info.annotator,
                    )
            if base_version and tag == FINAL:
                self._check_audit(clip_id, base, result)
            info = Version(
                newest + 1, base, tag, annotator, utc_now(), model_version, independent and tag == FINAL
            )
            self._write(clip_id, info, to_document(result))
            self._publish(clip_id, info, to_document(result))
        return info

    def repair(self, clip_ids: list[str]) -> int:
        """Make lost copies of the newest labels anew, after a crash.

        Returns:
            How many were missing or old.
        """
        made = 0
        for clip_id in clip_ids:
            newest = {info.tag: info for info in self.versions(clip_id)}
            for info in newest.values():
                document = self.load(clip_id, info.version)
                try:
                    same = json.loads(self.copy(clip_id, info.tag).read_text(encoding="utf-8")) == document
                except (OSError, ValueError):
                    same = False
                if not same:
                    self._publish(clip_id, info, document)
                    made += 1
        return made

    def copy(self, clip_id: str, tag: str) -> Path:
        """Path of the newest result of a tag."""
        return self.folder / tag / f"{clip_id}.json"

    def _check_audit(self, clip_id: str, base: int, result: AnalysisResult) -> None:
        old = from_document(self.load(clip_id, base)).audit
        if result.audit[: len(old)] != old:
            raise Refusal(
                422, f"The audit trail of version {base} would lose entries; load it and amend it instead."
            )

    def _write(self, clip_id: str, info: Version, document: Mapping[str, Any]) -> None:
        folder = self._versions(clip_id)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{info.version:06d}.json"
        text = json.dumps({"info": asdict(info), "result": document}, allow_nan=False, separators=(",", ":"))
        with atomic_path(target) as part:
            with part.open("w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            if target.exists():  # another process, against all rules
                raise Refusal(409, "Another server saved this label meanwhile; load it again.")

    def _publish(self, clip_id: str, info: Version, document: Mapping[str, Any]) -> None:
        target = self.copy(clip_id, info.tag)
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(target) as part:
            part.write_text(json.dumps(document, allow_nan=False, separators=(",", ":")), encoding="utf-8")

    def _info(self, clip_id: str, number: int) -> Version:
        key = (clip_id, number)
        if key not in self._known:
            self._known[key] = Version(**self._read(clip_id, number)["info"])
        return self._known[key]

    def _read(self, clip_id: str, number: int) -> dict[str, Any]:
        path = self._versions(clip_id) / f"{number:06d}.json"
        return dict(json.loads(path.read_text(encoding="utf-8")))

    def _versions(self, clip_id: str) -> Path:
        return self.folder / "versions" / clip_id


def checked(document: Mapping[str, Any]) -> AnalysisResult:
    """Read a result that a client sent.

    Raises:
        Refusal: 422, it is no result of ours, or a point is far outside of the image.
    """
    try:
        return from_document(document)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        problem = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise Refusal(422, f"That is no result of EchoKeypoints that can be used ({problem}).") from None


def check_annotator(name: str) -> str:
    """Refuse a name that no person has.

    Raises:
        Refusal: 422.
    """
    if not _ANNOTATOR.fullmatch(name) or name.casefold() == MODEL:
        raise Refusal(422, "Give the annotator's name: up to 64 letters, digits, spaces and . @ ' -")
    return name


def check_tag(tag: str) -> str:
    """Refuse other tags than `TAGS`.

    Raises:
        Refusal: 422.
    """
    if tag not in TAGS:
        raise Refusal(422, "The tag is final or original.")
    return tag
