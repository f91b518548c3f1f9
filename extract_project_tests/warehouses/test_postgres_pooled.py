"""PostgreSQL behind a real pgbouncer: extracts work, and other clients never notice them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from extract_project.errors import Cause, ExtractError, QueryCancelled, WarehouseError
from extract_project.warehouses.postgres import PostgresSession, PostgresWarehouse
from extract_project_tests.support.pgbouncer import client, pgbouncer
from extract_project_tests.support.postgres_admin import (
    HOUR,
    LABEL,
    admin,
    query,
    read,
    role,
    table,
)
from extract_project_tests.support.waiting import await_value


@pytest.fixture
def rows(postgres: PostgresWarehouse) -> Iterator[None]:
    with admin(postgres) as connection:
        connection.execute(
            "create table bt as select n, date '2026-01-31' as day, '\\x00ff'::bytea as bytes "
            "from generate_series(1, 1000) n"
        )
        yield
        connection.execute("drop table bt")


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_g5_a_busy_pool(postgres: PostgresWarehouse, rows: None, tmp_path: Path, mode: str) -> None:
    """Others' statements run on the pool's connections all the time, with settings of their own."""
    size = 2 if mode == "transaction" else 4
    with pgbouncer(postgres, tmp_path, mode=mode, size=size) as pooled:
        stop = threading.Event()

        def be_busy() -> None:
            with client(pooled) as connection:
                while not stop.is_set():
                    with connection.transaction():
                        connection.execute("set local datestyle = 'German'")
                        connection.execute("set local bytea_output = 'escape'")
                        connection.execute("select pg_sleep(0.005)")

        others = [threading.Thread(target=be_busy) for _ in range(2)]
        for other in others:
            other.start()
        try:
            for _ in range(5):
                found = read(pooled, "select * from bt")
                assert (found.num_rows, found["day"][0].as_py()) == (1000, date(2026, 1, 31))
                assert found["bytes"][0].as_py() == b"\x00\xff"
                named = read(
                    pooled, "select *, :a as a, :A as b from bt where n = :n", a=1, A=2, n=7
                )
                assert [named[name][0].as_py() for name in ("n", "a", "b")] == [7, 1, 2]
        finally:
            stop.set()
            for other in others:
                other.join()


@pytest.mark.parametrize(
    "leaves",
    [
        ["set search_path = others"],
        ["create temporary table bt as select 0 as n"],
        ["set role other"],
        ["set role other", "set search_path = others"],
    ],
    ids=["search_path", "temporary table", "role", "both"],
)
def test_g5_names_mean_what_they_mean_to_the_role_whatever_another_client_left(
    postgres: PostgresWarehouse, rows: None, tmp_path: Path, leaves: list[str]
) -> None:
    """In a pool by transaction, what a client sets stays with the connection."""
    with admin(postgres) as connection, pgbouncer(postgres, tmp_path, mode="transaction") as pooled:
        connection.execute("create schema others; create table others.bt as select 0 as n")
        connection.execute("create role other; grant select on bt to other")
        connection.execute("alter table bt enable row level security")  # its owner sees all
        try:
            with client(pooled) as other:
                for statement in leaves:
                    other.execute(statement.encode())
                user, path = "select current_user", "show search_path"
                left = [other.execute(each).fetchone() for each in (user, path)]
                assert read(pooled, "select n from public.bt").num_rows == 1000
                assert read(pooled, "select n from bt").num_rows == 1000
                assert [other.execute(each).fetchone() for each in (user, path)] == left
        finally:
            connection.execute("drop schema others cascade")
            connection.execute("drop owned by other; drop role other")


@pytest.mark.parametrize("path", ["''", '"$user", public', "nowhere", "app, public", "pg_temp"])
def test_the_search_path_of_the_role_stays(postgres: PostgresWarehouse, path: str) -> None:
    with role(postgres, f"search_path = {path}") as reader:
        found = read(reader, "select pg_catalog.current_setting('search_path') as path")
    shown = '""' if path == "''" else path
    assert found["path"].to_pylist() == [f"{shown}, pg_temp"]


def _read_it(session: PostgresSession) -> None:
    table(session, "select *, :a as a from bt", a=1)


def _describe_it(session: PostgresSession) -> None:
    session.describe(query("select *, :a as a from bt", a=1))


def _ask_for_changes(session: PostgresSession) -> None:
    session.last_changes(["bt"])


def _fail_to_describe(session: PostgresSession) -> None:
    session.execute(query("select nope from bt where n = :a", a=1))


def _fail_among_rows(session: PostgresSession) -> None:
    table(session, "select 1 / (900 - n) as a from bt")


def _leave_early(session: PostgresSession) -> None:
    batches = session.execute(query("select generate_series(1, 10000000) as n")).batches()
    next(batches)
    session.cancel()


def _do_not_read(session: PostgresSession) -> None:
    session.execute(query("select *, :a as a from bt", a=1))


def _refuse_a_type(session: PostgresSession) -> None:
    session.execute(query("select interval '1 day' as a"))


def _try_to_write(session: PostgresSession) -> None:
    table(session, "select lo_create(0) as a")


def _change_the_session(session: PostgresSession) -> None:
    table(session, "select set_config('work_mem', '123kB', false) as a")


ENDS = [
    *(_read_it, _describe_it, _ask_for_changes, _fail_to_describe, _fail_among_rows),
    *(_leave_early, _do_not_read, _refuse_a_type, _try_to_write, _change_the_session),
]


@pytest.mark.parametrize("end", ENDS, ids=[end.__name__ for end in ENDS])
def test_g7_an_idle_pool_is_left_as_it_was(
    postgres: PostgresWarehouse,
    rows: None,
    tmp_path: Path,
    end: Callable[[PostgresSession], None],
) -> None:
    """However an extract ends, the next client of the pool's only connection finds no trace."""
    shown = (
        "statement_timeout", "TimeZone", "DateStyle", "transaction_read_only", "search_path",
        "default_transaction_read_only", "extra_float_digits", "lc_time", "work_mem",
    )  # fmt: skip
    asked = f"select {', '.join(f'current_setting({name!r})' for name in shown)}"
    with pgbouncer(postgres, tmp_path, mode="transaction") as pooled, client(pooled) as other:
        before = other.execute(asked.encode()).fetchone()
        for _ in range(2):
            with pooled.connect(LABEL, HOUR) as session, suppress(ExtractError):
                end(session)
            assert other.execute(asked.encode()).fetchone() == before
            other.execute("insert into bt select 1")
            other.execute("set time zone 'UTC'; reset time zone")


def test_g8_a_cancel_reaches_the_server(postgres: PostgresWarehouse, tmp_path: Path) -> None:
    with (
        pgbouncer(postgres, tmp_path, mode="transaction") as pooled,
        pooled.connect(LABEL, HOUR) as session,
        admin(postgres) as connection,
    ):
        result = session.execute(query("select generate_series(1, 10000000000) as n"))
        batches = result.batches()
        next(batches)
        backend = result.query_id.split()[1]

        def runs() -> tuple[Any, ...] | None:
            return connection.execute(
                "select 1 from pg_stat_activity where pid = %s and query like 'copy %%' "
                "and state = 'active'",
                (backend,),
            ).fetchone()

        assert runs(), "the query's id is the server's own"
        session.cancel()
        with pytest.raises(QueryCancelled):  # a server sees no cancel while it waits to send
            deque(batches, maxlen=0)
        await_value("the end of the query", lambda: not runs())


def test_a_pool_of_statements_is_refused_with_its_reason(
    postgres: PostgresWarehouse, tmp_path: Path
) -> None:
    with (
        pgbouncer(postgres, tmp_path, mode="statement") as pooled,
        pytest.raises(WarehouseError, match=r"statement pooling mode.*pool_mode") as raised,
    ):
        read(pooled, "select 1 as a")
    assert raised.value.cause is Cause.BUSY
