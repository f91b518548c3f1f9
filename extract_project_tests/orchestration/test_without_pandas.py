"""What a task imports that executes a single extract."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._grpc.types import ExecuteRunArgs

from extract_project.orchestration.names.executed import environment_of
from extract_project_tests.conftest import Site
from extract_project_tests.support.launched import code_location, launched, reconstructable

JOB = "__ASSET_JOB"
KEY = dg.AssetKey(["a", "first"])


@pytest.mark.slow
def test_the_task_of_one_extract_does_not_import_pandas(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ECS starts it: pyarrow and DuckDB would import pandas."""
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    checks = "checks: [{unique: a}, {sql: select a from result where a < 0}]"
    site.put_sql("a/first", f"/*---\n{checks}\n---*/\nselect 1 as a, 'x' as b, 1.5 as c")
    with (
        dg.instance_for_test(temp_dir=str(tmp_path)) as instance,
        code_location() as repository,
    ):
        run = launched(instance, repository, JOB, frozenset({KEY}))
        origin = reconstructable(JOB).get_python_origin()
        told = {**environment_of(run), "PYTHONPROFILEIMPORTTIME": "1"}
        assert "EXTRACT_RUN" in told
        _, *command = ExecuteRunArgs(origin, run.run_id, instance.get_ref()).get_command_args()
        done = subprocess.run(
            [sys.executable, "-m", "dagster", *command],
            env={**os.environ, **told},
            capture_output=True,
            text=True,
            check=True,
        )
        finished = instance.get_run_by_id(run.run_id)
    assert finished is not None
    assert finished.is_success
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"pyarrow.parquet", "duckdb"} <= imported
    assert "pandas.core" not in imported
