"""`Gate`: the one door of the server. Who may come in, from where, and to which of the two applications behind it.

MONAI Label's own check of tokens cannot work with current PyJWT, its CORS lets every web page in, and several of its
endpoints block the server or write where a client tells them to. So only those of its requests pass that are harmless;
all others are answered by our application, under the same addresses, or not at all.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib.settings import ANYBODY, Settings

STOCK_PATHS = ("/", "/docs", "/favicon.ico", "/info/")
"""Of MONAI Label, answered by itself: reading only."""

OPEN_PATHS = ("/", "/docs", "/favicon.ico", "/openapi.json", "/auth/")
"""Without a token: they tell nothing of the clips."""

BODY_BYTES = 64 << 20
"""Largest request, uploads of clips apart."""

UPLOADS = ("/echo/clip/file", "/datastore/image", "/datastore/")


class Gate:
    """ASGI application in front of two others.

    Args:
        stock: MONAI Label's.
        ours: the app's.
        settings: tokens, origins and the size of uploads.
    """

    def __init__(self, stock: ASGIApp, ours: ASGIApp, settings: Settings) -> None:
        self._stock, self._ours, self._settings = stock, ours, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; see the ASGI specification."""
        if scope["type"] == "lifespan":
            await self._stock(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        shared = {"access-control-allow-origin": origin, "vary": "Origin"} if origin else {}
        if origin and not self._friendly(origin, headers):
            await _refuse(send, 403, "This server does not answer other web pages.")
            return
        if origin and scope["method"] == "OPTIONS":
            await _answer(send, 204, b"", shared | _PREFLIGHT)
            return
        annotator = self._annotator(headers)
        if self._settings.tokens:
            if annotator is None and scope["path"] not in OPEN_PATHS:
                await _refuse(send, 401, "Give a valid token: Authorization: Bearer TOKEN.", shared)
                return
        elif not _local(scope, headers):
            await _refuse(send, 403, "Without a tokens file the server answers its own machine only.", shared)
            return
        limit = self._settings.upload_bytes if scope["path"] in UPLOADS else BODY_BYTES
        if int(headers.get("content-length") or 0) > limit:
            await _refuse(send, 413, f"That is larger than {limit >> 20} MiB.", shared)
            return
        scope.setdefault("state", {})["annotator"] = None if annotator == ANYBODY else annotator
        stock = scope["method"] in ("GET", "HEAD") and (
            scope["path"] in STOCK_PATHS or scope["path"].startswith("/static/")
        )
        await (self._stock if stock else self._ours)(scope, _Bounded(receive, limit), _Sharing(send, shared))

    def _annotator(self, headers: Headers) -> str | None:
        """Whose token it is, compared in a time that tells nothing of it; None for nobody's."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        found = None
        if scheme.lower() == "bearer":
            for token, name in self._settings.tokens.items():
                if hmac.compare_digest(token.encode(), given.strip().encode()):
                    found = name
        return found

    def _friendly(self, origin: str, headers: Headers) -> bool:
        """Whether a web page may use the server: its own Swagger page, or one that the settings name."""
        return origin in self._settings.origins or urlsplit(origin).netloc == headers.get("host")


_PREFLIGHT = {
    "access-control-allow-methods": "GET, HEAD, PUT, POST, DELETE",
    "access-control-allow-headers": "Authorization, Content-Type",
    "access-control-max-age": "600",
}


class _Bounded:
    """The body of a request, cut off where it is longer than allowed."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._left = receive, limit

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            return {"type": "http.disconnect"}
        return message


class _Sharing:
    """The answer, with the headers that let a friendly web page read it and MONAI Label's own ones left out."""

    def __init__(self, send: Send, shared: Mapping[str, str]) -> None:
        self._send, self._shared = send, shared

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [
                (name, value)
                for name, value in message.get("headers", [])
                if not name.lower().startswith(b"access-control-")
            ]
            added = [(name.encode(), value.encode()) for name, value in self._shared.items()]
            added.append((b"x-content-type-options", b"nosniff"))
            message = {**message, "headers": [*kept, *added]}
        await self._send(message)


def _local(scope: Scope, headers: Headers) -> bool:
    """Whether a request comes from this machine, and was meant for it by name (against DNS rebinding)."""
    client = scope.get("client")
    name = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    return bool(client) and _loopback(client[0]) and (name == "localhost" or _loopback(name))


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


async def _refuse(send: Send, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
    extra = {"content-type": "application/json", **(headers or {})}
    if status == 401:
        extra["www-authenticate"] = "Bearer"
    await _answer(send, status, json.dumps({"detail": sentence}).encode(), extra)


async def _answer(send: Send, status: int, body: bytes, headers: Mapping[str, Any]) -> None:
    encoded = [(name.encode(), str(value).encode()) for name, value in headers.items()]
    encoded.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
