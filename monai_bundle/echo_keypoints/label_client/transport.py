"""One HTTP request after another: token in, JSON or bytes out, errors as exceptions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from echo_keypoints.label_client.errors import OF_STATUS, LabelServerError, UnreachableError

BLOCK = 1 << 18


class Transport:
    """Requests to one server. Each opens its own connection, so that threads may share a transport.

    Redirects are never followed: a token goes to the host that the user named and to no other.

    Args:
        url: ``http://host:port`` or ``https://host:port``, with a path if the server is behind one.
        token: sent as ``Authorization: Bearer``; None for none.
        timeout_s: of every wait for the network.

    Raises:
        UnreachableError: `url` is no such address.
    """

    def __init__(self, url: str, token: str | None = None, timeout_s: float = 30.0) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        try:
            port = parts.port
        except ValueError:
            port, parts = None, urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UnreachableError(
                f"{url} is not the address of a server; give one like http://127.0.0.1:8000."
            )
        self.url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
        self.timeout_s = timeout_s
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port, self._base = parts.hostname, port, parts.path.rstrip("/")
        self._headers = {"Accept": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )

    def json(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        extra_wait_s: float = 0.0,
    ) -> Any:
        """Send JSON, if any, and read the JSON that comes back.

        Args:
            method: of HTTP.
            path: of the server, beginning with a slash.
            query: parameters; those that are None are left out.
            body: plain data to send as JSON; None for none.
            extra_wait_s: how long the server may take on purpose, beside the timeout.

        Raises:
            LabelServerError: see `errors`.
        """
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        headers = {"Content-Type": "application/json"} if data is not None else {}
        with self._response(method, path, query, data, headers, extra_wait_s) as response:
            return _parsed(self._read(response))

    def download(
        self,
        path: str,
        query: Mapping[str, Any],
        target: Path,
        progress: Callable[[int, int], None] | None = None,
    ) -> Mapping[str, str]:
        """Write what comes back to a file.

        Args:
            path, query: see `json`.
            target: the file; its folder exists.
            progress: told bytes done and in total (0: unknown).

        Returns:
            The headers, with names in lower case.

        Raises:
            LabelServerError: see `errors`; also when the connection ends too early.
            OSError: the file cannot be written.
        """
        # The file first: nothing is fetched that cannot be kept.
        with target.open("wb") as stream, self._response("GET", path, query, None, {}) as response:
            total, done = int(response.getheader("Content-Length") or 0), 0
            while block := self._read(response, BLOCK):
                stream.write(block)
                done += len(block)
                if progress:
                    progress(done, total)
            if total and done != total:
                raise UnreachableError(f"The download ended after {done} of {total} bytes; try again.")
            return {name.lower(): value for name, value in response.getheaders()}

    def upload(self, path: str, query: Mapping[str, Any], source: Path) -> Any:
        """Send a file as it is, and read the JSON that comes back.

        Raises:
            LabelServerError: see `errors`.
            OSError: the file cannot be read.
        """
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(source.stat().st_size)}
        with source.open("rb") as stream, self._response("PUT", path, query, stream, headers) as response:
            return _parsed(self._read(response))

    @contextmanager
    def _response(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Any,
        headers: Mapping[str, str],
        extra_wait_s: float = 0.0,
    ) -> Iterator[HTTPResponse]:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        target = quote(self._base + path) + (f"?{urlencode(given)}" if given else "")
        connection = self._kind(self._host, self._port, timeout=self.timeout_s + extra_wait_s)
        try:
            with self._network():
                # When it refuses before it has read all, its answer says why.
                with suppress(BrokenPipeError, ConnectionResetError):
                    connection.request(method, target, body=body, headers={**self._headers, **headers})
                response = connection.getresponse()
                if response.status >= 300:
                    raise _error(response.status, response.read(BLOCK))
            yield response
        finally:
            connection.close()

    def _read(self, response: HTTPResponse, most: int | None = None) -> bytes:
        with self._network():
            return response.read(most)

    @contextmanager
    def _network(self) -> Iterator[None]:
        """Tell what goes wrong inside as an error of the network; nothing else happens there."""
        try:
            yield
        except TimeoutError as error:
            raise UnreachableError(f"The server at {self.url} does not answer in time; try again.") from error
        except (OSError, HTTPException) as error:
            raise UnreachableError(
                f"No Label server can be reached at {self.url} ({type(error).__name__}); is it running?"
            ) from error


def _error(status: int, content: bytes) -> LabelServerError:
    """Turn an answer of the server into the error that fits: ``{"detail": sentence, …facts}``."""
    try:
        facts = json.loads(content)
        detail = facts.pop("detail")
        sentence = detail if isinstance(detail, str) else f"The server refused the request ({status})."
    except (ValueError, KeyError, AttributeError, TypeError):
        facts, sentence = {}, f"The server answered with the status {status}; its log may say why."
    return OF_STATUS.get(status, LabelServerError)(sentence, facts)


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        raise UnreachableError("The answer is not that of a Label server of EchoKeypoints.") from None
