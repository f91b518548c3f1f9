"""One command as a whole process: wall time, CPU time and peak memory."""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.01
_PR_SET_CHILD_SUBREAPER = 36
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Measurement:
    """One run. CPU seconds include child processes; memory is that of the largest process."""

    wall: float
    cpu: float
    servers_cpu: float
    """What this process' other children used meanwhile."""
    peak_bytes: int
    exit_code: int
    started_at: float
    """Seconds since 1970."""
    output: str


def measure(
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    seconds: float = 600,
    directory: Path | None = None,
) -> Measurement:
    """Run a command to its end, or kill it after `seconds` (exit code 137 then)."""
    before = children_cpu()
    started_at, begun = time.time(), time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            start_new_session=True,
        )
        peak = 0
        while True:
            peak = max(peak, *(high_water(pid) for pid in family(process.pid)))
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - begun > seconds:
                os.killpg(process.pid, 9)
            time.sleep(_POLL_SECONDS)
    wall, cpu = time.monotonic() - begun, usage.ru_utime + usage.ru_stime
    return Measurement(
        wall=wall,
        cpu=cpu,
        servers_cpu=max(0.0, children_cpu() - before - cpu),
        peak_bytes=peak,
        exit_code=os.waitstatus_to_exitcode(status),
        started_at=started_at,
        output=log.read_text(errors="replace"),
    )


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    try:
        lists = [task.read_text().split() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it has ended in the meantime
        return [pid]
    return [
        pid,
        *(each for children in lists for child in children for each in family(int(child))),
    ]


def adopt_orphans() -> None:
    """Let servers whose parent has ended count as children of this process."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children_cpu() -> float:
    """CPU seconds of all descendants of this process, and of those that have ended."""
    ended = os.times()
    living = sum(used_cpu(pid) for pid in family(os.getpid())[1:])
    return ended.children_user + ended.children_system + living


def used_cpu(pid: int) -> float:
    """CPU seconds of a process and of its children that have ended."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICK
    return 0.0


def high_water(pid: int) -> int:
    """The kernel's own high-water mark of resident memory, in bytes; 0 if it has ended.

    `getrusage` would start with the memory of the parent at the fork.
    """
    return _status(pid, "VmHWM")


def proportional(pid: int) -> int:
    """Memory of a process now, in bytes, with its share of what it shares; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _status(pid: int, name: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
