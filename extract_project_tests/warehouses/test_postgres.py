"""PostgreSQL: exact types over COPY, a read-only transaction, errors by code, cancelling."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from extract_project.errors import TypeMappingError, WarehouseError
from extract_project.manifest.extract import Extract
from extract_project.manifest.parsing import Dialects, parse_extract
from extract_project.schema.annotations import descriptions_of
from extract_project.schema.choices import WIDEST
from extract_project.source import SqlSource
from extract_project.sql.postgres import Postgres
from extract_project.warehouses.postgres import PostgresSession, PostgresWarehouse
from extract_project.warehouses.protocol import Label, Placeholder, Query
from extract_project_tests.support.waiting import await_value

LABEL, HOUR = Label("a/b", "v1", "run-1"), timedelta(hours=1)


@pytest.fixture
def session(postgres: PostgresWarehouse) -> Iterator[PostgresSession]:
    with postgres.connect(LABEL, HOUR) as session:
        yield session


def admin(postgres: PostgresWarehouse) -> psycopg.Connection[Any]:
    return psycopg.connect(host=postgres.host, user="postgres", autocommit=True)


def table(session: PostgresSession, sql: str | Query) -> pa.Table:
    result = session.execute(Query(sql) if isinstance(sql, str) else sql)
    return pa.Table.from_batches(list(result.batches()), result.schema)


LEAST = Decimal("-99999999999999999999999999999.999999999")
TYPES: list[tuple[str, pa.DataType, object]] = [
    ("true", pa.bool_(), True),
    ("(-32768)::smallint", pa.int16(), -32768),
    ("2147483647::int", pa.int32(), 2**31 - 1),
    ("9223372036854775807::bigint", pa.int64(), 2**63 - 1),
    ("12::numeric(18, 0)", pa.int64(), 12),
    ("9223372036854775807::numeric(38, 0)", pa.int64(), 2**63 - 1),
    ("12.50", pa.decimal128(38, 9), Decimal("12.5")),
    ("'-99999999999999999999999999999.999999999'::numeric", pa.decimal128(38, 9), LEAST),
    (
        "1234567890123456789012345678.0123456789::numeric(38, 10)",
        pa.decimal128(38, 10),
        Decimal("1234567890123456789012345678.0123456789"),
    ),
    ("0.00000001::numeric(9, 8)", pa.decimal128(9, 8), Decimal("0.00000001")),
    ("12345::numeric(3, -3)", pa.int64(), 12000),
    ("'1'::numeric(1000, 0)", pa.int64(), 1),
    ("0.1::real", pa.float32(), pytest.approx(0.1)),
    ("0.1::double precision", pa.float64(), 0.1),
    ("'-Infinity'::double precision", pa.float64(), float("-inf")),
    ("date '0001-01-01'", pa.date32(), date(1, 1, 1)),
    ("date '9999-12-31'", pa.date32(), date(9999, 12, 31)),
    ("time '23:59:59.999999'", pa.time64("us"), time(23, 59, 59, 999999)),
    ("timestamp '0001-01-01 00:00:00'", pa.timestamp("us"), datetime(1, 1, 1)),
    (
        "timestamp '9999-12-31 23:59:59.999999'",
        pa.timestamp("us"),
        datetime(9999, 12, 31, 23, 59, 59, 999999),
    ),
    (
        "timestamptz '2026-03-29 02:30:00+01:00'",
        pa.timestamp("us", "UTC"),
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    ),
    ("''::text", pa.string(), ""),
    ("e'a \"b\", c\\r\\n\\\\N \\t é🙂'::text", pa.string(), 'a "b", c\r\n\\N \t é🙂'),
    ("'ab'::char(5)", pa.string(), "ab   "),
    ("'\\x00ff'::bytea", pa.binary(), b"\x00\xff"),
    ("''::bytea", pa.binary(), b""),
    ("'{\"a\": 1.50}'::json", pa.string(), '{"a": 1.50}'),
    ("'{\"a\": 1.50}'::jsonb", pa.string(), '{"a": 1.50}'),
    (
        "'2f9bcf4c-6d5e-4c1f-9d4f-0a4b1c2d3e4f'::uuid",
        pa.string(),
        "2f9bcf4c-6d5e-4c1f-9d4f-0a4b1c2d3e4f",
    ),
    ("array[1, null, 3]", pa.string(), "[1,null,3]"),
    ("array['a', 'b \"c\"']", pa.string(), '["a","b \\"c\\""]'),
    ("inet '10.0.0.1/8'", pa.string(), "10.0.0.1/8"),
    ("int4range(1, 5)", pa.string(), "[1,5)"),
]


@pytest.mark.parametrize("sql", ["select from generate_series(1, 3)", "select * from (select) t"])
def test_a_result_without_columns_is_refused(session: PostgresSession, sql: str) -> None:
    with pytest.raises(TypeMappingError, match="the result has no columns"):
        table(session, sql)


@pytest.mark.parametrize(("sql", "kind", "value"), TYPES, ids=[sql for sql, _, _ in TYPES])
def test_g5_types_and_limits(
    session: PostgresSession, sql: str, kind: pa.DataType, value: object
) -> None:
    found = table(
        session,
        f"with v as (select {sql} as a) select a from v union all select a from v where false",
    )
    assert found.schema.field("a").type == kind
    assert found["a"].to_pylist() == [value]


@pytest.mark.parametrize(("sql", "kind", "value"), TYPES, ids=[sql for sql, _, _ in TYPES])
def test_g5_null_and_no_rows_have_the_same_schema(
    session: PostgresSession, sql: str, kind: pa.DataType, value: object
) -> None:
    if "numeric" not in sql and "char(5)" not in sql:  # `case` forgets their modifiers
        rows = f"select case n when 1 then {sql} end as a from generate_series(0, 1) n"
        assert table(session, rows)["a"].to_pylist() == [None, value]
    nothing = table(session, f"select {sql} as a where false")
    assert (nothing.schema.field("a").type, nothing.num_rows) == (kind, 0)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select interval '1 day' as i", "column 'i': interval"),
        ("select timetz '01:00+02' as t", "column 't': time with time zone"),
        ("select 1::money as m", "column 'm': money"),
        ('select 1 as a, 2 as "A"', "columns 'a' and 'A' have the same name"),
        ("select date 'infinity' as d", "column 'd': .*infinity.*replace it in the SQL"),
        ("select timestamp '-infinity' as t", "column 't': .*-infinity"),
        ("select date '0044-03-15 BC' as d", "column 'd': .*BC"),
        ("select 'NaN'::numeric(9, 2) as n", "column 'n': .*NaN"),
    ],
)
def test_g5_what_no_file_keeps_is_an_error(
    session: PostgresSession, sql: str, message: str
) -> None:
    with pytest.raises(TypeMappingError, match=message):
        table(session, sql)


@pytest.mark.parametrize(
    ("sql", "shown", "keeps"),
    [
        ("9223372036854775808::numeric(38, 0)", "9223372036854775808", "'integers: decimal'"),
        ("(-9223372036854775809)::numeric(19, 0)", "-9223372036854775809", "'integers: decimal'"),
        ("1e40::numeric(50, 0)", f"1{'0' * 40}", "cast it to text"),
        ("'NaN'::numeric(38, 0)", "NaN", "nullif(a, 'NaN')"),
        ("1::numeric / 3", "0.33333333333333333333", "round(a, 9) in the SQL, or 'numeric: text'"),
        ("1e30::numeric", f"1{'0' * 30}", "no room for: write 'numeric: text' in the header"),
        ("'NaN'::numeric", "NaN", "nullif(a, 'NaN'), or write 'numeric: text'"),
        ("'-Infinity'::numeric", "-Infinity", "nullif(a, '-Infinity'), or write 'numeric: text'"),
    ],
)
def test_g5_a_value_beyond_is_refused_with_the_key_that_keeps_it(
    session: PostgresSession, sql: str, shown: str, keeps: str
) -> None:
    """In a later block than the first."""
    kind = sql.partition("::")[2] if sql.endswith(")") else "numeric"
    select = f"select null::{kind} as a, repeat('x', 100) as t from generate_series(1, 100000) "
    select += f"union all select {sql}, null"
    with pytest.raises(TypeMappingError) as raised:
        table(session, select)
    assert f"column 'a' has {shown} in row 100,001, " in str(raised.value)
    assert keeps in str(raised.value)


@pytest.mark.parametrize(
    ("sql", "kind", "value"),
    [
        ("9223372036854775808::numeric(19, 0)", pa.decimal128(19, 0), Decimal(2**63)),
        ("1e40::numeric(50, 0)", pa.decimal256(50, 0), Decimal(10**40)),
        ("1::numeric / 3", pa.string(), "0.33333333333333333333"),
        ("12.50", pa.string(), "12.50"),
        ("'NaN'::numeric", pa.string(), "NaN"),
        ("'Infinity'::numeric", pa.string(), "Infinity"),
    ],
)
def test_g5_what_is_chosen_keeps_every_value(
    session: PostgresSession, sql: str, kind: pa.DataType, value: object
) -> None:
    for rows, expected in (("where true", [value]), ("where false", [])):
        found = table(session, Query(f"select {sql} as a {rows}", types=WIDEST))
        assert (found.schema.field("a").type, found["a"].to_pylist()) == (kind, expected)


def test_a_declared_type_comes_before_what_is_chosen(session: PostgresSession) -> None:
    sql = "select 12::numeric(20, 0) as a, 1.5 as b, 1.5 as c, 7.0 as d"
    declared = {
        "a": pa.decimal128(20, 0),
        "b": pa.decimal128(5, 2),
        "c": pa.string(),
        "d": pa.int64(),
    }
    found = table(session, Query(sql, declared=declared))
    assert dict(zip(found.schema.names, found.schema.types, strict=True)) == declared
    assert found.to_pylist() == [{"a": Decimal(12), "b": Decimal("1.5"), "c": "1.5", "d": 7}]
    with pytest.raises(TypeMappingError, match=r"'b' has 1.555 in row 1, .*: declare a wider type"):
        table(session, Query("select 1.555 as b", declared=declared))


def test_g5_many_rows_of_every_length(session: PostgresSession) -> None:
    """Several blocks, one value larger than a block, and quoted line ends where blocks end."""
    found = table(
        session,
        "select n, case when n % 7 = 0 then null when n = 50000 then repeat('x', 6000000) "
        "else repeat(e'\"\\n', (n % 13)::int) end as t from generate_series(1, 300000) n",
    )
    assert found.num_rows == 300_000
    expected: list[str | None] = ['"\n' * (n % 13) for n in range(1, 300_001)]
    expected[6::7] = [None] * len(expected[6::7])
    expected[49_999] = "x" * 6_000_000
    assert found["t"].to_pylist() == expected


def test_one_nullable_column(session: PostgresSession) -> None:
    found = table(session, "select nullif(n, 2) as n from generate_series(1, 3) n")
    assert found["n"].to_pylist() == [1, None, 3]


@pytest.mark.parametrize(
    "value",
    [7, True, "x' or 1=1 --", "", Decimal("1.50"), date(2026, 1, 1), datetime(2026, 1, 1, 6), None],
    ids=str,
)
def test_values_are_bound_never_spliced(session: PostgresSession, value: Any) -> None:
    text = "select :v::text as v, count(*) as n from generate_series(1, 3)"
    found = table(session, Query(text, (Placeholder("v", 7, 9),), values={"v": value}))
    shown = {None: None, True: "true"}.get(value, str(value))
    assert found.to_pydict() == {"v": [shown], "n": [3]}


def test_what_stands_behind_the_statement_is_left_out(session: PostgresSession) -> None:
    header = "/*---\nparams: {n: 2}\n---*/\n"
    text = f"{header}select g as a -- rows;\nfrom generate_series(1, :n) g ; -- the end"
    source = SqlSource(key="k", version_id=None, etag="e", sha256="s")
    extract = parse_extract("a/b", text.encode(), source, Dialects({"pg": Postgres()}, "pg"))
    assert isinstance(extract, Extract)
    assert table(session, extract.query())["a"].to_pylist() == [1, 2]


@pytest.mark.parametrize(
    "sql",
    [
        "select set_config('transaction_read_only', 'off', false), nextval('s')",
        "with d as (delete from kept returning *) select * from d",
        "select pg_catalog.lo_create(0)",
    ],
)
def test_g7_the_transaction_is_read_only_at_the_server(
    postgres: PostgresWarehouse, session: PostgresSession, sql: str
) -> None:
    with admin(postgres) as connection:
        connection.execute("create table if not exists kept as select 1 as a")
        connection.execute("create sequence if not exists s")
        with pytest.raises(WarehouseError):
            table(session, sql)
        assert connection.execute("select count(*) from kept").fetchone() == (1,)


def test_comments_of_columns_that_pass_through_describe_them(
    postgres: PostgresWarehouse, session: PostgresSession
) -> None:
    with admin(postgres) as connection:
        connection.execute("create table if not exists said (a int, b text, c int)")
        connection.execute("create or replace view said_again as select a, b as other from said")
        connection.execute("comment on column said.a is 'the \nshop''s number'")
        connection.execute("comment on column said.b is 'ü'")
        connection.execute("comment on column said_again.other is 'of the view'")

    def found(sql: str) -> dict[str, str]:
        schema = session.describe(Query(sql))
        result = session.execute(Query(sql))
        assert result.schema.equals(schema, check_metadata=True)
        assert all(batch.schema.equals(schema) for batch in result.batches())
        return descriptions_of(schema)

    assert found("select a as id, b, c, a + 1 as d from said") == {
        "id": "the shop's number",
        "b": "ü",
    }
    assert found("with x as (select a, b from said) select b as a, a as b from x") == {
        "a": "ü",
        "b": "the shop's number",
    }
    assert found("select * from said_again") == {"other": "of the view"}
    assert found("select a from said union all select c from said") == {}
    assert found("select 1 as a") == {}


def test_an_error_points_at_the_line_of_the_file(session: PostgresSession) -> None:
    with pytest.raises(WarehouseError) as raised:
        session.execute(Query("/*---\n---*/\nselect 1,\n  nope\nfrom pg_class"))
    assert (raised.value.line, raised.value.column) == (4, 3)
    assert 'column "nope" does not exist (42703)' in str(raised.value)
    assert not raised.value.transient


def test_an_error_among_the_rows(session: PostgresSession) -> None:
    with pytest.raises(WarehouseError, match=r"division by zero \(22012\)"):
        table(session, "select 1 / (200000 - n) as a from generate_series(1, 300000) n")


def test_a_connection_that_is_lost_is_transient(
    postgres: PostgresWarehouse, session: PostgresSession
) -> None:
    result = session.execute(Query("select n from generate_series(1, 100000000) n"))
    batches = result.batches()
    next(batches)
    with admin(postgres) as connection:
        connection.execute("select pg_terminate_backend(%s)", (result.query_id.split()[1],))
    with pytest.raises(WarehouseError) as raised:
        list(batches)
    assert raised.value.transient


def test_a_wrong_password_names_the_settings(postgres: PostgresWarehouse) -> None:
    nobody = postgres.model_copy(update={"database": "no_such_database"})
    with (
        pytest.raises(WarehouseError, match="no_such_database") as raised,
        nobody.connect(LABEL, HOUR),
    ):
        pass
    assert "user 'postgres'" in str(raised.value)


def test_g8_cancel_ends_the_query_in_the_server(
    postgres: PostgresWarehouse, session: PostgresSession
) -> None:
    failed: list[WarehouseError] = []

    def run() -> None:
        try:
            table(session, "select count(*) as n from generate_series(1, 10000000000) n")
        except WarehouseError as error:
            failed.append(error)

    def active() -> int:
        with admin(postgres) as connection:
            found = connection.execute(
                "select count(*) from pg_stat_activity "
                "where application_name = 'extract a/b run-1' and state = 'active' "
                "and query like 'copy %10000000000%'"
            ).fetchone()
        return int(found[0]) if found else 0

    running = threading.Thread(target=run)
    running.start()
    await_value("the query to run", lambda: active() == 1)
    session.cancel()
    running.join(30)
    assert "57014" in str(failed[0])
    await_value("the query to end", lambda: active() == 0)


def test_g11_the_password_is_in_no_text_of_the_settings() -> None:
    warehouse = PostgresWarehouse(type="postgres", host="h", user="u", password="s3cret")
    assert "s3cret" not in f"{warehouse!r} {warehouse} {warehouse.model_dump_json()}"


def test_g9_rows_that_are_a_block_by_themselves_keep_their_place(session: PostgresSession) -> None:
    sql = "select n, repeat(md5(n::text), case when n % 3 = 0 then 200000 else 1 end) as text"
    rows = table(session, f"{sql} from generate_series(1, 8) n")
    assert rows["n"].to_pylist() == list(range(1, 9))
    lengths = [len(text) for text in rows["text"].to_pylist()]
    assert lengths == [32, 32, 6_400_000, 32, 32, 6_400_000, 32, 32]
