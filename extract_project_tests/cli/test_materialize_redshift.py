"""Extracts from Redshift in a process of their own, configured by the environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import PROGRAM
from extract_project_tests.support.redshift_server import execute, redshift_server
from extract_project_tests.support.rigs import redshift_settings
from extract_project_tests.support.waiting import await_value

HEADER = "/*---\nwarehouse: red\n---*/\n"
MANY = f"{HEADER}select n as a from generate_series(1, 8000) n order by n"
SLOW = f"{HEADER}select count(*) as n from generate_series(1, 100000000000)"
RUNNING = (
    "select count(*) from pg_stat_activity where application_name like 'extract a/slow%' "
    "and state = 'active'"
)


@pytest.mark.soak
def test_g8_one_is_published_and_sigterm_ends_the_query_of_the_next(
    site: Site, postgres: PostgresWarehouse
) -> None:
    """As ECS stops a task."""
    site.put_sql("a/many", MANY)
    site.put_sql("a/slow", SLOW)
    with redshift_server(postgres) as cluster:
        process = subprocess.Popen(
            [str(PROGRAM), "materialize", "a/many", "a/slow", "--json"],
            env={**os.environ, **site.environment, **redshift_settings(cluster)},
            stdout=subprocess.PIPE,
        )
        await_value("the slow one", lambda: execute(postgres, RUNNING)[0] == 1)
        process.send_signal(signal.SIGTERM)
        stdout, _ = process.communicate(timeout=60)
        await_value("its end", lambda: execute(postgres, RUNNING)[0] == 0)
    done = {each["extract"]: each["outcome"] for each in json.loads(stdout)["extracts"]}
    assert done == {"a/many": "succeeded", "a/slow": "cancelled"}
    body = pa.py_buffer(site.body("extracts/a/many.parquet"))
    assert pq.read_table(body).to_pydict() == {"a": list(range(1, 8001))}
