"""`EchoDatastore`: catalogue and labels in the form that MONAI Label knows."""

from __future__ import annotations

import io
import json
from typing import Any

from monailabel.interfaces.datastore import Datastore

from lib.labels import FINAL, TAGS, check_tag
from lib.refusal import Refusal
from lib.service import Service


class EchoDatastore(Datastore):
    """An adapter without a state of its own. What has no meaning for cines is refused.

    Args:
        service: whose clips and labels are shown.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def name(self) -> str:
        """Give the name."""
        return "EchoKeypoints"

    def set_name(self, name: str) -> None:
        """Refuse: the name is fixed."""
        raise Refusal(405, "The datastore's name is fixed.")

    def description(self) -> str:
        """Give the description."""
        return "PLAX cines and the landmarks of all their frames (research use only)"

    def set_description(self, description: str) -> None:
        """Refuse: the description is fixed."""
        raise Refusal(405, "The datastore's description is fixed.")

    def datalist(self) -> list[dict[str, Any]]:
        """List clips with final labels as ``{"image", "label"}``, paths inside of the studies folder."""
        return [
            {"image": clip_id, "label": f"labels/{FINAL}/{clip_id}.json"}
            for clip_id in self.get_labeled_images()
        ]

    def get_labels_by_image_id(self, image_id: str) -> dict[str, str]:
        """Give the tags of the labels of a clip."""
        copies = {tag: self._service.labels.copy(image_id, tag) for tag in TAGS}
        return {tag: image_id for tag, path in copies.items() if path.is_file()}

    def get_label_by_image_id(self, image_id: str, tag: str) -> str:
        """Give the id of a label, which is that of its clip; empty without one."""
        return self.get_labels_by_image_id(image_id).get(tag, "")

    def get_image(self, image_id: str, params: Any = None) -> Any:
        """Give the bytes of a clip's file."""
        return io.BytesIO(self._service.catalogue.file(image_id).read_bytes())

    def get_image_uri(self, image_id: str) -> str:
        """Give the path of a clip's file on the server."""
        return str(self._service.catalogue.file(image_id))

    def get_label(self, label_id: str, label_tag: str, params: Any = None) -> Any:
        """Give the bytes of the newest label of a tag."""
        return io.BytesIO(self._service.labels.copy(label_id, check_tag(label_tag)).read_bytes())

    def get_label_uri(self, label_id: str, label_tag: str) -> str:
        """Give the path of the newest label of a tag on the server."""
        return str(self._service.labels.copy(label_id, check_tag(label_tag)))

    def get_image_info(self, image_id: str) -> dict[str, Any]:
        """Tell about a clip."""
        return self._service.clip(image_id)

    def get_label_info(self, label_id: str, label_tag: str) -> dict[str, Any]:
        """Tell about the newest label of a tag."""
        return dict(self._service.label(label_id, label_tag, None, None)["info"])

    def get_labeled_images(self, label_tag: str | None = None, labels: list[str] | None = None) -> list[str]:
        """List the clips that are final."""
        return [c for c in self.list_images() if self._service.state(c) == FINAL]

    def get_unlabeled_images(
        self, label_tag: str | None = None, labels: list[str] | None = None
    ) -> list[str]:
        """List the clips that are not final."""
        return [c for c in self.list_images() if self._service.state(c) != FINAL]

    def list_images(self) -> list[str]:
        """List all clips."""
        return sorted(self._service.catalogue.known())

    def get_dataset_archive(self, limit_cases: int | None) -> str:
        """Refuse: the studies folder is the archive."""
        raise Refusal(405, "Copy the studies folder instead: clips and labels lie in it as they are.")

    def refresh(self) -> None:
        """Look for new clips."""
        self._service.catalogue.entries()

    def add_image(self, image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        """Refuse: uploads go through the app's own endpoint, which checks them."""
        raise Refusal(405, "Upload clips through PUT /datastore/image.")

    def remove_image(self, image_id: str) -> None:
        """Refuse: nothing is deleted through the network."""
        raise Refusal(405, "Clips are not deleted through the server.")

    def save_label(
        self, image_id: str, label_filename: str, label_tag: str, label_info: dict[str, Any]
    ) -> str:
        """Save a result file as the label of a clip."""
        with open(label_filename, encoding="utf-8") as stream:
            document = json.load(stream)
        annotator = str((label_info or {}).get("client_id") or "stock client")
        self._service.save(image_id, document, tag=label_tag, annotator=annotator, base_version=None)
        return image_id

    def remove_label(self, label_id: str, label_tag: str) -> None:
        """Refuse: versions are for ever."""
        raise Refusal(405, "Labels are never deleted; save a new version.")

    def update_image_info(self, image_id: str, info: dict[str, Any]) -> None:
        """Do nothing: all that is known of a clip follows from its file and labels."""

    def update_label_info(self, label_id: str, label_tag: str, info: dict[str, Any]) -> None:
        """Do nothing: versions never change."""

    def status(self) -> dict[str, Any]:
        """Count clips and labels; at once, however many there are."""
        counts = self._service.counts()
        return {
            "total": counts["total"],
            "completed": counts[FINAL],
            "label_tags": {FINAL: counts[FINAL], "original": counts["original"]},
            "train": {},
        }

    def json(self) -> dict[str, Any]:
        """Show all clips and labels in MONAI Label's form."""
        objects = {}
        for clip in self._service.clips():
            tags = self.get_labels_by_image_id(clip["id"])
            ending = "." + clip["source"].rpartition(".")[2]
            labels = {tag: {"ext": ".json", "info": self.get_label_info(clip["id"], tag)} for tag in tags}
            objects[clip["id"]] = {"image": {"ext": ending, "info": {}}, "labels": labels}
        return {"name": self.name(), "description": self.description(), "objects": objects}
