"""Extracts from ClickHouse in a process of their own, configured by the environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from extract_project_tests.conftest import Site
from extract_project_tests.support.chdb_server import ChdbServer, chdb_engine, chdb_server
from extract_project_tests.support.commands import PROGRAM
from extract_project_tests.support.rigs import clickhouse_settings
from extract_project_tests.support.waiting import await_value

pytestmark = pytest.mark.own_engine
HEADER = "/*---\nwarehouse: click\n---*/\n"
MANY = f"{HEADER}select number as a, concat('some text, ', toString(number)) as t from numbers(%d)"
SLOW = f"{HEADER}select count() as n from numbers(100000000000000) where number % 7 = 3"


@pytest.fixture
def click(tmp_path: Path) -> Iterator[ChdbServer]:
    with chdb_engine(tmp_path / "clickhouse") as engine, chdb_server(engine) as server:
        yield server


def test_g8_one_is_published_and_sigterm_kills_the_query_of_the_next(
    site: Site, click: ChdbServer
) -> None:
    """As ECS stops a task."""
    site.put_sql("a/many", MANY % 4_000_000)
    site.put_sql("a/slow", SLOW)
    service = click.service
    process = subprocess.Popen(
        [str(PROGRAM), "materialize", "a/many", "a/slow", "--json"],
        env={**os.environ, **site.environment, **clickhouse_settings(click)},
        stdout=subprocess.PIPE,
    )
    await_value("the slow one", lambda: any(each.sql == SLOW for each in service.asked))
    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=60)
    done = {each["extract"]: each["outcome"] for each in json.loads(stdout)["extracts"]}
    assert done == {"a/many": "succeeded", "a/slow": "cancelled"}
    assert service.kills >= 1
    assert not service.running
    table = pq.read_table(pa.py_buffer(site.body("extracts/a/many.parquet")))
    assert table.num_rows == 4_000_000
    assert pc.sum(table["a"]).as_py() == 4_000_000 * 3_999_999 // 2
