"""Extracts from BigQuery in a process of their own, configured by the environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extract_project_tests.conftest import Site
from extract_project_tests.support.bigquery_server import bigquery_server
from extract_project_tests.support.commands import PROGRAM
from extract_project_tests.support.rigs import bigquery_service, bigquery_settings
from extract_project_tests.support.waiting import await_value

HEADER = "/*---\nwarehouse: big\n---*/\n"
MANY = f"{HEADER}select i as a from unnest(generate_array(1, 8000)) as i order by i"
SLOW = (
    f"{HEADER}select count(*) as n from unnest(generate_array(1, 100000000000)) as i "
    f"where mod(i, 7) = 3"
)
DEAR = "/*---\nwarehouse: big\nmax_bytes: 1MB\n---*/\nselect id from shop.orders"


@pytest.mark.soak
def test_g8_one_is_published_and_sigterm_ends_the_job_of_the_next(site: Site) -> None:
    """As ECS stops a task."""
    site.put_sql("a/dear", DEAR)
    site.put_sql("a/many", MANY)
    site.put_sql("a/slow", SLOW)
    with bigquery_server(bigquery_service(chunk_rows=1000)) as project:
        jobs = project.service.jobs
        process = subprocess.Popen(
            [str(PROGRAM), "materialize", "a/dear", "a/many", "a/slow", "--json"],
            env={**os.environ, **site.environment, **bigquery_settings(project)},
            stdout=subprocess.PIPE,
        )
        await_value("the slow one", lambda: [each for each in jobs if each.sql == SLOW] or None)
        process.send_signal(signal.SIGTERM)
        stdout, _ = process.communicate(timeout=60)
        told = {each["extract"]: each for each in json.loads(stdout)["extracts"]}
        assert {path: each["outcome"] for path, each in told.items()} == {
            "a/dear": "failed",
            "a/many": "succeeded",
            "a/slow": "cancelled",
        }
        assert "a/dear.sql:3:1: " in told["a/dear"]["failure_report"]
        assert [each.error and each.error.reason for each in jobs] == [None, "stopped"]
    body = pa.py_buffer(site.body("extracts/a/many.parquet"))
    assert pq.read_table(body).to_pydict() == {"a": list(range(1, 8001))}
