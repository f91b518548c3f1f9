"""Run a command as in a task with little memory: in a control group of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_CONTROLLERS = (
    ("memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    ("", "memory.max", "memory.swap.max"),
)
"""Control groups of version 1 and 2: where they are mounted, the limit, and the limit of swap."""


@dataclass(frozen=True)
class ControlGroup:
    """A control group whose processes are killed when together they take more than its limit."""

    folder: Path

    def enclosed(self, command: Sequence[str]) -> list[str]:
        """The command that runs another one inside the group."""
        entering = f'echo $$ > "{self.folder}/cgroup.procs" && exec "$@"'
        return ["sh", "-c", entering, "sh", *command]


@contextmanager
def control_group(most: int, root: Path = Path("/sys/fs/cgroup")) -> Iterator[ControlGroup]:
    """A new control group with a limit of `most` bytes, without swap.

    Raises OSError if this process may not make one: only root may.
    """
    mount, limit, swap = next(
        each for each in _CONTROLLERS if (root / each[0] / "cgroup.procs").exists()
    )
    folder = root / mount / f"extract-bench-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / limit).write_text(str(most))
        with suppress(OSError):  # a machine without swap may not count it
            (folder / swap).write_text(str(most if mount else 0))
        yield ControlGroup(folder)
    finally:
        folder.rmdir()
