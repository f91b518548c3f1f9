"""PostgreSQL: one read-only transaction of our own, whatever roles, databases and others set."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from extract_project.errors import (
    Cause,
    QueryCancelled,
    QueryTimeout,
    TypeMappingError,
    WarehouseError,
)
from extract_project.values import Value
from extract_project.warehouses.postgres import PostgresSession, PostgresWarehouse
from extract_project.warehouses.postgres.result import PostgresResult
from extract_project_tests.support.postgres_admin import (
    HOUR,
    LABEL,
    admin,
    database,
    query,
    read,
    role,
    table,
)
from extract_project_tests.support.waiting import await_value


@pytest.fixture
def session(postgres: PostgresWarehouse) -> Iterator[PostgresSession]:
    with postgres.connect(LABEL, HOUR) as session:
        yield session


# Encodings


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1252", "EUC_JIS_2004", "UTF8"])
def test_g5_text_of_a_database_in_another_encoding(
    postgres: PostgresWarehouse, encoding: str
) -> None:
    word, other = ("日本", "東京") if encoding.startswith("EUC") else ("Müller", "größe")
    with database(postgres, encoding) as warehouse:
        with admin(warehouse) as connection:
            connection.execute(f'create table t as select 1 as id, %s as "{other}"', (word,))
        for text, values in (
            (f"select * from t where \"{other}\" = '{word}'", {}),
            (f'select * from t where "{other}" = :n', {"n": word}),
        ):
            assert read(warehouse, text, **values).to_pydict() == {"id": [1], other: [word]}
        with warehouse.connect(LABEL, HOUR) as session:
            assert session.describe(query("select * from t")).names == ["id", other]
            with pytest.raises(WarehouseError, match="nope") as raised:
                session.execute(query(f"select '{word}' as a, nope"))
        assert raised.value.column == len(f"select '{word}' as a, ") + 1


def test_g5_a_role_with_another_encoding(postgres: PostgresWarehouse) -> None:
    with role(postgres, "client_encoding = 'LATIN1'") as warehouse:
        found = read(warehouse, "select 'Müller' as name, length('Müller') as n, '€' as euro")
    assert found.to_pylist() == [{"name": "Müller", "n": 6, "euro": "€"}]


def test_g5_what_the_database_cannot_hold_is_named(postgres: PostgresWarehouse) -> None:
    with (
        database(postgres, "LATIN1") as warehouse,
        pytest.raises(WarehouseError, match=r'"LATIN1".*22P05.*leave it out of the SQL file'),
    ):
        read(warehouse, "/* → */ select 1 as a")


def test_g5_bytes_of_a_database_without_an_encoding(postgres: PostgresWarehouse) -> None:
    """The error's own advice reads them."""
    with database(postgres, "SQL_ASCII") as warehouse:
        with admin(warehouse) as connection:
            connection.execute(
                "create table t as select n, case n when 7 then e'a\\\\b \"\\n\" M\\374ller' "
                "else 'plain \"\\n\"' end as name from generate_series(1, 9) n"
            )
        with pytest.raises(WarehouseError, match=r"after 6 rows.*22021.*convert_to\(name") as r:
            read(warehouse, "select * from t order by n")
        assert not r.value.transient
        advice = str(r.value).partition("write ")[2]
        found = read(warehouse, f"select {advice} as name from t where n = 7")
        assert found["name"].to_pylist() == ['a\\b "\n" Müller']


# Settings of others

ODD = {
    "DateStyle": "German",
    "IntervalStyle": "iso_8601",
    "TimeZone": "America/New_York",
    "bytea_output": "escape",
    "extra_float_digits": "-10",
    "xmlbinary": "hex",
    "xmloption": "document",
    "array_nulls": "off",
    "quote_all_identifiers": "on",
    "lc_monetary": "de_DE.UTF-8",
    "lc_numeric": "de_DE.UTF-8",
    "lc_time": "de_DE.UTF-8",
    "default_text_search_config": "pg_catalog.german",
    "standard_conforming_strings": "off",
    "transform_null_equals": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "off",
}
VALUES = """
select date '2026-01-31' as day, timestamptz '2026-07-01 12:00+02' as moment,
    ('2026-07-01 12:00'::timestamptz)::text as spelled, '26/03/04'::date::text as ambiguous,
    (interval '1 month 2 days')::text as span, '\\x00ff'::bytea as bytes, 0.1::float8 as f,
    to_tsvector('the houses')::text as words, 'a\\b' as slash, '{null}'::text[] as nothing,
    (select count(*) from generate_series(1, 3) n where nullif(n, 2) = null) as nulls,
    pg_get_viewdef('pg_catalog.pg_roles'::regclass) as source
"""


def test_g5_no_setting_of_a_role_or_database_changes_a_value(postgres: PostgresWarehouse) -> None:
    expected = read(postgres, VALUES).to_pylist()
    assert expected[0]["spelled"] == "2026-07-01 12:00:00+00"
    assert expected[0]["ambiguous"] == "2026-03-04"
    assert expected[0]["nulls"] == 0
    settings = [f"{name} = '{value}'" for name, value in ODD.items() if not name.startswith("lc_")]
    with role(postgres, *settings) as warehouse:
        assert read(warehouse, VALUES).to_pylist() == expected


@pytest.mark.parametrize("values", [{}, {"n": 1}], ids=["without values", "with values"])
def test_g5_settings_are_the_transactions_alone(
    session: PostgresSession, values: dict[str, Value]
) -> None:
    """Nothing is left on a connection that a pooler gives to the next client."""
    asked = (
        "select current_setting('TimeZone'), current_setting('statement_timeout'), "
        "current_setting('transaction_read_only'), current_setting('DateStyle'), "
        "coalesce(current_setting('extract.p0', true), '')"
    )
    before = session.connection.query(asked)
    text = "select :n as n" if values else "select 1 as n"
    assert table(session, text, **values)["n"].to_pylist() == [1]
    assert session.connection.query(asked) == before
    session.describe(query(text, **values))
    assert session.connection.query(asked) == before
    session.last_changes(["pg_class"])
    assert session.connection.query(asked) == before
    assert before[0][2] == "off"


def test_g5_the_search_path_stays_the_users(postgres: PostgresWarehouse) -> None:
    with admin(postgres) as connection:
        connection.execute("create schema mine; create table mine.own as select 'mine' as a")
        # What shadows a name of Postgres' own is not taken for it.
        connection.execute(
            "create function mine.current_setting(text) returns text language sql return 'no'; "
            "create function mine.to_json(text[]) returns text language sql return 'no'; "
            "create domain mine.text as pg_catalog.text check (value = 'no'); "
            "create domain mine.date as pg_catalog.text"
        )
        try:
            with role(postgres, "search_path = mine, pg_catalog") as warehouse:
                connection.execute("grant usage on schema mine to public")
                found = read(
                    warehouse,
                    "select a, :x as x, :d as d, array['b'::pg_catalog.text] as c from own",
                    x="yes",
                    d=date(2026, 1, 1),
                )
        finally:
            connection.execute("drop schema mine cascade")
    assert found.to_pylist() == [{"a": "mine", "x": "yes", "d": date(2026, 1, 1), "c": '["b"]'}]


# Others at work meanwhile


@pytest.fixture
def ddl(postgres: PostgresWarehouse) -> Iterator[psycopg.Connection[Any]]:
    """A connection that changes `ddl` (1, 2), and what is built on it, and waits for no lock."""
    with admin(postgres, options="-c lock_timeout=100ms") as connection:
        connection.execute("create table ddl as select 1 as a, 2 as b")
        connection.execute("create table base as select 1 as a, 2 as b")
        connection.execute("create view seen as select * from base")
        connection.execute("create materialized view kept_rows as select * from base")
        connection.execute("create table parts (a int, b int) partition by list (a)")
        connection.execute("create table part_1 partition of parts for values in (1)")
        connection.execute("insert into parts values (1, 2)")
        try:
            yield connection
        finally:
            connection.execute("reset lock_timeout; drop table ddl, base, parts cascade")


@pytest.mark.parametrize("values", [{}, {"one": 1}], ids=["without values", "with values"])
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ddl", "alter table ddl drop column b; alter table ddl add column price int default 7"),
        ("ddl", "alter table ddl add column c int default 3"),
        ("ddl", "alter table ddl alter column b type text using 'x'"),
        ("ddl", "alter table ddl rename column b to c"),
        ("ddl", "drop table ddl cascade"),
        ("ddl", "truncate ddl"),
        ("ddl", "alter table ddl rename to other; create table ddl as select 7 as a, 8 as b"),
        ("seen", "create or replace view seen as select b as a, a as b from base"),
        ("seen", "alter view seen rename column b to c"),
        ("seen", "drop view seen"),
        ("seen", "truncate base"),
        ("kept_rows", "refresh materialized view kept_rows"),
        ("parts", "alter table parts drop column b"),
        ("parts", "drop table part_1"),
    ],
)
def test_g5_what_is_read_cannot_change_meanwhile(
    session: PostgresSession,
    ddl: psycopg.Connection[Any],
    name: str,
    change: str,
    values: dict[str, Value],
) -> None:
    """It waits for the locks of the transaction, which begin with the description."""
    where = "where 1 = :one" if values else ""
    result = session.execute(query(f"select * from {name} {where}", **values))
    with pytest.raises(psycopg.errors.LockNotAvailable), ddl.transaction():
        ddl.execute(change.encode())
    (batch,) = result.batches()
    assert batch.to_pylist() == [{"a": 1, "b": 2}]
    with ddl.transaction(force_rollback=True):
        ddl.execute(change.encode())  # no lock is left


@pytest.mark.parametrize("name", ["ddl", "seen", "parts"])
def test_g5_a_table_that_is_being_filled_anew_is_waited_for(
    postgres: PostgresWarehouse, ddl: psycopg.Connection[Any], name: str
) -> None:
    """With a snapshot of before, a truncated table looks empty, and a role may ask for one."""
    target = {"parts": "part_1", "seen": "base"}.get(name, name)
    found: list[Any] = []
    with (
        role(postgres, "default_transaction_isolation = 'repeatable read'") as warehouse,
        admin(postgres) as watching,
    ):
        with ddl.transaction():
            ddl.execute(f"truncate {target}".encode())
            ddl.execute(f"insert into {target} values (1, 20)".encode())
            reading = threading.Thread(
                target=lambda: found.extend(read(warehouse, f"select * from {name}").to_pylist())
            )
            reading.start()
            await_value(
                "the extract to wait for the lock",
                lambda: watching.execute(
                    "select 1 from pg_stat_activity "
                    "where usename = 'reader' and wait_event_type = 'Lock'"
                ).fetchone(),
            )
        reading.join(30)
    assert found == [{"a": 1, "b": 20}]


@pytest.mark.parametrize(
    ("before", "text", "change"),
    [
        (
            "create function rows_of() returns table (a int, b int) language sql as 'select 1, 2'",
            "select * from rows_of()",
            "drop function rows_of(); create function rows_of() returns table (a int, c int) "
            "language sql as 'select 7, 8'",
        ),
        (
            "create function rows_of() returns table (a int, b int) language sql as 'select 1, 2'",
            "select * from rows_of()",
            "drop function rows_of(); create function rows_of() returns table (a int) "
            "language sql as 'select 7'",
        ),
        (
            "create function rows_of() returns table (a int, b int) language sql as 'select 1, 2'",
            "select a, b from rows_of()",
            "drop function rows_of(); create function rows_of() returns table (b int, a text) "
            "language sql as $$select 7, '8'$$",
        ),
        (
            "create function rows_of() returns int language sql return 1",
            "select rows_of() as a",
            "drop function rows_of()",
        ),
        (
            "create function rows_of() returns int language sql return 1",
            "select array[rows_of()] as a, 2 as b",
            "drop function rows_of()",
        ),
        (
            "create schema early; create function rows_of() returns int language sql return 1; "
            "create table late as select 1 as a",
            "select a from late",
            "create table early.late as select '7' as a",
        ),
    ],
    ids=["renamed", "fewer", "another type", "dropped", "dropped, among arrays", "shadowed"],
)
def test_g5_what_no_lock_holds_changes_no_row(
    postgres: PostgresWarehouse, before: str, text: str, change: str
) -> None:
    """Functions, and names that the search path finds elsewhere: either the server still has them
    as they were, or the run fails and is tried again.
    """
    with admin(postgres) as connection:
        connection.execute(before.encode())
        try:
            with role(postgres, "search_path = early, public") as warehouse:
                connection.execute("grant usage on schema public to public")
                with warehouse.connect(LABEL, HOUR) as session:
                    if "early" in change:
                        connection.execute("grant usage on schema early to public")
                    before_it = table(session, text).to_pylist()
                    result = session.execute(query(text))
                    connection.execute(change.encode())
                    assert _rows_or_retry(result) in (before_it, "again")
        finally:
            connection.execute(
                "drop function if exists rows_of; drop table if exists late; "
                "drop schema if exists early cascade"
            )


def _rows_or_retry(result: PostgresResult) -> object:
    try:
        return [row for batch in result.batches() for row in batch.to_pylist()]
    except WarehouseError as error:
        return "again" if error.transient else error


# Limits of others


@pytest.mark.parametrize("whose", ["role", "database"])
def test_g8_the_lower_statement_timeout_counts(postgres: PostgresWarehouse, whose: str) -> None:
    slow = "select count(*) as n from generate_series(1, 10000000000) n"
    with admin(postgres) as connection, role(postgres) as warehouse:
        on = "role reader" if whose == "role" else "database postgres"
        connection.execute(f"alter {on} set statement_timeout = '300ms'".encode())
        try:
            with pytest.raises(
                QueryTimeout, match=r"0\.3 s \(57014\).*statement_timeout of the role or database"
            ):
                read(warehouse, slow)
        finally:
            connection.execute(f"alter {on} reset statement_timeout".encode())
        with (
            warehouse.connect(LABEL, timedelta(hours=2)) as session,
            session.explaining(),
        ):
            session.execute(query("select 1 as a"))
            (shown,) = session.connection.query("show statement_timeout")
            assert shown == ("121min",)


def test_g8_a_timeout_is_no_cancel_and_no_cancel_a_timeout(postgres: PostgresWarehouse) -> None:
    """Both have one code; the server's sentences are in its own language."""
    with postgres.connect(LABEL, HOUR) as session, admin(postgres) as connection:
        result = session.execute(query("select generate_series(1, 10000000000) as n"))
        batches = result.batches()
        next(batches)
        connection.execute("select pg_cancel_backend(%s)", (result.query_id.split()[1],))
        with pytest.raises(QueryCancelled, match="but not by this run"):
            list(batches)


def test_g8_the_transaction_timeout_of_a_role(postgres: PostgresWarehouse) -> None:
    with (
        role(postgres, "transaction_timeout = '300ms'") as warehouse,
        pytest.raises(QueryTimeout, match=r"25P04.*transaction_timeout") as raised,
    ):
        read(warehouse, "select count(*) as n from generate_series(1, 10000000000) n")
    assert raised.value.cause is Cause.TIMEOUT


def test_a_role_that_forbids_to_idle_in_a_transaction(postgres: PostgresWarehouse) -> None:
    with (
        role(postgres, "idle_in_transaction_session_timeout = '200ms'") as warehouse,
        warehouse.connect(LABEL, HOUR) as session,
        admin(postgres) as connection,
    ):
        result = session.execute(query("select 1 as a"))
        await_value(
            "the server to end the session",
            lambda: (
                not connection.execute(
                    "select 1 from pg_stat_activity where usename = 'reader'"
                ).fetchone()
            ),
        )
        with pytest.raises(WarehouseError, match="25P03") as raised:
            list(result.batches())
    assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)


# Parameters


def test_parameters_that_differ_in_case_only_are_two(session: PostgresSession) -> None:
    found = table(session, "select :a as x, :A as y, :a as z", a=1, A=2)
    assert found.to_pylist() == [{"x": 1, "y": 2, "z": 1}]


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "\\", "\\\\x", "e'\\n", "'", '"', "$1", ":b", "é🙂", "a\r\n\tb", "null"),
        *("x" * 5_000_000, -(2**63), 2**63 - 1, 10**30, True, False, None),
        *(Decimal("1E+5"), Decimal("0.10"), date(1, 1, 1), datetime(9999, 12, 31, 23, 59)),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_values_survive(session: PostgresSession, value: Value) -> None:
    kind = {Decimal: "::numeric(20, 2)", int: "::numeric(38, 2)"}.get(type(value), "")
    found = table(session, f"select :v{kind} as v", v=value)
    assert found["v"].to_pylist() == [value]


def test_a_nul_in_a_value_is_refused(session: PostgresSession) -> None:
    with pytest.raises(WarehouseError, match=":m has a NUL character") as raised:
        session.execute(query("select :m as a", m="a\0b"))
    assert (raised.value.cause, raised.value.transient) == (Cause.SQL, False)


# Types


@pytest.mark.parametrize(
    ("sql", "kind", "value"),
    [
        ("0.00123::numeric(3, 5)", "decimal128(5, 5)", Decimal("0.00123")),
        ("(-0.00999)::numeric(3, 5)", "decimal128(5, 5)", Decimal("-0.00999")),
        ("12345::numeric(3, -2)", "int64", 12300),
        ("99900::numeric(3, -2)", "int64", 99900),
        ("'1e-38'::numeric(2, 38)", "decimal128(38, 38)", Decimal("1e-38")),
        ("'1e-60'::numeric(2, 60)", "decimal256(60, 60)", Decimal("1e-60")),
        ("array['b''s', 'a \"\\']::mood[]", "string", '["b\'s","a \\"\\\\"]'),
        ("array[1.5, 'NaN']::small[]", "string", '[1.5,"NaN"]'),
        ("array[row(1, 'x')::pair]", "string", '[{"a":1,"b":"x"}]'),
        ("'1 2'::int2vector", "string", "1 2"),
        ("array['1.1.1.1'::inet]", "string", '["1.1.1.1"]'),
        ("'{1,2}'::list", "string", "[1,2]"),
    ],
)
def test_g5_types_that_a_database_defines(
    postgres: PostgresWarehouse, sql: str, kind: str, value: object
) -> None:
    with admin(postgres) as connection, connection.transaction(force_rollback=False):
        connection.execute(
            "create type mood as enum ('a \"\\', 'b''s'); create domain small as numeric; "
            "create type pair as (a int, b text); create domain list as int[]"
        )
    try:
        found = read(postgres, f"select {sql} as a")
    finally:
        with admin(postgres) as connection:
            connection.execute("drop type mood, pair; drop domain small, list")
    assert (str(found.schema.types[0]), found["a"].to_pylist()) == (kind, [value])


@pytest.mark.parametrize(
    "kind", ["interval", "timetz", "money", "interval[]", "timetz[]", "money[]", "span", "span[]"]
)
def test_g5_what_is_refused_is_refused_in_an_array_too(
    postgres: PostgresWarehouse, kind: str
) -> None:
    with admin(postgres) as connection:
        connection.execute("create domain span as interval")
        try:
            with pytest.raises(TypeMappingError, match=r"column 'a': .*cast it to text"):
                read(postgres, f"select null::{kind} as a")
            assert read(postgres, f"select null::{kind}::text as a").num_rows == 1
        finally:
            connection.execute("drop domain span")


@pytest.mark.parametrize(
    "sql", ["select from generate_series(1, 3)", "select * from (select) t", "select where false"]
)
def test_g5_a_result_without_columns_is_refused(session: PostgresSession, sql: str) -> None:
    with pytest.raises(TypeMappingError, match="the result has no columns"):
        session.execute(query(sql))


# Changes of tables


def test_changes_of_many_tables_at_once(postgres: PostgresWarehouse) -> None:
    """Odd names are found, and one that may not be looked at keeps no other from being seen."""
    names = {
        "odd.größe": 'odd."größe"',
        "odd.A b": 'odd."A b"',
        "odd.a.b": 'odd."a.b"',
        'odd.x"y': 'odd."x""y"',
        "postgres.odd.plain": "odd.plain",
        "odd.seen": "odd.kept",
    }
    with admin(postgres) as connection, role(postgres) as reader:
        connection.execute("create schema odd; create schema hidden; create table hidden.t (n int)")
        try:
            for name in names.values():
                connection.execute(f"create table {name} (n int)".encode())
            connection.execute("create view odd.seen as select * from odd.kept")
            connection.execute("revoke all on schema hidden from public")
            connection.execute(
                "grant usage on schema odd to reader; revoke pg_read_all_data from reader"
            )
            asked = [
                *names,
                "hidden.t",
                "no_such_table",
                "a.b.c.d",
                "",
                *map("t{}".format, range(2000)),
            ]
            with reader.connect(LABEL, HOUR) as session:
                before = session.last_changes(asked)
                assert set(names) <= set(before) <= {*names, "hidden.t"}
                assert session.last_changes(asked) == before

                def changed() -> set[str]:
                    return {
                        name
                        for name, change in session.last_changes(asked).items()
                        if change != before[name]
                    }

                for asked_for, name in names.items():
                    connection.execute(f"insert into {name} values (1)".encode())
                    connection.execute("select pg_stat_force_next_flush()")
                    await_value(f"a change of {name} alone", lambda: changed() or None)
                    assert changed() == {asked_for}
                    before = session.last_changes(asked)
        finally:
            connection.execute("drop schema odd, hidden cascade")
