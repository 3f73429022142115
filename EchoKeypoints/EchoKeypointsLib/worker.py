"""`Worker`: the engine's process as this side sees it. Nothing here waits; `poll` delivers what has arrived.

One thread reads the answers; all callbacks are made by `poll`, on the thread that calls it, since neither MRML nor Qt
may be touched from another.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from EchoKeypointsLib.engine import engine_folder

Done = Callable[[dict[str, Any]], None]
Failed = Callable[[str, str], None]
"""``failed(kind, sentence)``; kinds: ``cancelled``, ``refused`` (the input's fault), ``fault`` (ours)."""

_ENDED = "The analysis process ended unexpectedly; try again. If it happens again, its log says more: "


@dataclass
class _Call:
    done: Done
    failed: Failed
    progress: Callable[[str, int, int], None] | None


_Mail = tuple["subprocess.Popen[str] | None", "dict[str, Any] | None"]
"""From which process, and its message; None for its end."""


class Worker:
    """The process ``python -m echo_keypoints.worker``, started when it is first needed.

    Args:
        command: what to start instead (for tests).
    """

    def __init__(self, command: list[str] | None = None) -> None:
        self._command = command or [interpreter(), "-m", "echo_keypoints.worker"]
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[bytes] | None = None
        self._inbox: queue.SimpleQueue[_Mail] = queue.SimpleQueue()
        self._calls: dict[int, _Call] = {}
        self._last = 0

    @property
    def busy(self) -> bool:
        """Whether any answer is awaited."""
        return bool(self._calls)

    def call(
        self,
        method: str,
        params: dict[str, Any],
        done: Done,
        failed: Failed,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> int:
        """Send a request.

        Args:
            method: of `echo_keypoints.worker.methods`.
            params: plain JSON data.
            done: is given the result, by `poll`.
            failed: is given kind and sentence, by `poll`.
            progress: is given stage, done, total, by `poll`.

        Returns:
            The number of the request, for `cancel`.
        """
        self._last += 1
        self._calls[self._last] = _Call(done, failed, progress)
        try:
            self._send({"id": self._last, "method": method, "params": params})
        except OSError as error:
            text = f"The analysis process cannot be reached ({error.strerror or error}); try again."
            self._inbox.put((self._process, {"id": self._last, "error": text, "kind": "fault"}))
        return self._last

    def cancel(self, number: int) -> None:
        """Ask that a request be stopped; its `failed` comes with the kind ``cancelled``."""
        if number in self._calls and self._process is not None:
            with suppress(OSError):  # it has ended: `poll` will tell
                self._send({"cancel": number})

    def poll(self) -> None:
        """Make the callbacks of all that has arrived."""
        while True:
            try:
                process, message = self._inbox.get_nowait()
            except queue.Empty:
                return
            if message is not None:
                self._deliver(message)
            elif process is self._process:
                self._ended()

    def close(self) -> None:
        """End the process; answers that are still awaited never come."""
        self._calls.clear()
        process, self._process = self._process, None
        if process is not None:
            if process.stdin:
                with suppress(OSError):  # it has ended, and never read what was written last
                    process.stdin.close()
            try:
                process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._log is not None:
            self._log.close()
            self._log = None

    def _send(self, message: dict[str, Any]) -> None:
        if self._process is None:
            self._start()
        stdin = self._process.stdin if self._process else None
        if stdin is None:
            raise OSError("it has no input")
        stdin.write(json.dumps(message, allow_nan=False) + "\n")
        stdin.flush()

    def _start(self) -> None:
        path = os.pathsep.join(filter(None, [str(engine_folder()), os.environ.get("PYTHONPATH", "")]))
        self._log = tempfile.NamedTemporaryFile(prefix="EchoKeypoints-", suffix=".log", delete=False)
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": path},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._process = process
        threading.Thread(
            target=self._read, args=(process,), daemon=True, name="EchoKeypoints answers"
        ).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is not None:
            for line in process.stdout:
                try:
                    self._inbox.put((process, json.loads(line)))
                except ValueError:
                    continue  # not ours: the protocol keeps stdout for itself, a crashing library may not
        self._inbox.put((process, None))

    def _deliver(self, message: dict[str, Any]) -> None:
        call = self._calls.get(message.get("id", 0))
        if call is None:
            return
        if "progress" in message:
            if call.progress:
                call.progress(*message["progress"])
            return
        del self._calls[message["id"]]
        if "result" in message:
            call.done(message["result"])
        else:
            call.failed(message.get("kind", "fault"), message["error"])

    def _ended(self) -> None:
        """The process is gone though it was not told to go."""
        calls, log = list(self._calls.values()), self._log.name if self._log else ""
        self.close()
        for call in calls:
            call.failed("fault", _ENDED + os.path.basename(log))


def interpreter() -> str:
    """Slicer's own Python as a program of its own; outside of Slicer, this one."""
    return shutil.which("PythonSlicer") or sys.executable
