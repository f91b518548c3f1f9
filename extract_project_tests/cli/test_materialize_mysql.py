"""Extracts from MariaDB in a process of their own, configured by the environment."""

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
from extract_project_tests.support.mariadb_server import MariaDB
from extract_project_tests.support.waiting import await_value

HEADER = "/*---\nwarehouse: maria\n---*/\n"
MANY = f"{HEADER}select seq as a, repeat('x', 500) as t from seq_1_to_8000 order by seq"
SLOW = (
    f"{HEADER}select count(*) as n from seq_1_to_100000000 a join seq_1_to_100000000 b "
    "on a.seq % 7 = b.seq % 3"
)
RUNNING = (
    "select 1 from information_schema.processlist "
    "where command = 'Execute' and info like '/* extract a/slow, run %'"
)


@pytest.mark.slow
def test_g8_one_is_published_and_sigterm_ends_the_query_of_the_next(
    site: Site, mariadb: MariaDB
) -> None:
    """As ECS stops a task."""
    site.put_sql("a/many", MANY)
    site.put_sql("a/slow", SLOW)
    process = subprocess.Popen(
        [str(PROGRAM), "materialize", "a/many", "a/slow", "--json"],
        env={**os.environ, **site.environment, **mariadb.settings("maria")},
        stdout=subprocess.PIPE,
    )
    await_value("the slow one", lambda: mariadb.execute(RUNNING) or None)
    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=60)
    done = {each["extract"]: each["outcome"] for each in json.loads(stdout)["extracts"]}
    assert done == {"a/many": "succeeded", "a/slow": "cancelled"}
    assert mariadb.execute(RUNNING) == []
    body = pa.py_buffer(site.body("extracts/a/many.parquet"))
    assert pq.read_table(body).column("a").to_pylist() == list(range(1, 8001))
