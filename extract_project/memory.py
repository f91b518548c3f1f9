"""Measure the memory of the process, return freed memory to the machine, and refuse what would
take more than there is (G9).

A process that takes more than its limit is killed by the kernel, and cannot say why. So a step that
is known to take much asks first.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from extract_project.errors import OutOfMemory

_MIB = 1 << 20
_GIB = 1 << 30
_CONTROLLERS = (
    ("", "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    (
        "memory",
        "sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)
"""Control groups of version 2 and 1: the controller, where it is mounted, and its files."""


@dataclass(frozen=True)
class Room:
    """How much memory this process may still take, in bytes."""

    left: int
    limit: int
    of: str
    """Who sets the limit."""


def require_room(needed: int, purpose: str, instead: str) -> None:
    """Raise OutOfMemory if less memory than `needed` bytes is left.

    `purpose` says what the memory is for, `instead` how to need less.
    """
    room = least_room()
    if room is None or room.left >= needed:
        return
    give_back_freed()
    room = least_room()
    if room is None or room.left >= needed:
        return
    resident = _numbers(Path("/proc/self/status")).get("VmRSS:", 0) * 1024
    enough = f"{ceil((resident + needed) / _GIB)}GB"
    raise OutOfMemory(
        f"{purpose} takes about {needed / _MIB:,.0f} MiB, and of the {room.limit / _MIB:,.0f} MiB "
        f"that {room.of} allows {max(0, room.left) / _MIB:,.0f} are left: give the process "
        f"{enough} ('memory: {enough}' in the header, where it is a task on ECS), or {instead}"
    )


def least_room(root: Path = Path("/")) -> Room | None:
    """What is left of the limit that is reached first; None if the system has no limits to read.

    Limits are those of the control groups (containers, ECS tasks), of `ulimit -v`, and the
    machine's memory.
    """
    found = [*_in_control_groups(root), *_in_address_space(root), *_in_machine(root)]
    return min(found, key=lambda room: room.left, default=None)


def _in_control_groups(root: Path) -> Iterator[Room]:
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller, mount, limit, current, reclaimable in _CONTROLLERS:
            if controller not in controllers.split(","):
                continue
            group = root / mount / path.strip("/")
            # In a container its own group is mounted at the top, whatever its path is outside.
            for each in (group, *group.parents):
                most, used = _text(each / limit).strip(), _text(each / current).strip()
                if most.isdigit() and used.isdigit():
                    cached = _numbers(each / "memory.stat").get(reclaimable, 0)
                    yield Room(int(most) - int(used) + cached, int(most), "its control group")
                if each == root / mount:
                    break


def _in_address_space(root: Path) -> Iterator[Room]:
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    used = _numbers(root / "proc/self/status").get("VmSize:")
    if most != resource.RLIM_INFINITY and used is not None:
        yield Room(most - used * 1024, most, "'ulimit -v'")


def _in_machine(root: Path) -> Iterator[Room]:
    found = _numbers(root / "proc/meminfo")
    if "MemAvailable:" in found and "MemTotal:" in found:
        left, limit = (found[name] * 1024 for name in ("MemAvailable:", "MemTotal:"))
        yield Room(left, limit, "this machine")


def _numbers(path: Path) -> dict[str, int]:
    """The second word of each line, by the first."""
    lines = (line.split() for line in _text(path).splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def give_back_freed() -> None:
    """Return freed memory to the machine, wherever it lies in the heap.

    By itself, the system's allocator returns only the end of its heap. Each part of a split result
    leaves a little long-lived data behind. It can lie where a large buffer was, and then the next
    part's buffer does not fit there: 500 parts took up to 400 MiB more than 100, in one of three
    runs.
    """
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def peak_memory() -> int:
    """The highest resident memory of the process so far, in bytes.

    On Linux, `getrusage` starts with the parent's memory at the time of the fork; the kernel's own
    high-water mark (VmHWM) starts with this program.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
