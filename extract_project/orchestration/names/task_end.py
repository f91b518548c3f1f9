"""Read why a run's ECS task ended, out of Dagster's message about it.

A run whose process is gone cannot report why. Dagster's run monitoring asks the launcher, and puts
the answer into the event with which it marks the run as failed.
"""

from __future__ import annotations

import re

import dagster as dg

from extract_project.errors import Cause

LOG_HEADING = "Run worker logs:\n"
"""The line that EcsRunLauncher writes before the last lines of a task's log."""

# A SIGKILL although nobody stopped the task: on Fargate that is the kernel, out of memory.
_OUT_OF_MEMORY = re.compile(
    r"OutOfMemory|Stop code: EssentialContainerExited\..*exit code 137", re.DOTALL
)
_MONITORING = re.compile(
    r"Detected run worker status \w+: '(?P<found>.*)'\. Marking run \S+ as failed.*", re.DOTALL
)


def end_of_run(instance: dg.DagsterInstance, run_id: str) -> str:
    """What Dagster's run monitoring found about a run whose process is gone; "" if nothing."""
    records = instance.get_records_for_run(
        run_id, of_type=dg.DagsterEventType.RUN_FAILURE, limit=1
    ).records
    events = [record.event_log_entry.dagster_event for record in records]
    return next((event.message or "" for event in events if event), "")


def out_of_memory(told: str) -> bool:
    """Whether the task ran out of memory. Its log is ignored, since it may quote anything."""
    return _OUT_OF_MEMORY.search(told.partition(LOG_HEADING)[0]) is not None


def cause_of_end(told: str) -> Cause:
    """The cause of failure that the end of a task means."""
    return Cause.MEMORY if out_of_memory(told) else Cause.KILLED


def last_words(message: str) -> str:
    """The launcher's findings in the message of a failed run; "" if there are none."""
    found = _MONITORING.fullmatch(message.strip())
    told = found["found"] if found else message
    head, heading, log = told.partition(LOG_HEADING)
    if not heading:
        return told.strip()
    lines = "\n".join(f"    {line}" for line in log.strip().splitlines())
    return f"{head.strip()}\n\nthe end of its log:\n{lines}"
