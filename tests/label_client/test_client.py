"""The client against a small real HTTP server; the whole loop is tested with the Label server itself."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from echo_keypoints.errors import ResultError
from echo_keypoints.label_client import (
    ConflictError,
    LabelClient,
    LockedError,
    NotAllowedError,
    NotFoundError,
    RefusedError,
    TaskFailedError,
    UnreachableError,
)
from echo_keypoints.label_client.transport import Transport
from echo_keypoints.results import to_document
from echo_keypoints.tracking import Anchor
from example_results import make_result

CLIP = {
    "id": "a/heart.dcm",
    "source": "heart.dcm",
    "frame_count": 5,
    "height": 120,
    "width": 128,
    "spacing_mm": [0.4, 0.5],
    "bytes": 9,
    "state": "new",
    "version": 0,
    "versions": [],
    "lock": {"annotator": "bo", "until_utc": "2026-01-02T03:04:05Z"},
    "of a newer server": 1,
}


class _Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.requests: list[tuple[str, str, Any, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def script(self, *answers: tuple[str, int, Any]) -> None:
        for route, status, body in answers:
            self.answers.setdefault(route, []).append((status, body))


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.server.requests.append((self.command, self.path, body, self.headers.get("Authorization")))
        queue = self.server.answers[f"{self.command} {self.path.split('?')[0]}"]
        status, answer = queue.pop(0) if len(queue) > 1 else queue[0]
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = _serve

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, NotAllowedError),
        (403, NotAllowedError),
        (404, NotFoundError),
        (409, ConflictError),
        (413, RefusedError),
        (422, RefusedError),
        (423, LockedError),
    ],
)
def test_each_status_is_an_error_of_its_own_with_the_servers_sentence(
    server: _Server, status: int, kind: type[Exception]
) -> None:
    server.script(("PUT /echo/lock", status, {"detail": "It cannot be.", "annotator": "bo"}))
    with pytest.raises(kind, match="It cannot be") as caught:
        LabelClient(server.url).lock("a")
    assert caught.value.facts == {"annotator": "bo"}


def test_other_servers_redirects_and_silence_are_told_in_one_sentence(server: _Server) -> None:
    server.script(("GET /echo/info", 200, b"<html>"), ("GET /echo/clips", 302, b"moved"))
    client = LabelClient(server.url, token="secret")
    with pytest.raises(UnreachableError, match="not that of a Label server"):
        client.info()
    with pytest.raises(Exception, match="status 302"):
        client.clips()
    assert len(server.requests) == 2  # the redirect was not followed
    with pytest.raises(UnreachableError, match="is it running"):
        LabelClient("http://127.0.0.1:1").info()
    for address in ("ftp://host", "file:///etc/passwd", "", "http://host:port"):
        with pytest.raises(UnreachableError, match="not the address"):
            LabelClient(address)


def test_clips_and_token(server: _Server) -> None:
    server.script(("GET /echo/clips", 200, {"clips": [CLIP]}))
    (clip,) = LabelClient(server.url, token="secret").clips()
    assert clip.id == "a/heart.dcm" and clip.spacing_mm == (0.4, 0.5)
    assert clip.lock is not None and clip.lock.annotator == "bo"
    assert server.requests[0][3] == "Bearer secret"


def test_inference_polls_reports_progress_and_gives_the_result(server: _Server) -> None:
    result = make_result()
    running = {"job": "j1", "state": "running", "stage": "detect", "done": 3, "total": 5, "message": ""}
    server.script(
        ("POST /echo/infer/refine", 202, running),
        ("GET /echo/job", 202, running),
        ("GET /echo/job", 200, running | {"state": "done", "result": to_document(result)}),
    )
    seen: list[tuple[str, int, int]] = []
    anchor = Anchor(2, np.array([[1.0, 2], [3, 4], [np.nan, np.nan], [7, 8]]))
    given = LabelClient(server.url).infer(
        "refine", "a", anchors=[anchor], progress=lambda *how_far: seen.append(how_far)
    )
    np.testing.assert_allclose(given.points_px, result.points_px, atol=1e-5)
    assert seen == [("detect", 3, 5)] * 2
    sent = json.loads(server.requests[0][2])
    assert sent["anchors"] == [{"frame": 2, "points_px": [[1, 2], [3, 4], [None, None], [7, 8]]}]


def test_inference_fails_or_is_cancelled_with_a_sentence(server: _Server) -> None:
    job = {"job": "j1", "state": "running", "stage": "read", "done": 0, "total": 5, "message": ""}
    server.script(
        ("POST /echo/infer/trnet", 202, job),
        ("POST /echo/infer/trnet", 200, job | {"state": "failed", "message": "heart.dcm is damaged."}),
        ("DELETE /echo/job", 200, {}),
    )
    with pytest.raises(TaskFailedError, match="cancelled"):
        LabelClient(server.url).infer("trnet", "a", cancelled=lambda: True)
    assert server.requests[-1][0] == "DELETE"
    with pytest.raises(TaskFailedError, match="damaged"):
        LabelClient(server.url).infer("trnet", "a")


def test_download_checks_what_came_and_keeps_what_is_there(server: _Server, tmp_path: Path) -> None:
    server.script(
        ("GET /echo/clip", 200, CLIP),
        ("GET /echo/clip/file", 200, b"nine byte"),
        ("GET /echo/clip/digest", 200, {"sha256": hashlib.sha256(b"nine byte").hexdigest()}),
    )
    client = LabelClient(server.url)
    for _ in range(2):
        path = client.download_clip("a/heart.dcm", tmp_path / "new")
        assert path.read_bytes() == b"nine byte" and path.name == "heart.dcm"
    assert sum("/echo/clip/file" in request[1] for request in server.requests) == 1


def test_a_file_that_cannot_be_written_is_no_fault_of_the_server(server: _Server, tmp_path: Path) -> None:
    server.script(("GET /echo/clip", 200, CLIP), ("GET /echo/clip/file", 200, b"nine byte"))
    transport = Transport(server.url)
    with pytest.raises(FileNotFoundError):
        transport.download("/echo/clip/file", {}, tmp_path / "nowhere/part")
    assert server.requests == []  # nothing is fetched that cannot be kept
    if Path("/dev/full").exists():
        with pytest.raises(OSError, match="No space left"):
            transport.download("/echo/clip/file", {}, Path("/dev/full"))
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match="cannot write to the folder file"):
        LabelClient(server.url).download_clip("a/heart.dcm", tmp_path / "file")


@pytest.mark.parametrize("name", ["../heart.dcm", "/etc/heart.dcm", ".bashrc", ""])
def test_a_hostile_server_cannot_choose_where_a_clip_goes(server: _Server, tmp_path: Path, name: str) -> None:
    server.script(
        ("GET /echo/clip", 200, CLIP | {"source": name}), ("GET /echo/clip/file", 200, b"nine byte")
    )
    with pytest.raises(UnreachableError, match="no file name"):
        LabelClient(server.url).download_clip("a", tmp_path / "inner")
    assert list(tmp_path.iterdir()) == []


def test_upload_sends_the_file_as_it_is(server: _Server, tmp_path: Path) -> None:
    path = tmp_path / "my heart.dcm"
    path.write_bytes(b"\x00\x01" * 70000)
    server.script(("PUT /echo/clip/file", 200, CLIP))
    LabelClient(server.url).upload_clip(path)
    assert server.requests[0][2] == path.read_bytes()
    assert server.requests[0][1].endswith("?name=my+heart.dcm")
