"""Dagster's storage with files that stay open: other processes see what it writes at once."""

from __future__ import annotations

import queue
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
import yaml

_OPEN = "extract_project.orchestration.one_machine.storage"
_FORKED = """
import os, sys
import dagster as dg
from extract_project_tests.orchestration.test_storage import open_files

with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    instance.report_engine_event("before", job_name="a_job", run_id="a-run")
    print(open_files(sys.argv[1]), flush=True)
    child = os.fork()
    if child == 0:
        print(open_files(sys.argv[1]), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    instance.report_engine_event("after", job_name="a_job", run_id="a-run")
    print(len(instance.all_logs("a-run")), open_files(sys.argv[1]))
"""


def open_descriptors(directory: str) -> list[Path]:
    """The databases below a directory that this process has open, as often as it has."""
    opened = [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return sorted(
        each for each in opened if each.is_relative_to(directory) and each.suffix == ".db"
    )


def open_files(directory: str) -> int:
    return len(set(open_descriptors(directory)))


@contextmanager
def stored(home: Path, *, opened: bool) -> Iterator[dg.DagsterInstance]:
    """An instance with our storage, or with Dagster's own, in the same files."""
    storage = {"module": _OPEN, "class": "OpenSqliteStorage", "config": {"base_dir": str(home)}}
    written = {"storage": {"custom": storage} if opened else {"sqlite": {"base_dir": str(home)}}}
    (home / "dagster.yaml").write_text(yaml.safe_dump(written))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def a_run(number: int) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="a_job", run_id=f"run-{number}")


def message_of(event: dg.EventLogEntry) -> str:
    return str(event.get_dagster_event().message)


@pytest.mark.parametrize("first", [True, False])
def test_either_storage_reads_what_the_other_has_written(tmp_path: Path, *, first: bool) -> None:
    with stored(tmp_path, opened=first) as one, stored(tmp_path, opened=not first) as other:
        for number, writer in enumerate((one, other, one, other)):
            writer.add_run(a_run(number))
            writer.report_engine_event(f"event {number}", a_run(0))
        for reader in (one, other):
            assert reader.get_runs_count() == 4
            messages = [message_of(event) for event in reader.all_logs("run-0")]
            assert messages == [f"event {number}" for number in range(4)]


@pytest.mark.parametrize("page_opened", [True, False])
def test_whoever_watches_a_run_hears_of_each_event(tmp_path: Path, *, page_opened: bool) -> None:
    with stored(tmp_path, opened=True) as writer, stored(tmp_path, opened=page_opened) as page:
        writer.report_engine_event("first", a_run(0))
        heard: queue.SimpleQueue[str] = queue.SimpleQueue()

        def hear(event: dg.EventLogEntry, _cursor: str) -> None:
            heard.put(message_of(event))

        page.watch_event_logs("run-0", None, hear)
        for message in ("second", "third"):
            writer.report_engine_event(message, a_run(0))
        assert [heard.get(timeout=60) for _ in range(3)] == ["first", "second", "third"]
        page.end_watch_event_logs("run-0", hear)


def test_files_of_many_runs_do_not_all_stay_open(tmp_path: Path) -> None:
    with stored(tmp_path, opened=True) as instance:
        for number in range(20):
            instance.report_engine_event("an event", a_run(number))
        assert 1 < open_files(str(tmp_path)) <= 8
    assert open_files(str(tmp_path)) == 0


def test_what_is_stored_after_all_runs_are_wiped_is_kept(tmp_path: Path) -> None:
    with stored(tmp_path, opened=True) as instance:
        instance.report_engine_event("before", a_run(0))
        instance.wipe()
        instance.report_engine_event("after", a_run(0))
        assert [message_of(event) for event in instance.all_logs("run-0")] == ["after"]


def test_many_instances_share_the_files_of_a_process(tmp_path: Path) -> None:
    """As the ticks of sensors make them."""
    with stored(tmp_path, opened=True) as instance:
        instance.report_engine_event("first", a_run(0))
        count = open_descriptors(str(tmp_path))
        others = [dg.DagsterInstance.from_config(str(tmp_path)) for _ in range(5)]
        assert [len(each.all_logs("run-0")) for each in others] == [1] * 5
        assert open_descriptors(str(tmp_path)) == count
        others[0].dispose()
        instance.report_engine_event("second", a_run(0))
        assert [len(each.all_logs("run-0")) for each in others] == [2] * 5


def test_a_forked_process_has_none_of_the_files(tmp_path: Path) -> None:
    with stored(tmp_path, opened=True):
        pass
    command = [sys.executable, "-c", _FORKED, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    before, in_child, after = told
    assert int(before) > 0
    assert int(in_child) == 0
    assert after.split()[0] == "2"
    assert int(after.split()[1]) > 0
