"""What the end of a run's ECS task says: out of memory, or something else; and its last words.

A run whose process is gone cannot tell why. Dagster's run monitoring asks the launcher, and puts
what that has found into the event with which it marks the run as failed.
"""

from __future__ import annotations

import re

from extract_project.errors import Cause

LOG_HEADING = "Run worker logs:\n"
"""What EcsRunLauncher writes before the last lines of a task's log."""

# SIGKILL with nobody outside who stopped the task: on Fargate that is the kernel, for memory.
_OUT_OF_MEMORY = re.compile(
    r"OutOfMemory|Stop code: EssentialContainerExited\..*exit code 137", re.DOTALL
)
_MONITORING = re.compile(
    r"Detected run worker status \w+: '(?P<found>.*)'\. Marking run \S+ as failed.*", re.DOTALL
)


def out_of_memory(told: str) -> bool:
    """Whether that is why the task ended; its log does not count, which may quote anything."""
    return _OUT_OF_MEMORY.search(told.partition(LOG_HEADING)[0]) is not None


def cause_of_end(told: str) -> Cause:
    """What kind of failure the end of a task is."""
    return Cause.MEMORY if out_of_memory(told) else Cause.KILLED


def last_words(message: str) -> str:
    """What the launcher found, out of the message of a failed run; "" where it found nothing."""
    found = _MONITORING.fullmatch(message.strip())
    told = found["found"] if found else message
    head, heading, log = told.partition(LOG_HEADING)
    if not heading:
        return told.strip()
    lines = "\n".join(f"    {line}" for line in log.strip().splitlines())
    return f"{head.strip()}\n\nthe end of its log:\n{lines}"
