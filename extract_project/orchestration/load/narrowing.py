"""Limit a run worker to the extracts of its run, instead of building all of them.

Dagster calls the definitions function in a run worker without telling it the run. On ECS our own
launcher passes the extracts of the run to the task (EXTRACT_RUN). Dagster's launchers pass
nothing: no environment variable names the run, and in the processes of the multiprocess executor
and the code server no command line does. There the run is looked up in the frames of the callers.
If none is found, or the extracts of the run may not be enough, everything is built, which is slower
but correct.
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
from extract_project.orchestration.names.schedule_names import schedule_name
from extract_project.settings import ExecutedRun, Settings


def executed_here(settings: Settings) -> ExecutedRun | None:
    """The run that this process executes, if it can be found."""
    if settings.run is not None:
        return settings.run
    run = _run_of_callers()
    return executed_by(run) if run is not None else None


def suffices(snapshot: Snapshot, run: ExecutedRun) -> bool:
    """Whether a snapshot of the run's extracts, and of those upstream of them, is enough.

    It is not if the run has other assets, or belongs to a job of the project: that job may select
    extracts outside the run, and can only be built with all of them.
    """
    chosen = [extract for extract in snapshot.extracts if extract.path in run.extracts]
    jobs = {IMPLICIT_ASSET_JOB_NAME, *map(schedule_name, chosen)}
    return len(chosen) == len(run.extracts) and run.job in jobs


def _run_of_callers() -> dg.DagsterRun | None:
    """The run that one of the calling functions holds in a local variable.

    Seen in Dagster 1.13.27: `core_execute_run` for a whole run, `_execute_step_command_body` or a
    command object for a step in its own process.
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
