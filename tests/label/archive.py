"""A small DICOMweb archive: search, fetch and store over HTTP, for what Orthanc cannot be made to do."""

from __future__ import annotations

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pydicom
from pydicom.uid import generate_uid

from echo_keypoints.cli.simulate import write_clip
from echo_keypoints.data.simulation import simulate_clip


class SmallArchive(ThreadingHTTPServer):
    """Cines of phantoms.

    Attributes:
        content: (study, instance) → bytes of the file; each study is its own series.
        fetched: instances that were asked for, in order.
        stored: bodies of what was sent.
        away: answers nothing but 503.
        slow_s: time to store something.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content: dict[tuple[str, str], bytes] = {}
        self.fetched: list[str] = []
        self.stored: list[bytes] = []
        self.away, self.slow_s = False, 0.0
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, study: str, seed: int, folder: Path) -> str:
        """Put a cine into a study; give its instance UID."""
        path = folder / f"{seed}.dcm"
        write_clip(simulate_clip(seed, frame_count=6, fps=24), path)
        data = pydicom.dcmread(path)
        data.StudyInstanceUID = study
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid(
            entropy_srcs=[str(seed)]
        )
        data.save_as(path)
        self.content[study, data.SOPInstanceUID] = path.read_bytes()
        return str(data.SOPInstanceUID)

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: SmallArchive

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        instance = re.fullmatch(r"/studies/([\d.]+)/series/[\d.]+/instances/([\d.]+)", path)
        level = re.fullmatch(r"/studies/([\d.]+)/series/[\d.]+/instances", path)
        if self.server.away:
            self._answer(503, b"")
        elif instance:
            self.server.fetched.append(instance[2])
            self._answer(200, self.server.content[instance[1], instance[2]])
        elif level:
            found = [uid for study, uid in self.server.content if study == level[1]]
            self._json([{"00080018": uid, "00280008": 6, "00280010": 224, "00280011": 224} for uid in found])
        else:
            studies = {study for study, _ in self.server.content}
            self._json([{"0020000D": study, "0020000E": f"{study}.1"} for study in sorted(studies)])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.server.slow_s)
        if not self.server.away:
            self.server.stored.append(body)
        self._answer(503 if self.server.away else 200, b"")

    def _json(self, items: list[dict[str, Any]]) -> None:
        told = [{tag: {"Value": [value]} for tag, value in item.items()} for item in items]
        self._answer(200, json.dumps(told).encode())

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass
