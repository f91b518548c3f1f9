"""Ctrl-C while a command waits for a run: the run goes on unless its user says otherwise."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from extract_project_tests.support.commands import PROGRAM, valid
from extract_project_tests.support.installation import Installation
from extract_project_tests.support.waiting import await_value

pytestmark = pytest.mark.soak

_SECONDS = 120
LONG = "select count(*) as n from range(1_000_000) a(x), range(1_000_000) b(y) where x + y = 7"
FILES = {
    "interrupted/long": LONG,
    "interrupted/parts": f"/*---\npartitions: [eu, us]\n---*/\n{LONG} and :partition_key <> ''",
}


@contextmanager
def _running(
    installed: Installation, log: Path, *options: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`extract run` of a query without end, and the id of its run, which has started."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(PROGRAM), "run", "interrupted/long", *options],
            env=installed.command_environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        run_id = await_value("the run's id", lambda: _run_id(log), _SECONDS)
        await_value("its start", lambda: _status(installed, run_id) == "STARTED", _SECONDS)
        yield process, run_id
    finally:
        process.kill()
        process.wait()


def _run_id(log: Path) -> str | None:
    said = [line.split() for line in log.read_text().splitlines() if line.startswith("run ")]
    return said[0][1].removesuffix(":") if said else None


def _status(installed: Installation, run_id: str) -> str:
    return installed.deployment.run(run_id, {}).status


def test_ctrl_c_leaves_the_run_alone_and_says_so(installed: Installation, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with _running(installed, log) as (process, run_id):
        process.send_signal(signal.SIGINT)
        assert process.wait(_SECONDS) == 130
        said = log.read_text()
        assert f"run {run_id} goes on: {installed.server.url}/runs/{run_id}" in said
        assert "press Ctrl-C again" in said
        assert _status(installed, run_id) == "STARTED"
    installed.deployment.terminate(run_id)
    await_value("its end", lambda: _status(installed, run_id) == "CANCELED", _SECONDS)


def test_a_second_ctrl_c_terminates_it(installed: Installation, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with _running(installed, log) as (process, run_id):
        process.send_signal(signal.SIGINT)
        await_value("the question", lambda: "press Ctrl-C again" in log.read_text(), _SECONDS)
        process.send_signal(signal.SIGINT)
        assert process.wait(_SECONDS) == 130
        assert f"run {run_id} has ended: canceled" in log.read_text()
        assert _status(installed, run_id) == "CANCELED"


def test_ctrl_c_terminates_the_run_where_it_is_told_to(
    installed: Installation, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with _running(installed, log, "--cancel-on-interrupt", "--json") as (process, run_id):
        process.send_signal(signal.SIGINT)
        assert process.wait(_SECONDS) == 130
        answer = log.read_text().partition("\n{")[2]
        told = valid("run", f"{{{answer}")
        assert (told["run_id"], told["outcome"]) == (run_id, "cancelled")
        assert _status(installed, run_id) == "CANCELED"
    installed.deployment.terminate(run_id)  # it has ended already, and stays so


def test_ctrl_c_cancels_a_backfill_where_it_is_told_to(
    installed: Installation, tmp_path: Path
) -> None:
    log = tmp_path / "log"

    def runs() -> list[DagsterRunStatus]:
        filters = RunsFilter(tags={"extract/path": "interrupted/parts"})
        with DagsterInstance.from_config(str(installed.server.home)) as instance:
            return [run.status for run in instance.get_runs(filters)]

    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(PROGRAM), "backfill", "interrupted/parts", "--all", "--cancel-on-interrupt"],
            env=installed.command_environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        await_value("a start", lambda: DagsterRunStatus.STARTED in runs(), _SECONDS)
        process.send_signal(signal.SIGINT)
        assert process.wait(_SECONDS) == 130, log.read_text()
    finally:
        process.kill()
        process.wait()
    assert "is cancelled" in log.read_text()
    await_value("the end", lambda: set(runs()) == {DagsterRunStatus.CANCELED}, _SECONDS)
