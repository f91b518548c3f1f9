"""The processes of a code server, forked instead of starting anew.

When a code location is reloaded, Dagster's code server starts a new process. Python then imports
Dagster and this project again, which is most of a reload of a few hundred SQL files. The fork
server has imported them once. When it is out of date, processes start anew again.
"""

from __future__ import annotations

import multiprocessing.connection
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from extract_project.orchestration.fork_server import ForkServer

PRELOADED = (
    "dagster._cli",
    "dagster._grpc.server",
    "extract_project.orchestration.code_server.preloaded",
    "extract_project.cli.main",  # the main module, which multiprocessing imports again
    "dagster._core.instance.factory",
    "dagster._core.storage.root",
    "dagster._core.storage.runs",
    "dagster._core.storage.schedules",
)
"""What a code server would import first. A name that Dagster no longer has is skipped."""
_PYTHON = ("-m", "dagster")


@dataclass(frozen=True)
class ForkedProcess:
    """What Dagster uses of `subprocess.Popen`."""

    process: ForkServerProcess
    lock: threading.Lock
    """Only one thread at a time may start a process, or ask for the end of one."""

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        """The exit code; None while the process runs."""
        with self.lock:
            return self.process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        multiprocessing.connection.wait([self.process.sentinel], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(str(self.process), timeout or 0.0)
        return code

    def terminate(self) -> None:
        self.process.terminate()


class Processes:
    """The processes of one code server."""

    def __init__(self, server: ForkServer) -> None:
        self._lock = threading.Lock()
        self._server = server
        self._started: list[ForkedProcess] = []

    def open(
        self, command: Sequence[str], *, cwd: str | None, env: Mapping[str, str]
    ) -> ForkedProcess | subprocess.Popen[bytes]:
        """Start `python -m dagster …`."""
        python, *rest = command
        if python != sys.executable or tuple(rest[:2]) != _PYTHON or not self._server.is_current:
            return subprocess.Popen(command, cwd=cwd, env=env)
        arguments = (rest[2:], cwd or str(Path.cwd()), dict(env))
        with self._lock:
            process = self._server.process(_dagster, arguments)
            process.start()
        self._started = [each for each in self._started if each.poll() is None]
        self._started.append(ForkedProcess(process, self._lock))
        return self._started[-1]

    def end(self) -> None:
        """Kill what still runs: the end of this process would wait for it."""
        for each in self._started:
            if each.poll() is None:
                each.process.kill()


def _dagster(arguments: Sequence[str], directory: str, environment: Mapping[str, str]) -> None:
    """Be `python -m dagster` in that directory, with that environment."""
    from extract_project.orchestration.code_server.answers import answered_once
    from extract_project.orchestration.dagster_internals import run_dagster, wrap_answers

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    sys.path.insert(0, directory)
    wrap_answers(answered_once)
    run_dagster(arguments)
