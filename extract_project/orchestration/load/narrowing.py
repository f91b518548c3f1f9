"""What a run worker has to build: the extracts of its run, not every extract that there is.

Dagster calls the definitions function in a run worker without a word about the run, so the run is
looked for in the frames of the callers (measured on Dagster 1.13.27: `core_execute_run` for a
whole run, `_execute_step_command_body` or a command object for a step of its own). Where nothing
is found, or where it cannot be told that the extracts of the run are enough, everything is built:
slower, and as right.
"""

from __future__ import annotations

import sys
from collections.abc import Collection

import dagster as dg

from extract_project.manifest.snapshot import Snapshot
from extract_project.orchestration.dagster_internals import (
    IMPLICIT_ASSET_JOB_NAME,
    MultiprocessExecutorChildProcessCommand,
)
from extract_project.orchestration.starts.schedules import schedule_name


def executed_run() -> dg.DagsterRun | None:
    """The run that this process executes."""
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


def materialized(run: dg.DagsterRun | None) -> frozenset[str] | None:
    """The paths of what a run materializes; None where that is not all that it needs."""
    if run is None or not run.asset_selection:
        return None
    checked = {check.asset_key for check in run.asset_check_selection or ()}
    if not checked <= run.asset_selection:
        return None
    return frozenset("/".join(key.path) for key in run.asset_selection)


def suffices(snapshot: Snapshot, run: dg.DagsterRun, paths: Collection[str]) -> bool:
    """Whether the run can do with a snapshot of the extracts at `paths`, and those before them.

    Not with assets of one's own among them, nor in a job of one's own: that may select extracts
    that the run does not, and is only there when all of them are.
    """
    chosen = [extract for extract in snapshot.extracts if extract.path in paths]
    jobs = {IMPLICIT_ASSET_JOB_NAME, *map(schedule_name, chosen)}
    return len(chosen) == len(paths) and run.job_name in jobs
