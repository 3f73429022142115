"""`ServerDesk`: the annotators' round on a MONAI Label server, as the panel needs it."""

from __future__ import annotations

from typing import Any

from EchoKeypointsLib.controller import Controller
from EchoKeypointsLib.signals import Signal


class ServerDesk:
    """A connection to a server, and which of its clips is at hand.

    Args:
        controller: of the panel.

    Attributes:
        info: what the server told when it was asked, or empty.
        words: what to show the user.
        changed: emitted when one of the above has changed.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._connection: dict[str, Any] = {}
        self.info: dict[str, Any] = {}
        self.words = ""
        self.changed = Signal()

    @property
    def connected(self) -> bool:
        """Whether a server has told what it offers."""
        return bool(self.info)

    @property
    def url(self) -> str:
        """Address of the server."""
        return str(self._connection.get("url", ""))

    def connect(self, url: str, annotator: str, token: str = "") -> None:
        """Ask a server what it offers."""
        self.info = {}
        self._connection = {"url": url.strip(), "annotator": annotator, "token": token or None}
        self._controller.request(
            "server_info", {"connection": self._connection}, "Asking the server", self._took_info
        )

    def serve(self, version: int) -> None:
        """Let another version of the networks serve."""
        params = {"connection": self._connection, "version": version}
        self._controller.request(
            "server_model",
            params,
            "Changing the model",
            lambda model: self._say(f"Version {model['version']} serves."),
        )

    def open_next(self, strategy: str) -> None:
        """Fetch the clip that the server would have reviewed next, and open it."""

        def arrived(sample: dict[str, Any]) -> None:
            self._say(f"{sample['explanation']} ({sample['remaining']} to choose from)")
            if sample["clip_id"] is not None:
                place = {"clip_id": sample["clip_id"], "version": sample["version"]}
                self._controller.open_file(sample["path"], server=place)

        params = {"connection": self._connection, "strategy": strategy, "folder": self._controller.folder}
        self._controller.request("server_next", params, "Fetching the next clip", arrived)

    def analyze(self, patient: dict[str, Any] | None) -> None:
        """Have the clip at hand analysed by the server; it is sent there first, if it is not there."""
        study, place = self._controller.study, self._controller.server_place()
        if place:
            self._controller.analyze(patient, self._server(place))
            return

        def arrived(place: dict[str, Any]) -> None:
            self._controller.set_server_place(study, place)
            if study is self._controller.study:
                self._controller.analyze(patient, self._server(place))

        params = {"connection": self._connection, "clip": self._controller.clip_spec()}
        self._controller.request("server_upload", params, "Sending the clip", arrived, study)

    def submit(self) -> None:
        """Save the result at hand as the clip's final label; all corrections must be in it."""
        study, place = self._controller.study, self._controller.server_place()
        if not place or study is None:
            self._controller.failed.emit("This clip is not on the server; open it there with “Open next”.")
            return
        if self._controller.must_wait():
            return

        def arrived(saved: dict[str, Any]) -> None:
            self._controller.set_server_place(study, {**place, "version": saved["version"]})
            self._say(f"Saved on the server as version {saved['version']}.")

        params = {"connection": self._connection, **place, "document": study.document}
        self._controller.request("server_submit", params, "Saving on the server", arrived, study)

    def _server(self, place: dict[str, Any]) -> dict[str, Any]:
        return {"connection": self._connection, "clip_id": place["clip_id"]}

    def _took_info(self, info: dict[str, Any]) -> None:
        self.info = info
        self._say(
            f"{info['name']} {info['version']}: {info['clips']['total']} clips, {info['clips']['final']} reviewed"
        )

    def _say(self, words: str) -> None:
        self.words = words
        self.changed.emit()
