"""Redshift: types, parameters, errors, and what is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from extract_project.doctor.warehouses import sign_in
from extract_project.errors import (
    Cause,
    QueryTimeout,
    TypeMappingError,
    WarehouseError,
)
from extract_project.schema.choices import TypeChoices
from extract_project.warehouses.facts import ColumnFacts
from extract_project.warehouses.libpq.connection import Column
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project.warehouses.protocol import Query
from extract_project.warehouses.redshift import RedshiftSession
from extract_project.warehouses.redshift.streaming import rows_at_once
from extract_project_tests.support.postgres_admin import query
from extract_project_tests.support.redshift_server import (
    RedshiftServer,
    execute,
    redshift_server,
)
from extract_project_tests.support.rigs import LABEL, read, redshift_warehouse
from extract_project_tests.support.waiting import await_value

HOUR = timedelta(hours=1)


@pytest.fixture
def server(postgres: PostgresWarehouse) -> Iterator[RedshiftServer]:
    with redshift_server(postgres) as running:
        yield running


@pytest.fixture
def session(server: RedshiftServer) -> Iterator[RedshiftSession]:
    with redshift_warehouse(server).connect(LABEL, HOUR) as session:
        yield session


def table(session: RedshiftSession, text: str, **values: Any) -> pa.Table:
    result = session.execute(query(text, **values))
    return pa.Table.from_batches(list(result.batches()), result.schema)


@contextmanager
def role(server: RedshiftServer, *settings: str) -> Iterator[None]:
    """A user that may only read, with parameters of its own (`name = value`)."""
    execute(server.postgres, "create role reader login; grant pg_read_all_data to reader")
    try:
        for setting in settings:
            execute(server.postgres, f"alter role reader set {setting}")
        server.role = "reader"
        yield
    finally:
        execute(server.postgres, "drop owned by reader; drop role reader")


# Types.


@pytest.mark.parametrize(
    "case",
    [
        ("true", "boolean", pa.bool_(), True),
        ("-32768", "smallint", pa.int16(), -32768),
        ("2147483647", "int", pa.int32(), 2**31 - 1),
        ("-9223372036854775808", "bigint", pa.int64(), -(2**63)),
        ("12.5", "decimal(38, 10)", pa.decimal128(38, 10), Decimal("12.5")),
        ("-0.05", "decimal(3, 2)", pa.decimal128(3, 2), Decimal("-0.05")),
        ("7", "decimal(18, 0)", pa.int64(), 7),
        ("9223372036854775807", "decimal(38, 0)", pa.int64(), 2**63 - 1),
        ("0.1", "double precision", pa.float64(), 0.1),
        ("1.7976931348623157e308", "double precision", pa.float64(), 1.7976931348623157e308),
        ("-Infinity", "double precision", pa.float64(), float("-inf")),
        ("Größe\n", "varchar(20)", pa.string(), "Größe\n"),
        ("", "varchar", pa.string(), ""),
        ("ab", "char(4)", pa.string(), "ab  "),
        ("9999-12-31", "date", pa.date32(), date(9999, 12, 31)),
        ("0001-01-01", "date", pa.date32(), date(1, 1, 1)),
        ("23:59:59.999999", "time", pa.time64("us"), time(23, 59, 59, 999999)),
        (
            *("0001-01-01 00:00:00.000001", "timestamp", pa.timestamp("us")),
            datetime(1, 1, 1, 0, 0, 0, 1),
        ),
        (
            *("9999-12-31 23:59:59.999999+02", "timestamptz", pa.timestamp("us", "UTC")),
            datetime(9999, 12, 31, 21, 59, 59, 999999, UTC),
        ),
        ("\\x00ff", "bytea", pa.binary(), b"\x00\xff"),
        ('{"a": [1, null]}', "jsonb", pa.string(), '{"a": [1, null]}'),
    ],
    ids=lambda case: case[1],
)
def test_g5_types_and_limits(
    session: RedshiftSession, case: tuple[str, str, pa.DataType, Any]
) -> None:
    text, kind, expected, value = case
    sql = f"select cast('{text}' as {kind}) as c union all select cast(null as {kind})"
    found = read(session, sql)
    assert found.schema.types == [expected]
    assert found.column(0).to_pylist() == [value, None]
    assert session.describe(Query(sql)) == found.schema


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("real", "cast(c as double precision)"),
        ("interval", "interval has no exact type in files: cast it, cast(c as varchar)"),
        ("timetz", "timetz has no exact type in files: cast it, cast(c as varchar)"),
        ("point", "its type (number 600) is unknown here: cast it, cast(c as varchar)"),
    ],
)
def test_g5_what_no_file_keeps_is_refused_before_the_query_runs(
    session: RedshiftSession, kind: str, said: str
) -> None:
    with pytest.raises(TypeMappingError) as raised:
        session.execute(Query(f"select null::{kind} as c, pg_sleep(60)"))
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (3000, "geometry has no exact type in files: convert it, st_asewkt(c)"),
        (3001, "geography has no exact type in files: convert it, st_asewkt(c)"),
        (2935, "hllsketch has no exact type in files: convert it, hll_cardinality(c)"),
        (1188, "interval year to month has no exact type"),
        (1190, "interval day to second has no exact type"),
    ],
)
def test_g5_types_that_only_redshift_has_are_refused(
    server: RedshiftServer, session: RedshiftSession, number: int, said: str
) -> None:
    server.types[23] = number
    with pytest.raises(TypeMappingError) as raised:
        session.describe(Query("select 1 as c"))
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("infinity", "date"),
        ("-infinity", "timestamp"),
        ("infinity", "timestamptz"),
        ("0044-03-15 BC", "date"),
        ("0044-03-15 00:00:00 BC", "timestamp"),
        ("24:00:00", "time"),
    ],
)
def test_g5_a_value_that_files_lack_is_refused_with_its_place(
    session: RedshiftSession, value: str, kind: str
) -> None:
    sql = (
        f"select n, cast(case when n = 3 then '{value}' end as {kind}) as c "
        f"from generate_series(1, 3) n"
    )
    with pytest.raises(TypeMappingError, match=f"column 'c' has {value} in row 3; files have no"):
        read(session, sql)


def test_g5_numbers_without_a_precision_are_exact_or_text(session: RedshiftSession) -> None:
    assert read(session, "select sum(1.25) as c").schema.types == [pa.decimal128(38, 9)]
    found = read(session, "select 1.0 / 3 as c", TypeChoices(numeric="text"))
    assert found.column(0)[0].as_py().startswith("0.33333333333333")


@pytest.mark.parametrize(("sql", "shown"), [("1.0 / 3", "0.333"), ("'NaN'::decimal(5, 2)", "NaN")])
def test_g5_a_number_that_does_not_fit_is_refused(
    session: RedshiftSession, sql: str, shown: str
) -> None:
    with pytest.raises(TypeMappingError, match=f"column 'c' has {shown}"):
        read(session, f"select {sql} as c")


def test_g9_rows_are_read_as_wide_as_they_may_be() -> None:
    """By the lengths that the columns allow, so that a chunk takes 16 MiB at most."""
    narrow, wide = Column("n", 20, -1), Column("t", 1043, 65_535 + 4)
    assert rows_at_once([narrow]) == 10_000
    assert rows_at_once([narrow, wide]) == (16 << 20) // (65_535 + 64)
    assert rows_at_once([narrow, Column("t", 1043, -1)]) == rows_at_once([narrow, wide])
    assert rows_at_once([Column("s", 4000, -1)]) == 1


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [("repeat('x', 1000)::varchar(65535)", 1024, 1400), ("n", 10_000, 10_000)],
)
def test_g9_blocks_have_about_a_mebibyte_or_ten_thousand_rows(
    session: RedshiftSession, value: str, least: int, most: int
) -> None:
    result = session.execute(Query(f"select {value} as v from generate_series(1, 30001) n"))
    *sizes, last = [batch.num_rows for batch in result.batches()]
    assert sum(sizes) + last == 30_001
    assert len(sizes) >= 3
    assert all(least <= size <= most for size in sizes)


# What is sent.


def test_values_go_beside_the_text_with_their_types(
    server: RedshiftServer, session: RedshiftSession
) -> None:
    moment = datetime(2026, 1, 1, 6, tzinfo=UTC)
    found = table(
        session,
        "select :a as a, :b as b, :c as c, :d as d, :e as e, :f as f, :a as again, :g as g",
        **{"a": 7, "b": "it's \\", "c": Decimal("-0.050"), "d": moment, "e": True},
        **{"f": date(2026, 1, 1), "g": None},
    ).to_pylist()
    assert list(found[0].values()) == [
        *(7, "it's \\", Decimal("-0.050"), moment, True, date(2026, 1, 1), 7, None)
    ]
    (sent,) = {each for each in server.statements if each.startswith("select $1")}
    assert "cast($3 as decimal(3, 3)) as c" in sent


@pytest.mark.parametrize("value", [10**38, Decimal("1e-39"), Decimal("NaN")])
def test_a_number_that_redshift_lacks_is_refused(session: RedshiftSession, value: Any) -> None:
    with pytest.raises(WarehouseError, match=r":n is .*38 digits at most"):
        session.execute(query("select :n as n", n=value))


def test_a_nul_character_is_refused(session: RedshiftSession) -> None:
    with pytest.raises(WarehouseError, match=":t has a NUL character"):
        session.execute(query("select :t as t", t="a\0b"))


def test_g5_parameters_of_a_user_do_not_change_the_data(server: RedshiftServer) -> None:
    sql = (
        "select 0.1::float8 + 0.2::float8 as f, timestamptz '2026-01-01 06:00' as at, "
        "date '2026-03-04'::varchar as d"
    )
    with redshift_warehouse(server).connect(LABEL, HOUR) as session:
        before = read(session, sql)
    hostile = ("timezone = 'Asia/Tokyo'", "datestyle = 'SQL, DMY'", "extra_float_digits = -15")
    with role(server, *hostile), redshift_warehouse(server).connect(LABEL, HOUR) as session:
        assert read(session, sql).equals(before)
    assert before.to_pylist()[0]["f"] == 0.1 + 0.2


def test_the_transaction_is_read_only(server: RedshiftServer, session: RedshiftSession) -> None:
    execute(
        server.postgres,
        "create or replace function public.writes() returns int language plpgsql as "
        "'begin create table public.made (a int); return 1; end'",
    )
    result = session.execute(Query("select writes() as n"))
    with pytest.raises(WarehouseError, match="read-only transaction"):
        list(result.batches())


@pytest.mark.parametrize("sql", ["copy (select 1) to stdout", "select array[1] as a"])
def test_what_redshift_lacks_the_double_refuses(session: RedshiftSession, sql: str) -> None:
    """So no test passes that sends it."""
    with pytest.raises(WarehouseError, match=r"at or near|not supported"):
        session.execute(Query(sql))


def test_the_query_group_and_the_application_name_say_whose_it_is(server: RedshiftServer) -> None:
    group = "show query_group"
    with redshift_warehouse(server).connect(LABEL, HOUR) as session:
        ours = session.connection.query(group)
        name = session.connection.query("show application_name")
    chosen = redshift_warehouse(server, query_group="nightly").connect(LABEL, HOUR)
    with chosen as session:
        own = session.connection.query(group)
    assert (ours, name, own) == (
        [("extract sales/orders run-1",)],
        [("extract sales/orders run-1",)],
        [("nightly",)],
    )


# Limits and errors.


def test_the_server_ends_a_query_at_its_limit(server: RedshiftServer) -> None:
    with (
        role(server, "statement_timeout = 300"),
        redshift_warehouse(server).connect(LABEL, HOUR) as session,
        pytest.raises(QueryTimeout, match="statement_timeout of the user or parameter group"),
    ):
        list(session.execute(Query("select pg_sleep(60)::varchar as n")).batches())


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("42501", "permission denied for relation orders", (Cause.PERMISSION, False)),
        ("XX000", "1023", (Cause.BUSY, True)),
        ("XX000", "Disk Full", (Cause.BUSY, False)),
        ("XX000", "S3ServiceException:Access Denied", (Cause.PERMISSION, False)),
        ("XX000", "Invalid digit, Value a, Pos 0", (Cause.SQL, False)),
        ("57P01", "terminating connection", (Cause.NETWORK, True)),
        ("53300", "connection limit reached", (Cause.BUSY, True)),
        ("22012", "division by zero", (Cause.SQL, False)),
    ],
)
def test_the_cause_of_an_error(
    server: RedshiftServer,
    session: RedshiftSession,
    code: str,
    message: str,
    expected: tuple[Cause, bool],
) -> None:
    execute(
        server.postgres,
        "create or replace function public.fails(code text, said text) returns int "
        "language plpgsql as 'begin raise exception using errcode = code, message = said; end'",
    )
    result = session.execute(Query(f"select fails('{code}', '{message}') as n"))
    with pytest.raises(WarehouseError) as raised:
        list(result.batches())
    assert (raised.value.cause, raised.value.transient) == expected
    assert message in str(raised.value)


@pytest.mark.parametrize("rows", [1, 10_000, 10_001, 29_999])
def test_a_result_that_breaks_off_is_no_result(server: RedshiftServer, rows: int) -> None:
    server.breaks_after_rows = rows + 1  # the first row is the own limit of the user
    found: list[pa.RecordBatch] = []
    with redshift_warehouse(server).connect(LABEL, HOUR) as session:
        result = session.execute(Query("select n from generate_series(1, 30000) n"))
        with pytest.raises(WarehouseError, match=r"after [\d,]+ rows") as raised:
            found.extend(result.batches())
    assert sum(each.num_rows for each in found) <= rows
    assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)


def test_a_result_without_its_end_is_no_result(
    server: RedshiftServer, session: RedshiftSession
) -> None:
    result = session.execute(Query("select n from generate_series(1, 100) n"))
    server.forgets_the_end = True
    with pytest.raises(WarehouseError) as raised:
        list(result.batches())
    assert raised.value.transient


def test_columns_that_change_between_description_and_rows_are_noticed(
    server: RedshiftServer, session: RedshiftSession
) -> None:
    result = session.execute(Query("select 1 as n"))
    server.types[23] = 20
    with pytest.raises(WarehouseError, match="was changed while it was read") as raised:
        list(result.batches())
    assert raised.value.transient


def test_an_error_in_the_middle_is_at_its_row(session: RedshiftSession) -> None:
    result = session.execute(Query("select 1 / (20000 - n) as n from generate_series(1, 30000) n"))
    with pytest.raises(WarehouseError, match=r"after 1\d,\d\d\d rows: division by zero"):
        list(result.batches())


# The catalogue.


def test_facts_of_a_table(server: RedshiftServer, session: RedshiftSession) -> None:
    execute(
        server.postgres,
        "create schema if not exists facts; drop table if exists facts.orders; "
        "create table facts.orders (id int primary key, note varchar); "
        "comment on column facts.orders.note is 'the shop''s'",
    )
    found = session.facts('Facts."orders"')
    assert found.columns == (ColumnFacts("id", False), ColumnFacts("note", True, "the shop's"))
    assert found.keys == ()
    with pytest.raises(WarehouseError, match=r"no table 'facts\.nope'"):
        session.facts("facts.nope")


def test_a_text_that_the_server_could_end_elsewhere_is_not_sent(session: RedshiftSession) -> None:
    with pytest.raises(WarehouseError, match="has a backslash"):
        session.facts('facts."a\\"')


def test_changes_need_the_right_to_see_what_others_write(server: RedshiftServer) -> None:
    execute(
        server.postgres,
        "create schema if not exists shop; drop table if exists shop.orders; "
        "create table shop.orders as select 1 as id; delete from redshift.role_members",
    )
    with role(server), redshift_warehouse(server).connect(LABEL, HOUR) as session:
        with pytest.raises(WarehouseError, match="grant role sys:monitor") as raised:
            session.last_changes(["shop.orders"])
        assert raised.value.cause is Cause.PERMISSION
        execute(
            server.postgres,
            "insert into redshift.role_members values ('reader', 'sys:monitor')",
        )
        changes = session.last_changes(["shop.orders", "shop.nope"])
        assert session.last_changes(['shop."a\\"']) == {}
    assert list(changes) == ["shop.orders"]
    assert "not in seven days" in changes["shop.orders"].token


def test_the_doctor_finds_an_administrator(server: RedshiftServer) -> None:
    findings = list(sign_in("red", redshift_warehouse(server)))
    assert [each.ok for each in findings] == [True, False]
    with role(server):
        assert [each.ok for each in sign_in("red", redshift_warehouse(server))] == [True, True]


@pytest.mark.parametrize("hears_no_cancel", [False, True])
def test_g8_a_cancel_ends_the_query_at_the_server(
    server: RedshiftServer, hears_no_cancel: bool
) -> None:
    """By a second connection, if need be."""
    server.hears_no_cancel = hears_no_cancel
    with redshift_warehouse(server).connect(LABEL, HOUR) as session:
        result = session.execute(Query("select pg_sleep(60)::varchar as n"))
        failed: list[WarehouseError] = []

        def run() -> None:
            try:
                list(result.batches())
            except WarehouseError as error:
                failed.append(error)

        running = threading.Thread(target=run)
        running.start()
        await_value("the query", lambda: _active(server) == 1)
        session.cancel()
        running.join()
    await_value("its end", lambda: _active(server) == 0)
    assert "the run was stopped, and its query cancelled" in str(failed[0])
    assert any("pg_cancel_backend" in each for each in server.statements) == hears_no_cancel


def _active(server: RedshiftServer) -> int:
    found = execute(
        server.postgres,
        "select count(*) from pg_stat_activity "
        "where application_name like 'extract %' and state = 'active'",
    )
    return int(found[0])
