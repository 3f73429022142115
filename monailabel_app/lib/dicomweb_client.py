"""The three requests of DICOMweb that the server needs: search (QIDO), fetch (WADO) and store (STOW)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from echo_keypoints.errors import EchoKeypointsError

TIMEOUT_S = (5, 120)
PAGE = 200

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


class ArchiveError(EchoKeypointsError):
    """The DICOM archive cannot be reached, or does not do what it should."""


class DicomWeb:
    """One archive.

    Args:
        url: of its DICOMweb root, e.g. ``http://127.0.0.1:8042/dicom-web``.
        user: name and password, if it asks for them.
    """

    def __init__(self, url: str, user: tuple[str, str] | None = None) -> None:
        self._url = url.rstrip("/")
        self._host = urlsplit(url).hostname
        self._session = requests.Session()
        self._session.auth = user
        # Archives close idle connections without a word; to store an instance twice does no harm.
        again = Retry(3, backoff_factor=0.3, allowed_methods=None, status=0, redirect=0)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=again))

    def search(self, level: str, fields: tuple[str, ...], **matching: str) -> list[dict[str, Any]]:
        """Search, page by page.

        Args:
            level: path of the search, e.g. ``series`` or ``studies/1.2/series/1.3/instances``.
            fields: keywords of attributes that are wanted beside the usual ones.
            **matching: attribute → value.

        Returns:
            Of each match: tag in hexadecimal → first value.

        Raises:
            ArchiveError: the archive cannot be reached, or refuses.
        """
        found: list[dict[str, Any]] = []
        while True:
            params = {**matching, "limit": str(PAGE), "offset": str(len(found))}
            answer = self._ask(
                "GET",
                f"{self._url}/{level}",
                params=[*params.items(), *(("includefield", field) for field in fields)],
                headers={"Accept": "application/dicom+json"},
            )
            page = answer.json() if answer.status_code != 204 and answer.content else []
            known = {_value(item, "00080018") or _value(item, "0020000E") for item in map(_flat, page)}
            fresh = [_flat(item) for item in page]
            if not page or known <= {_value(item, "00080018") or _value(item, "0020000E") for item in found}:
                return found  # also of archives that know no offset
            found += fresh
            if len(page) < PAGE:
                return found

    def fetch(self, study: str, series: str, instance: str, target: Path) -> None:
        """Write an instance to a file exactly as the archive holds it: no pixel is decoded or converted.

        Raises:
            ArchiveError: the archive cannot be reached, refuses, or sends something else.
        """
        for uid in (study, series, instance):
            if not _UID.fullmatch(uid):
                raise ArchiveError("The archive gave an identifier that is none.")
        answer = self._ask(
            "GET",
            f"{self._url}/studies/{study}/series/{series}/instances/{instance}",
            headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'},
        )
        boundary = re.search(r'boundary="?([^";,]+)"?', answer.headers.get("Content-Type", ""))
        content = answer.content
        if boundary:
            content = _first_part(content, boundary[1].encode())
        if content[128:132] != b"DICM":
            raise ArchiveError("The archive did not send a DICOM file.")
        target.write_bytes(content)

    def store(self, path: Path) -> None:
        """Send a DICOM file to the archive.

        Raises:
            ArchiveError: the archive cannot be reached, or refuses.
        """
        boundary = uuid4().hex.encode()
        body = b"--%b\r\nContent-Type: application/dicom\r\n\r\n%b\r\n--%b--\r\n" % (
            boundary,
            path.read_bytes(),
            boundary,
        )
        kind = f'multipart/related; type="application/dicom"; boundary={boundary.decode()}'
        headers = {"Content-Type": kind, "Accept": "application/dicom+json"}
        self._ask("POST", f"{self._url}/studies", data=body, headers=headers)

    def _ask(self, method: str, url: str, **arguments: Any) -> requests.Response:
        try:
            answer = self._session.request(method, url, timeout=TIMEOUT_S, allow_redirects=False, **arguments)
        except requests.RequestException as error:
            raise ArchiveError(
                f"The archive {self._host} cannot be reached ({type(error).__name__})."
            ) from None
        if not 200 <= answer.status_code < 300:
            raise ArchiveError(f"The archive {self._host} refused with the status {answer.status_code}.")
        return answer


def _flat(item: Mapping[str, Any]) -> dict[str, Any]:
    return {tag: (element.get("Value") or [None])[0] for tag, element in item.items()}


def _value(item: Mapping[str, Any], tag: str) -> str:
    return str(item.get(tag) or "")


def _first_part(content: bytes, boundary: bytes) -> bytes:
    """Content of the first part of a multipart body."""
    start = content.find(b"--" + boundary)
    begin = content.find(b"\r\n\r\n", start) + 4
    end = content.find(b"\r\n--" + boundary, begin)
    return content[begin:end] if start >= 0 and begin > 3 and end >= 0 else b""
