"""Alembic's scripts are read once, and databases are those that Dagster makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import sys
import dagster as dg
import extract_project.orchestration.one_machine.preloaded

executed = []
def hook(event, given):
    if event == "exec" and "alembic/versions" in str(getattr(given[0], "co_filename", "")):
        executed.append(given[0].co_filename)
sys.addaudithook(hook)
with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    instance.get_runs_count()
    kept = [instance.run_storage, instance.schedule_storage, instance.event_log_storage]
    print(len(executed), *(each.alembic_version() for each in kept), sep="\\n")
"""


def _told(script: str, home: Path) -> list[str]:
    command = [sys.executable, "-c", script, str(home)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_process_forked_for_a_run_reads_no_scripts(tmp_path: Path) -> None:
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
    count, *versions = _told(_SCRIPT, tmp_path / "with")
    assert count == "0"
    plain = _SCRIPT.replace("import extract_project.orchestration.one_machine.preloaded", "")
    by_dagster, *expected = _told(plain, tmp_path / "without")
    assert int(by_dagster) > 50
    assert versions == expected
