"""What a run worker has to build: the extracts of its run, not every extract that there is.

Dagster calls the definitions function in a run worker without telling it the run. On ECS the
launcher is ours, and hands the extracts of the run to the task (EXTRACT_RUN). Dagster's own
launchers hand over nothing: neither an environment variable nor, in the processes that the
multiprocess executor and the code server start, a command line says which run it is. There the run
is looked for in the frames of the callers. Where nothing is found, or the extracts of the run may
not be enough, everything is built: slower, and as right.
"""

from __future__ import annotations

import sys

import dagster as dg

from extract_project.manifest.snapshot import Snapshot
from extract_project.orchestration.dagster_internals import (
    IMPLICIT_ASSET_JOB_NAME,
    MultiprocessExecutorChildProcessCommand,
)
from extract_project.orchestration.names.executed import executed_by
from extract_project.orchestration.starts.schedules import schedule_name
from extract_project.settings import ExecutedRun, Settings


def executed_here(settings: Settings) -> ExecutedRun | None:
    """What this process executes, as far as it can be known."""
    if settings.run is not None:
        return settings.run
    run = _run_of_callers()
    return executed_by(run) if run is not None else None


def suffices(snapshot: Snapshot, run: ExecutedRun) -> bool:
    """Whether the run can do with a snapshot of its extracts, and of those upstream of them.

    It cannot with assets of one's own among them, nor in a job of one's own: that may select
    extracts that the run does not, and can only be built when all of them are there.
    """
    chosen = [extract for extract in snapshot.extracts if extract.path in run.extracts]
    jobs = {IMPLICIT_ASSET_JOB_NAME, *map(schedule_name, chosen)}
    return len(chosen) == len(run.extracts) and run.job in jobs


def _run_of_callers() -> dg.DagsterRun | None:
    """The run that a caller of ours holds in a local variable.

    Seen in Dagster 1.13.27: `core_execute_run` for a whole run, `_execute_step_command_body` or a
    command object for a step in a process of its own.
    """
    frame = sys._getframe().f_back
    while frame is not None:
        found = frame.f_locals.get("dagster_run")
        command = frame.f_locals.get("self")
        if isinstance(command, MultiprocessExecutorChildProcessCommand):
            found = command.dagster_run
        if isinstance(found, dg.DagsterRun):
            return found
        frame = frame.f_back
    return None
