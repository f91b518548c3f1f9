"""The engine's process: it is given a statement, and ends a query by being killed itself.

The engine cannot end a query that computes, and answers nobody else meanwhile. So `kill` ends the
process, and the next statement starts another one, over the same tables.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

_WORKER = Path(__file__).with_name("worker.py")


class EngineError(Exception):
    """The engine's own error, as its text."""


class Engine:
    """Runs one statement at a time."""

    def __init__(self, python: Path, directory: Path) -> None:
        self._python = python
        self._directory = directory
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self,
        sql: str,
        form: str = "TabSeparated",
        settings: Mapping[str, str] | None = None,
        values: Mapping[str, str] | None = None,
    ) -> Iterator[bytes]:
        """The pieces of an answer. Raises EngineError, ConnectionError after a kill."""
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            request = {
                "sql": sql,
                "form": form,
                "settings": dict(settings or {}),
                "values": dict(values or {}),
            }
            ended = False
            try:
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
                error = ""
                while (piece := _piece(process.stdout)) is not None:
                    kind, data = piece
                    if kind == b"E":
                        error = data.decode(errors="replace")
                    else:
                        yield data
                ended = True
            finally:
                if not ended:
                    self.kill()
            if error:
                raise EngineError(error)

    def execute(self, sql: str) -> str:
        """The whole answer, as text."""
        return b"".join(self.run(sql)).decode()

    def kill(self) -> None:
        """End what runs."""
        process = self._process
        if process is not None:
            process.kill()
            process.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [str(self._python), str(_WORKER), str(self._directory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert self._process.stdout is not None
            if _piece(self._process.stdout) is not None:
                raise ConnectionError("the engine did not start")
        return self._process


def _piece(stream: IO[bytes]) -> tuple[bytes, bytes] | None:
    """The next piece of an answer; None at its end."""
    head = stream.read(5)
    if len(head) < 5:
        raise ConnectionError("the engine was killed")
    if head[:1] == b"Z":
        return None
    return head[:1], stream.read(int.from_bytes(head[1:], "big"))
