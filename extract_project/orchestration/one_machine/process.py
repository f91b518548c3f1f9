"""The process of a run on this machine: what it executes, and how other processes find it.

The process holds a lock on a file while it lives, and the file has its id. So every process of
Dagster can tell whether a run's process lives, and never takes another process for it that has got
the same id since. (It is a lock of `fcntl`, which processes that the run forks do not inherit.)
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg

from extract_project.orchestration.dagster_internals import (
    EngineEventData,
    InstanceRef,
    capture_interrupts,
    core_execute_run,
    recon_job_from_origin,
)


def execute(run_id: str, instance_ref: InstanceRef) -> None:
    """Execute a run in this process, as the code server's process for a run does."""
    with (
        capture_interrupts(),
        dg.DagsterInstance.from_ref(instance_ref) as instance,
        _findable(instance, run_id),
    ):
        run = instance.get_run_by_id(run_id)
        if run is None or run.job_code_origin is None:
            raise RuntimeError(f"run {run_id} is not in the storage of Dagster, or has no code")
        pid = os.getpid()
        started = f"Started process for run (pid: {pid})."
        instance.report_engine_event(started, run, EngineEventData.in_process(pid))
        job = recon_job_from_origin(run.job_code_origin)
        with suppress(Exception, dg.DagsterExecutionInterruptedError):  # it is in the event log
            for _ in core_execute_run(job, run, instance, inject_env_vars=False):
                pass
        instance.report_engine_event(f"Process for run exited (pid: {pid}).", run)


def living(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """The id of a run's process, if it lives."""
    try:
        with _file(instance, run_id).open() as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read())
    except FileNotFoundError:
        pass
    return None


@contextmanager
def _findable(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    path = _file(instance, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    unlocked = path.with_suffix(".new")
    with unlocked.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        file.write(str(os.getpid()))
        file.flush()
        unlocked.rename(path)  # at once with its lock and its content
        yield


def _file(instance: dg.DagsterInstance, run_id: str) -> Path:
    """Beside the files with what the run prints."""
    return Path(instance.storage_directory()) / run_id / "process"
