"""Who may come in, and what they may do: tokens, web pages, uploads, names, and endpoints that must not exist."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import SAMPLE, Server

from echo_keypoints.label_client import LockedError, NotAllowedError, RefusedError

ANNA, BO, ALL = "anna-secret-token-1", "bo-secret-token-22", "shared-secret-token"


class _Touch:
    """A pickle that would run code when read."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (self.path, "w")


@pytest.fixture(scope="module")
def guarded(clip_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("guarded")
    tokens = folder / "tokens.json"
    tokens.write_text(json.dumps({"anna": ANNA, "bo": BO, "*": ALL}))
    tokens.chmod(0o600)
    studies = folder / "studies"
    studies.mkdir()
    (studies / "two.mp4").write_bytes((clip_files / "two.mp4").read_bytes())
    options = (
        "--conf",
        "tokens",
        str(tokens),
        "--conf",
        "upload_mb",
        "3",
        "--conf",
        "origins",
        "https://ok.test",
    )
    server = Server(studies, *options).start(token=ANNA)
    yield server
    server.stop()


def ask(
    server: Server,
    method: str,
    path: str,
    body: bytes | None = None,
    token: str | None = ANNA,
    **headers: str,
) -> tuple[int, dict[str, str], Any]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        given["Authorization"] = f"Bearer {token}"
    connection.request(method, path, body, given)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    told = {name.lower(): value for name, value in response.getheaders()}
    return response.status, told, json.loads(content) if content[:1] in (b"{", b"[") else content


PATHS = ["/info/", "/echo/clips", "/datastore/?output=all", "/datastore/image?image=two.mp4", "/train/"]


@pytest.mark.parametrize("path", PATHS)
def test_nothing_of_the_clips_without_a_token(guarded: Server, path: str) -> None:
    for token in (None, "", "wrong", ANNA[:-1], ANNA + "x"):
        status, headers, body = ask(guarded, "GET", path, token=token)
        assert status == 401 and "valid token" in body["detail"] and headers["www-authenticate"] == "Bearer"
    assert ask(guarded, "GET", path)[0] != 401


def test_swagger_page_stays_usable(guarded: Server) -> None:
    status, _, page = ask(guarded, "GET", "/", token=None)
    assert status == 200 and b"swagger" in page.lower()
    status, _, api = ask(guarded, "GET", "/openapi.json", token=None)
    assert status == 200 and "/echo/infer/{task}" in api["paths"] and "/infer/{model}" in api["paths"]


def test_a_token_is_its_owners(guarded: Server) -> None:
    as_bo = guarded.client("bo", token=ANNA)
    with pytest.raises(NotAllowedError, match="The token is anna's"):
        as_bo.lock("two.mp4")
    anna, shared = guarded.client("anna", token=ANNA), guarded.client("cleo", token=ALL)
    assert anna.info()["annotator"] == "anna" and shared.info()["annotator"] is None
    anna.lock("two.mp4")
    with pytest.raises(LockedError):
        shared.lock("two.mp4")
    anna.unlock("two.mp4")
    assert shared.lock("two.mp4").annotator == "cleo"
    shared.unlock("two.mp4")


def test_other_web_pages_are_shut_out(guarded: Server) -> None:
    status, headers, _ = ask(guarded, "GET", "/echo/clips", Origin="https://evil.test")
    assert status == 403 and not any(name.startswith("access-control") for name in headers)
    status, headers, _ = ask(
        guarded, "OPTIONS", "/echo/label", Origin="https://evil.test", Access_Control_Request_Method="PUT"
    )
    assert status == 403
    status, headers, _ = ask(guarded, "GET", "/echo/clips", Origin="https://ok.test")
    assert status == 200 and headers["access-control-allow-origin"] == "https://ok.test"
    assert "access-control-allow-credentials" not in headers
    status, headers, _ = ask(guarded, "OPTIONS", "/echo/label", token=None, Origin="https://ok.test")
    assert status == 204 and "PUT" in headers["access-control-allow-methods"]
    assert ask(guarded, "GET", "/info/", Origin=guarded.url)[0] == 200  # its own Swagger page


def test_without_tokens_only_this_machine_and_its_own_name(server: Server) -> None:
    assert ask(server, "GET", "/echo/info", token=None)[0] == 200
    for host in ("evil.test", "192.168.1.5:8000", "127.0.0.1.evil.test"):
        status, _, body = ask(server, "GET", "/echo/info", token=None, Host=host)
        assert status == 403 and "its own machine" in body["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/session/"),
        ("GET", "/session/abc"),
        ("PUT", "/model/sknet"),
        ("GET", "/model/sknet"),
        ("DELETE", "/model/sknet"),
        ("POST", "/reload"),
        ("GET", "/logs/"),
        ("GET", "/proxy/dicom/studies"),
        ("POST", "/infer/wsi/sknet"),
        ("DELETE", "/datastore/image?id=two.mp4"),
        ("DELETE", "/datastore/label?id=two.mp4&tag=final"),
        ("PUT", "/datastore/image/info?image=two.mp4"),
        ("GET", "/datastore/dataset"),
        ("GET", "/static/../../../../etc/passwd"),
    ],
)
def test_endpoints_that_are_not_safe_do_not_exist(guarded: Server, method: str, path: str) -> None:
    assert ask(guarded, method, path)[0] in (404, 405)


NAMES = [
    "../x.dcm",
    "..%2Fx.dcm",
    "/etc/x.dcm",
    "a/b.dcm",
    ".hidden.dcm",
    "x",
    "C:%5Cx.dcm",
    "a%00.dcm",
    "x..dcm",
]


@pytest.mark.parametrize("name", NAMES)
def test_an_upload_cannot_choose_another_place(guarded: Server, name: str) -> None:
    before = {path for path in Path(guarded.studies).parent.rglob("*")}
    status, _, body = ask(guarded, "PUT", f"/echo/clip/file?name={name}", SAMPLE.read_bytes())
    assert status == 422 and "plain file name" in body["detail"]
    after = {path for path in Path(guarded.studies).parent.rglob("*")}
    assert {path.name for path in after - before} <= {"incoming"}


def test_uploads_are_bounded_and_must_be_clips(guarded: Server, tmp_path: Path) -> None:
    client = guarded.client("anna", token=ANNA)
    script = tmp_path / "evil.dcm"
    script.write_bytes(b"#!/bin/sh\nrm -rf /\n")
    with pytest.raises(RefusedError, match=r"evil\.dcm"):
        client.upload_clip(script)
    trace, poisoned = tmp_path / "trace", tmp_path / "poisoned.npz"
    np.savez(poisoned, video=np.array([_Touch(str(trace))], dtype=object))
    with pytest.raises(RefusedError, match=r"poisoned\.npz"):
        client.upload_clip(poisoned)
    assert not trace.exists()
    large = tmp_path / "large.dcm"
    large.write_bytes(SAMPLE.read_bytes() + b"\0" * (3 << 20))
    with pytest.raises(Exception, match=r"larger than 3 MiB|reached"):
        client.upload_clip(large)
    status = _chunked(guarded, "/echo/clip/file?name=large.dcm", large.read_bytes())
    assert status != 200
    clip = client.upload_clip(SAMPLE, name="new heart.dcm")
    assert clip.frame_count == 60
    with pytest.raises(Exception, match="already"):
        client.upload_clip(SAMPLE, name="new heart.dcm")
    names = {path.name for path in Path(guarded.studies).iterdir()}
    assert names == {"two.mp4", "new heart.dcm", ".echo-keypoints"} | ({"labels"} & names)
    assert not any((Path(guarded.studies) / ".echo-keypoints/incoming").iterdir())


def test_nothing_from_a_client_is_a_config_a_path_or_a_tag(guarded: Server) -> None:
    def put(path: str, document: Any) -> int:
        return ask(guarded, "PUT", path, json.dumps(document).encode(), Content_Type="application/json")[0]

    body = {"model": "sknet", "options": {"config_file": 1}}
    assert (
        ask(guarded, "POST", "/echo/train", json.dumps(body).encode(), Content_Type="application/json")[0]
        == 422
    )
    label = {"annotator": "anna", "tag": "../final", "base_version": 0, "result": {}}
    assert put("/echo/label?id=two.mp4", label) == 422
    assert put("/echo/label?id=..%2Ftwo.mp4", {**label, "tag": "final"}) == 404
    assert (
        put("/echo/label?id=two.mp4", {**label, "tag": "final", "result": {"schema_version": "1.0"}}) == 422
    )
    status, _, body = ask(guarded, "GET", "/datastore/label?label=two.mp4&tag=../../x")
    assert status == 422 and "final or original" in body["detail"]
    deep = b'{"annotator":' + b"[" * 5000 + b"]" * 5000 + b"}"
    assert ask(guarded, "PUT", "/echo/lock?id=two.mp4", deep, Content_Type="application/json")[0] in (
        400,
        422,
    )


def test_secrets_and_names_are_not_in_the_log(guarded: Server) -> None:
    log = guarded.log.read_text()
    assert not any(secret in log for secret in (ANNA, BO, ALL, "two.mp4", "new heart"))


def test_a_server_that_cannot_start_says_why_in_one_sentence(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    tokens.write_text(json.dumps({"anna": ANNA}))
    tokens.chmod(0o644)
    server = Server(tmp_path, "--conf", "tokens", str(tokens))
    with pytest.raises(RuntimeError) as caught:
        server.start()
    said = str(caught.value)
    assert "does not start: tokens.json can be read by other users" in said and "Traceback" not in said
    assert server.process is not None and server.process.returncode == 2


def _chunked(server: Server, path: str, body: bytes) -> int:
    """Send a body without telling its length first."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.putrequest("PUT", path)
        connection.putheader("Authorization", f"Bearer {ANNA}")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        for start in range(0, len(body), 1 << 16):
            block = body[start : start + (1 << 16)]
            connection.send(b"%x\r\n%b\r\n" % (len(block), block))
        connection.send(b"0\r\n\r\n")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
