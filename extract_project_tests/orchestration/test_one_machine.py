"""The launcher for one machine, as the daemon and the webserver use it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster import DagsterInstance, DagsterRun

import extract_project.journal
import extract_project.orchestration.one_machine.daemon as daemon_module
from extract_project.embedded.process import running
from extract_project.orchestration.dagster_internals import LaunchRunContext, WorkerStatus
from extract_project.orchestration.one_machine.launcher import ForkingRunLauncher
from extract_project.orchestration.one_machine.process import living
from extract_project_tests.support.waiting import await_value

_SECONDS = 300
_PRELOADED = "extract_project.orchestration.one_machine.preloaded"


@dg.op
def say_and_wait() -> None:
    print("it runs")  # noqa: T201 - what it prints is looked for
    time.sleep(_SECONDS)


@dg.job(executor_def=dg.in_process_executor)
def waiting() -> None:
    say_and_wait()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    package = "extract_project.orchestration.one_machine"
    sections = {
        "run_launcher": {"module": f"{package}.launcher", "class": "ForkingRunLauncher"},
        "compute_logs": {
            "module": f"{package}.logs",
            "class": "FilesOnly",
            "config": {"base_dir": str(tmp_path / "storage")},
        },
    }
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(sections))
    return tmp_path


@pytest.fixture
def daemon(home: Path) -> Iterator[DagsterInstance]:
    with DagsterInstance.from_config(str(home)) as instance:
        yield instance


def launch(instance: DagsterInstance) -> tuple[str, int]:
    """Launch a run, and wait until its step runs; returns its id and its process."""
    origin = dg.reconstructable(waiting).get_python_origin()
    run = instance.create_run_for_job(waiting, job_code_origin=origin)
    instance.run_launcher.launch_run(LaunchRunContext(run, None))
    await_value("its step", lambda: "it runs" in printed(instance, run.run_id), 60)
    pid = living(instance, run.run_id)
    assert pid is not None
    return run.run_id, pid


def printed(instance: DagsterInstance, run_id: str) -> str:
    storage = Path(instance.storage_directory())
    return "".join(each.read_text() for each in storage.glob(f"{run_id}/compute_logs/*.out"))


def await_end(instance: DagsterInstance, run_id: str) -> DagsterRun:
    def finished() -> DagsterRun | None:
        run = instance.get_run_by_id(run_id)
        return run if run is not None and run.is_finished else None

    return await_value("the end of the run", finished, 60)


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_a_run_is_terminated_by_another_process_than_has_launched_it(
    daemon: DagsterInstance, home: Path
) -> None:
    run_id, pid = launch(daemon)
    with DagsterInstance.from_config(str(home)) as webserver:
        run = webserver.get_run_by_id(run_id)
        assert run is not None
        health = webserver.run_launcher.check_run_worker_health(run)
        assert health.status is WorkerStatus.RUNNING
        assert webserver.run_launcher.terminate(run_id)
        assert await_end(webserver, run_id).status.value == "CANCELED"
        await_value("the end of its process", lambda: not is_alive(pid))
        assert not webserver.run_launcher.terminate(run_id)


def test_a_killed_process_fails_its_run(daemon: DagsterInstance, home: Path) -> None:
    run_id, pid = launch(daemon)
    run = daemon.get_run_by_id(run_id)
    assert run is not None
    os.kill(pid, signal.SIGKILL)
    assert await_end(daemon, run_id).status.value == "FAILURE"
    messages = [each.message for each in daemon.all_logs(run_id)]
    assert any("was terminated by signal 9 (SIGKILL)" in each for each in messages)
    with DagsterInstance.from_config(str(home)) as restarted:  # has not launched it
        health = restarted.run_launcher.check_run_worker_health(run)
    assert health.status is WorkerStatus.NOT_FOUND


def test_the_end_of_the_launching_process_ends_its_runs(home: Path) -> None:
    with DagsterInstance.from_config(str(home)) as daemon:
        run_id, pid = launch(daemon)
        assert isinstance(daemon.run_launcher, ForkingRunLauncher)
    assert not is_alive(pid)
    with DagsterInstance.from_config(str(home)) as later:
        assert await_end(later, run_id).status.value == "FAILURE"  # nobody wanted it to end


def test_after_a_change_of_the_code_a_run_imports_it_anew(daemon: DagsterInstance) -> None:
    def parent(pid: int) -> str:
        stat = Path(f"/proc/{pid}/stat").read_text()
        return Path(f"/proc/{stat.rpartition(')')[2].split()[1]}/cmdline").read_text()

    assert "forkserver" in parent(launch(daemon)[1])
    changed = Path(str(extract_project.journal.__file__))
    before = changed.stat()
    changed.touch()
    try:
        assert "forkserver" not in parent(launch(daemon)[1])
    finally:
        os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_the_daemon_imports_what_runs_need_before_the_first_run(home: Path, tmp_path: Path) -> None:
    def forks() -> bool:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        commands = [Path(f"/proc/{each}/cmdline").read_text() for each in children]
        return any("forkserver" in each and _PRELOADED in each for each in commands)

    command = [sys.executable, "-m", daemon_module.__name__, "run", "--empty-workspace"]
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    with running(command, tmp_path / "daemon.log", environment) as process:
        await_value("its fork server", forks, 60)
