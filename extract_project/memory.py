"""Measure the memory of the process, and return freed memory to the machine (G9)."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pyarrow as pa


def give_back_freed() -> None:
    """Return freed memory to the machine, wherever it lies in the heap.

    By itself, the system's allocator returns only the end of its heap. Each part of a split result
    leaves a little long-lived data behind. It can lie where a large buffer was, and then the next
    part's buffer does not fit there: 500 parts took up to 400 MiB more than 100, in one of three
    runs.
    """
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
