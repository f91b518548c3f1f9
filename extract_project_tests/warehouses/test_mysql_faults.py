"""MySQL over a network that breaks or falls silent, and whose business a failure is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from extract_project.errors import Cause, QueryCancelled, QueryTimeout, WarehouseError
from extract_project.sql.query import Query
from extract_project.warehouses.conformance.rig import LABEL
from extract_project.warehouses.mysql import MySQLWarehouse
from extract_project_tests.support.mariadb_server import MariaDB, read, table
from extract_project_tests.support.postgres_admin import HOUR, query
from extract_project_tests.support.relay import Relay, relay_to
from extract_project_tests.support.waiting import await_value

ROWS = "select seq as n, repeat('x', 100) as t from seq_1_to_100"
MANY = "select seq as n, repeat('x', 1000) as t from seq_1_to_200000"


@contextmanager
def network(server: MariaDB) -> Iterator[tuple[Relay, MySQLWarehouse]]:
    with relay_to(server.socket) as found:
        yield found, server.over_tcp(port=found.port)


def test_g5_rows_that_end_with_the_connection_are_an_error(mariadb: MariaDB) -> None:
    """Wherever it ends: in a packet, between two, or before the last."""
    with network(mariadb) as (whole, warehouse):
        with warehouse.connect(LABEL, HOUR) as session:
            before = whole.replied
            result = session.execute(Query(ROWS))
            described = whole.replied
            assert sum(batch.num_rows for batch in result.batches()) == 100
        size = whole.replied
    row = (size - described) // 100
    places = [before + 1, (before + described) // 2, *range(size - 2 * row, size - 1, 7)]
    for place in [*places, *range(size - 30, size - 11)]:
        with network(mariadb) as (broken, warehouse):
            broken.breaks_after = place
            with (
                pytest.raises(WarehouseError, match="was lost: ") as raised,
                warehouse.connect(LABEL, HOUR) as session,
            ):
                list(session.execute(Query(ROWS)).batches())
        assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True), place


def test_a_connection_that_is_killed_loses_no_row_without_a_word(mariadb: MariaDB) -> None:
    with mariadb.warehouse.connect(LABEL, HOUR) as session:
        result = session.execute(Query(MANY))
        batches = result.batches()
        next(batches)
        mariadb.execute(f"kill {result.query_id.rpartition(' ')[2]}")
        with pytest.raises(WarehouseError, match=r"after [\d,]+ rows: ") as raised:
            list(batches)
    assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)


def test_a_query_that_somebody_kills_is_not_tried_again(mariadb: MariaDB) -> None:
    with mariadb.warehouse.connect(LABEL, HOUR) as session:
        result = session.execute(Query(MANY))
        batches = result.batches()
        next(batches)
        mariadb.execute(f"kill query {result.query_id.rpartition(' ')[2]}")
        with pytest.raises(QueryCancelled, match="in the server, but not by this run") as raised:
            list(batches)
    assert not raised.value.transient


@pytest.mark.slow
@pytest.mark.parametrize("moment", [b"start transaction", b"\x16/* extract", b"\x17"])
def test_g8_a_silent_network_is_left_at_a_cancel(mariadb: MariaDB, moment: bytes) -> None:
    """The reply never comes, nor can a second connection end the query."""
    with network(mariadb) as (silent, warehouse), warehouse.connect(LABEL, HOUR) as session:
        silent.silent_after = moment

        def cancel() -> None:
            silent.silent.wait(60)
            silent.silent_after = b""
            session.cancel()

        cancelling = threading.Thread(target=cancel)
        cancelling.start()
        with pytest.raises(QueryCancelled, match=r"did not confirm it.*'KILL \d+'"):
            list(session.execute(query("select :n as n", n=1)).batches())
        cancelling.join()


def test_a_silent_server_lets_nobody_in_and_nobody_wait(mariadb: MariaDB) -> None:
    with network(mariadb) as (silent, warehouse):
        silent.silent_after = b"reader"
        with (
            pytest.raises(WarehouseError, match="no answer within 1 s") as raised,
            warehouse.connect(LABEL, timedelta(seconds=1)),
        ):
            pass
    assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)


def test_g8_the_server_ends_what_takes_too_long(mariadb: MariaDB) -> None:
    """By the lower of its own limit and ours, and the error says whose it was."""
    slow = Query("select count(*) as n from seq_1_to_100000000 a join seq_1_to_100000000 b")
    for own, limit, said in (
        ("0.1", HOUR, "after 0.1 s .*raise the time limit of the server or its user"),
        ("0", timedelta(seconds=-59.5), "after 1 s .*raise 'timeout' in the header"),
    ):
        mariadb.execute(f"set global max_statement_time = {own}")
        try:
            with mariadb.warehouse.connect(LABEL, limit) as session:
                mariadb.execute("set global max_statement_time = 0")
                with pytest.raises(QueryTimeout, match=said):
                    list(session.execute(slow).batches())
        finally:
            mariadb.execute("set global max_statement_time = 0")


@pytest.mark.parametrize(
    ("fields", "cause", "transient", "said"),
    [
        ({"password": None}, Cause.SIGN_IN, False, "Access denied for user 'reader'"),
        ({"user": "nobody"}, Cause.SIGN_IN, False, "failed for user 'nobody': Access denied"),
        ({"database": "nowhere"}, Cause.SETTINGS, False, "Unknown database 'nowhere'"),
        ({"port": 1}, Cause.NETWORK, True, "mysql at 127.0.0.1:1"),
        ({"sslmode": "verify-full"}, Cause.SETTINGS, False, "self-signed certificate.*SSLROOTCERT"),
        ({"sslmode": "verify-ca"}, Cause.SETTINGS, False, "self-signed certificate.*SSLROOTCERT"),
        ({"sslmode": "require", "sslrootcert": "/nowhere"}, Cause.SETTINGS, False, "SSLROOTCERT"),
        ({"host": "no.such.host.invalid"}, Cause.NETWORK, True, "no.such.host.invalid:"),
    ],
)
def test_a_refused_sign_in_says_what_to_correct(
    mariadb: MariaDB, fields: dict[str, Any], cause: Cause, transient: bool, said: str
) -> None:
    with (
        pytest.raises(WarehouseError, match=said) as raised,
        mariadb.over_tcp(**fields).connect(LABEL, HOUR),
    ):
        pass
    assert (raised.value.cause, raised.value.transient) == (cause, transient)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("sql", "said", "place"),
    [
        ("select 1,\n  2 frm x y\nfrom t", "syntax", (2, 9)),
        ("select 1 from (\nselect 2", "syntax", (2, 9)),
        ("select a.nope\nfrom shop.t as a", "Unknown column 'a.nope'", (1, 8)),
        ("select 'nope', `nope`\nfrom shop.t", "Unknown column 'nope'", (1, 16)),
        ("select n from shop.t\norder by shop.nope(n)", "does not exist", (2, 10)),
        ("select *\nfrom shop.nope", "doesn't exist", (2, 6)),
        ("select n\nfrom shop.t x, shop.t y", "ambiguous", (1, 8)),
        ("select x.* from\n shop.t y", "Unknown table 'shop.x'", (1, 8)),
    ],
)
def test_an_error_names_its_place(
    mariadb: MariaDB, sql: str, said: str, place: tuple[int, int]
) -> None:
    mariadb.execute("create or replace table shop.t (n int)", "grant execute on *.* to reader")
    try:
        for ask in ("execute", "describe"):
            with (
                mariadb.warehouse.connect(LABEL, HOUR) as session,
                pytest.raises(WarehouseError, match=said) as raised,
            ):
                getattr(session, ask)(Query(sql))
            error = raised.value
            assert (error.cause, error.transient) == (Cause.SQL, False)
            assert (error.line, error.column) == place
    finally:
        mariadb.execute("revoke execute on *.* from reader", "drop table shop.t")


def test_a_missing_right_is_named(mariadb: MariaDB) -> None:
    mariadb.execute(
        "create or replace table shop.t (n int, secret int)",
        "create user clerk identified by 'hunter2'",
        "grant select (n) on shop.t to clerk",
    )
    clerk = mariadb.over_tcp(user="clerk")
    try:
        for sql, place in (
            ("select n,\n secret from shop.t", (2, 2)),
            ("select t.n\nfrom shop.t, shop.orders", (2, 14)),
            ("select * from mysql.db", (1, 15)),
        ):
            with (
                clerk.connect(LABEL, HOUR) as session,
                pytest.raises(WarehouseError, match=r"denied.*: grant select on it") as raised,
            ):
                session.execute(Query(sql))
            error = raised.value
            assert (error.cause, error.transient) == (Cause.PERMISSION, False)
            assert (error.line, error.column) == place
        with (
            clerk.connect(LABEL, HOUR) as session,
            pytest.raises(WarehouseError, match="PROCESS") as raised,
        ):
            session.last_changes(["shop.t"])
        assert raised.value.cause == Cause.PERMISSION
    finally:
        mariadb.execute("drop user clerk; drop table shop.t")


def test_a_locked_table_is_tried_again(mariadb: MariaDB) -> None:
    mariadb.execute("create or replace table shop.t (n int)", "set global lock_wait_timeout = 1")
    try:
        with mariadb.admin() as locking, locking.cursor() as cursor:
            cursor.execute("lock tables shop.t write")
            with pytest.raises(WarehouseError, match="Lock wait timeout") as raised:
                read(mariadb, "select n from shop.t")
        assert (raised.value.cause, raised.value.transient) == (Cause.BUSY, True)
    finally:
        mariadb.execute("set global lock_wait_timeout = default; drop table shop.t")


def test_g5_a_table_that_is_rebuilt_while_it_is_read_is_read_to_its_end(mariadb: MariaDB) -> None:
    """The statement holds its tables, and its rows are those of one moment."""
    mariadb.execute(
        "create or replace table shop.t (n int, t text)",
        "insert into shop.t select seq, repeat('x', 2000) from shop.seq_1_to_5000",
    )
    waiting = "select 1 from information_schema.processlist where state like 'Waiting for table%'"
    with mariadb.warehouse.connect(LABEL, HOUR) as session:
        result = session.execute(Query("select n from (select n, t from shop.t) t where t > ''"))
        mariadb.execute("delete from shop.t where n > 100")
        truncating = threading.Thread(target=mariadb.execute, args=("truncate shop.t",))
        truncating.start()
        await_value("the truncate to wait", lambda: mariadb.execute(waiting))
        assert sum(batch.num_rows for batch in result.batches()) == 5000
        truncating.join()
        assert table(session, Query("select n from shop.t")).num_rows == 0
    mariadb.execute("drop table shop.t")


def test_g7_a_function_that_writes_cannot(mariadb: MariaDB) -> None:
    """Whoever lets the user execute one: the transaction only reads."""
    mariadb.execute(
        "create or replace table shop.t (n int)",
        "create or replace function shop.note() returns int modifies sql data "
        "begin insert into shop.t values (1); return 1; end",
        "grant execute on *.* to reader",
    )
    try:
        with pytest.raises(WarehouseError, match="READ ONLY transaction"):
            read(mariadb, "select shop.note() as n")
        assert mariadb.execute("select count(*) from shop.t") == [(0,)]
    finally:
        mariadb.execute("revoke execute on *.* from reader")
        mariadb.execute("drop function shop.note; drop table shop.t")
