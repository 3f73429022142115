"""The loop of the worker: lines of JSON in, lines of JSON out, one request at a time, cancelled at any time."""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from echo_keypoints.errors import EchoKeypointsError

Progress = Callable[[str, int, int], None]
Method = Callable[[dict[str, Any], Progress], dict[str, Any]]
"""``method(params, progress) -> result``, both plain JSON data."""

_PROGRESS_S = 0.05


class Cancelled(Exception):
    """The caller no longer wants the answer."""


def serve(requests: TextIO, answers: TextIO, methods: Mapping[str, Method]) -> None:
    """Answer requests until their stream ends; then wait for the one at work, which is cancelled.

    Args:
        requests, answers: the two streams, one JSON object a line.
        methods: name → what answers it.
    """
    todo: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    desk = _Desk(answers, methods)
    worker = threading.Thread(target=lambda: _work(todo, desk), name="requests")
    worker.start()
    try:
        for line in requests:
            if not line.strip():
                continue
            message = _parsed(line)
            if message is None:
                text = "A request is one JSON object a line; its id is a number or a word."
                desk.say({"id": None, "error": text, "kind": "fault"})
            elif "cancel" in message:
                desk.cancel(message["cancel"])
            else:
                todo.put(message)
    finally:
        desk.cancel_all()
        todo.put(None)
        worker.join()


class _Desk:
    """What reader and worker have in common: the answers' stream, and which requests are cancelled."""

    def __init__(self, answers: TextIO, methods: Mapping[str, Method]) -> None:
        self._answers = answers
        self._methods = methods
        self._write = threading.Lock()
        self._cancelled: set[Any] = set()
        self._closing = threading.Event()

    def say(self, message: Mapping[str, Any]) -> None:
        line = json.dumps(message, allow_nan=False, separators=(",", ":"))
        with self._write:
            try:
                self._answers.write(line + "\n")
                self._answers.flush()
            except (BrokenPipeError, ValueError):  # nobody listens any more
                self._closing.set()

    def cancel(self, number: Any) -> None:
        self._cancelled.add(number)

    def cancel_all(self) -> None:
        self._closing.set()

    def answer(self, request: Mapping[str, Any]) -> None:
        number = request.get("id")
        try:
            self._check(number)
            method = self._methods.get(str(request.get("method")))
            if method is None:
                raise EchoKeypointsError(f"The worker has no method {request.get('method')!r}.")
            result = method(dict(request.get("params") or {}), self._reporter(number))
            self._check(number)
            self.say({"id": number, "result": result})
        except Cancelled:
            self.say({"id": number, "error": "Cancelled.", "kind": "cancelled"})
        except EchoKeypointsError as error:
            self.say({"id": number, "error": str(error), "kind": "refused"})
        except MemoryError:
            text = "There is not enough memory for this clip; close other programs or use a shorter clip."
            self.say({"id": number, "error": text, "kind": "refused"})
        except Exception as error:  # a defect: the caller is told in a sentence, the log has the rest
            logging.exception("request %s failed", request.get("method"))
            text = f"The analysis process met a fault ({type(error).__name__}); its log says more."
            self.say({"id": number, "error": text, "kind": "fault"})
        finally:
            self._cancelled.discard(number)

    def _check(self, number: Any) -> None:
        if number in self._cancelled or self._closing.is_set():
            raise Cancelled

    def _reporter(self, number: Any) -> Progress:
        """Progress of one request: at most twenty lines a second, and the place where it may be stopped."""
        last = ("", 0.0)

        def report(stage: str, done: int, total: int) -> None:
            nonlocal last
            self._check(number)
            now = time.monotonic()
            if stage != last[0] or now - last[1] >= _PROGRESS_S or done == total:
                last = (stage, now)
                self.say({"id": number, "progress": [stage, done, total]})

        return report


def _work(todo: queue.SimpleQueue[dict[str, Any] | None], desk: _Desk) -> None:
    while (request := todo.get()) is not None:
        desk.answer(request)


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    known = isinstance(message, dict) and all(
        isinstance(message.get(name), (int, str, type(None))) for name in ("id", "cancel")
    )
    return message if known else None
