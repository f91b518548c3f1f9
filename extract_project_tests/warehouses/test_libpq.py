"""Connections by libpq, against a real Postgres."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from extract_project.warehouses.libpq.connection import Column
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project.warehouses.postgres.copying import CopyConnection
from extract_project.warehouses.redshift.streaming import StreamingConnection
from extract_project.warehouses.waiting import begin

_SECONDS = 30
_ROWS = "select n, n::text from generate_series(1, 3000000) n"


def copied(server: Any) -> tuple[CopyConnection, Iterator[object]]:
    connection = CopyConnection(server)
    connection.start_copy(f"copy ({_ROWS}) to stdout")
    return connection, connection.blocks()


def streamed(server: Any) -> tuple[StreamingConnection, Iterator[object]]:
    connection = StreamingConnection(server)
    return connection, connection.rows(_ROWS, (), (), [Column("n", 23, -1), Column("text", 25, -1)])


def close_while_read(conninfo: str, opened: Callable[[Any], Any], attempts: int) -> None:
    readings = []
    for _ in range(attempts):
        connection, rows = opened(psycopg.pq.PGconn.connect(conninfo.encode()))
        has_begun = threading.Event()

        def read(rows: Iterator[object] = rows, has_begun: threading.Event = has_begun) -> None:
            for _ in rows:
                has_begun.set()

        readings.append(begin("read", read))
        assert has_begun.wait(_SECONDS)
        connection.close()
    for reading in readings:
        with pytest.raises(psycopg.Error):
            reading.result(_SECONDS)


@pytest.mark.slow
@pytest.mark.parametrize(("opened", "attempts"), [(copied, 3), (streamed, 30)])
def test_a_connection_may_be_closed_while_a_thread_reads_from_it(
    postgres: PostgresWarehouse, opened: Callable[[Any], Any], attempts: int
) -> None:
    """In a process of its own: libpq's memory was freed in use, which ended the process."""
    conninfo = f"host={postgres.host} user={postgres.user} dbname={postgres.database}"
    arguments = (conninfo, opened, attempts)
    process = multiprocessing.get_context("spawn").Process(target=close_while_read, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 0
