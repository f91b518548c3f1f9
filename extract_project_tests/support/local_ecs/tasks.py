"""A task as a process: how it starts, stops, and how its end is reported."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_KILLED = 128 + signal.SIGKILL


@dataclass(frozen=True)
class Launched:
    """A task that ECS has accepted, for tests to look at."""

    arn: str
    cpu: int
    memory: int
    disk: int | None
    override_characters: int
    tags: Mapping[str, str]

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]


@dataclass(frozen=True)
class End:
    """Why a task has stopped, in Fargate's words."""

    stop_code: str
    reason: str
    container_reason: str | None = None


EXITED = End("EssentialContainerExited", "Essential container in task exited")
OUT_OF_MEMORY = End(
    EXITED.stop_code,
    EXITED.reason,
    "OutOfMemoryError: Container killed due to memory usage",
)
HOST_LOST = End(
    "TerminationNotice",
    "ECS is performing maintenance on the underlying infrastructure hosting the task.",
)
NOT_PULLED = End(
    "TaskFailedToStart",
    "CannotPullContainerError: pull image manifest has been retried 5 time(s): not found",
)


class Process:
    """The one container of a task."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, container: str
    ) -> None:
        self.container = container
        self.end: End | None = None
        """What stopped it from outside, if anything."""
        self._log = log
        self._told_to_stop: float | None = None
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code as Docker reports it (128 plus the signal); None while it runs."""
        code = self._process.poll()
        return 128 - code if code is not None and code < 0 else code

    def stop(self, timeout: float) -> None:
        """SIGTERM to the first process, once; SIGKILL to all of them after the stop timeout."""
        if self._told_to_stop is None:
            self._told_to_stop = time.monotonic()
            self._process.terminate()
        elif time.monotonic() - self._told_to_stop > timeout:
            self.kill()

    def kill(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def ended(self) -> End:
        """Why it ended: the cause from outside, or what its exit code means."""
        if self.end is not None:
            return self.end
        return OUT_OF_MEMORY if self.exit_code == _KILLED else EXITED

    def lines(self) -> list[str]:
        """Its output without empty lines, which CloudWatch refuses."""
        return [line for line in self._log.read_text(errors="replace").splitlines() if line]
