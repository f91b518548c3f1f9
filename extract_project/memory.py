"""How much memory the process has taken, and how it returns what it no longer needs (G9)."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pyarrow as pa


def give_back_freed() -> None:
    """Return the free memory between what is still in use to the machine.

    The system's allocator alone returns what lies at the end of its heap. What each part of a split
    result leaves alive for long is small, but it can lie where a buffer has been, and the next part
    then finds no room there: 500 parts took up to 400 MiB more than 100, in one run of three.
    """
    pa.default_memory_pool().release_unused()


def peak_memory() -> int:
    """Bytes of resident memory, at the highest.

    On Linux `getrusage` starts with what the parent process had when it forked, whatever its size;
    the kernel's own high-water mark starts with this program.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
