"""Extracts from Databricks in a process of their own, configured by the environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import PROGRAM
from extract_project_tests.support.databricks_server import databricks_server
from extract_project_tests.support.rigs import databricks_service, databricks_settings
from extract_project_tests.support.waiting import await_value

HEADER = "/*---\nwarehouse: bricks\n---*/\n"
MANY = f"{HEADER}select i as a from range(8000) t(i) order by i"
SLOW = f"{HEADER}select count(*) as n from range(100000000000) t(n) where n % 7 = 3"


@pytest.mark.slow
def test_g8_one_is_published_and_sigterm_ends_the_statement_of_the_next(site: Site) -> None:
    """As ECS stops a task."""
    site.put_sql("a/many", MANY)
    site.put_sql("a/slow", SLOW)
    with databricks_server(databricks_service(chunk_rows=1000)) as workspace:
        statements = workspace.service.statements
        process = subprocess.Popen(
            [str(PROGRAM), "materialize", "a/many", "a/slow", "--json"],
            env={**os.environ, **site.environment, **databricks_settings(workspace)},
            stdout=subprocess.PIPE,
        )
        await_value(
            "the slow one", lambda: [each for each in statements if each.sql == SLOW] or None
        )
        process.send_signal(signal.SIGTERM)
        stdout, _ = process.communicate(timeout=60)
        done = {each["extract"]: each["outcome"] for each in json.loads(stdout)["extracts"]}
        assert done == {"a/many": "succeeded", "a/slow": "cancelled"}
        assert [each.state for each in statements] == ["SUCCEEDED", "CANCELED"]
    body = pa.py_buffer(site.body("extracts/a/many.parquet"))
    assert pq.read_table(body).to_pydict() == {"a": list(range(8000))}
