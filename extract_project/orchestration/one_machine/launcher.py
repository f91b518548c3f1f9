"""The launcher of runs on one machine: it forks each from a process that has imported everything.

Dagster's own launcher starts Python for each run and imports Dagster and this project anew, which
is 2 to 3 CPU seconds. Here a fork server imports them once. When it is out of date, runs start anew
again.

Runs have the environment of the process that launches them, which is the daemon; on one machine
the code server has the same.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Mapping
from functools import cache
from multiprocessing import connection
from multiprocessing.context import ForkServerProcess, SpawnProcess
from typing import Any

import dagster as dg

from extract_project.orchestration.dagster_internals import (
    CheckRunHealthResult,
    ConfigurableClass,
    ConfigurableClassData,
    LaunchRunContext,
    RunLauncher,
    WorkerStatus,
    get_run_crash_explanation,
)
from extract_project.orchestration.fork_server import ForkServer
from extract_project.orchestration.one_machine.process import execute, living

_PRELOADED = (
    "extract_project.orchestration.one_machine.preloaded",
    "dagster._daemon.cli",  # the main module of Dagster's own daemon, which is imported again
    "dagster._core.instance.factory",
    "dagster._core.storage.root",
    "dagster._core.storage.runs",
    "dagster._core.storage.schedules",
    "dagster._core.workspace.autodiscovery",
)
"""What a run would import first. A name that Dagster no longer has is skipped."""
_END_SECONDS = 10
"""How long interrupted runs have for cancelling their queries when the launching process ends."""


@cache
def fork_server() -> ForkServer:
    """The fork server of this process, from which its runs are forked."""
    return ForkServer(_PRELOADED)


class ForkingRunLauncher(RunLauncher[dg.DagsterInstance], ConfigurableClass):
    """Forks the process of each run; without any setting."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._processes: dict[str, ForkServerProcess | SpawnProcess] = {}
        self._lock = threading.Lock()
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, _config_value: Mapping[str, Any]
    ) -> ForkingRunLauncher:
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the process of a run, and watch it."""
        run_id = context.dagster_run.run_id
        with self._lock:  # which starting and ending a process needs
            process = self._process(run_id)
            process.start()
            self._processes[run_id] = process
        threading.Thread(target=self._watch, args=(run_id, process), daemon=True).start()

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run, from any process. It ends once its query is cancelled."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        return self._interrupt(run_id)

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether a run's process lives, also if an earlier daemon launched it."""
        is_watched = run.run_id in self._processes  # whoever watches it says how it ended
        if is_watched or living(self._instance, run.run_id) is not None:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the run's process has ended")

    def dispose(self) -> None:
        """End the runs that this process has launched: interrupt them, and kill what goes on.

        They count as failed, so that they can be rerun.
        """
        for run_id in list(self._processes):
            self._interrupt(run_id)
        deadline = time.monotonic() + _END_SECONDS
        while self._processes and time.monotonic() < deadline:
            left = deadline - time.monotonic()
            connection.wait([each.sentinel for each in self._processes.values()], left)
        for process in list(self._processes.values()):
            process.kill()

    def _process(self, run_id: str) -> ForkServerProcess | SpawnProcess:
        arguments, server = (run_id, self._instance.get_ref()), fork_server()
        if server.is_current:
            return server.process(execute, arguments)
        return multiprocessing.get_context("spawn").Process(target=execute, args=arguments)

    def _watch(self, run_id: str, process: ForkServerProcess | SpawnProcess) -> None:
        """Wait for the end of a run's process, and record a death that it has not recorded."""
        connection.wait([process.sentinel])
        with self._lock:
            process.join()
        try:
            run = self._instance.get_run_by_id(run_id)
            if run is not None and not run.is_finished:
                told = get_run_crash_explanation(
                    f"Run execution process for {run_id}", process.exitcode or 0
                )
                self._instance.report_engine_event(told, run, cls=self.__class__)
                self._instance.report_run_failed(run)
        finally:
            del self._processes[run_id]

    def _interrupt(self, run_id: str) -> bool:
        pid = living(self._instance, run_id)
        if pid is None:
            return False
        os.kill(pid, signal.SIGINT)
        return True
